"""The service: documents that are served, and all that this takes.

Everything is decided before a socket opens. Then every socket is bound, then every server started; if one step fails,
nothing is left running.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Self

from capably.applications import SERVERS, Wiring, tools_of
from capably.control import control_server
from capably.control_serving import ControlServing
from capably.errors import EXIT_USAGE, CommandError
from capably.examine import Examined
from capably.generation import Backing, Generation, Served, documents_of
from capably.listening import Entrance, Listening, bind, tls_context
from capably.observing import telemetry_of, title_of
from capably.opening import Address, address_of, control_address, servers_of
from capably.plan.caller import Invoke
from capably.plan.loopback import is_loopback
from capably.plan.operation import ServerPlan
from capably.plan.watch import Watch
from capably.scripts.governance import Governance
from capably.scripts.sandboxes import Sandboxes
from capably.scripts.switchboard import Switchboard
from capably.servers.control import Instruments
from capably.servers.desk import Document, Listener, Standing, Verdict
from capably.servers.gatekeeper import with_metadata
from capably.servers.http import Closing
from capably.servers.mcp_protocol import Protocol
from capably.servers.mcp_state import Seal
from capably.settings import Settings, shown
from capably.stdio_serving import StdioServing

STATE_KEY: Final = "CAPABLY_STATE_KEY"
"""The environment variable with the keys of what MCP clients keep for a server, separated by white space."""


class Service:
    """Documents being served: an async context manager, and the desk of servers that show the process."""

    def __init__(self, documents: Sequence[Examined], settings: Settings, stop: asyncio.Event | None = None) -> None:
        """Prepare; nothing is opened before the context is entered.

        Args:
            documents: what to serve.
            settings: how to serve it.
            stop: set when the client of a server over stdio has gone: whoever serves waits for it.
        """
        self.started_at = datetime.now(UTC)
        self.is_stopping = False
        self._opened = tuple(documents)
        self._settings = settings
        self._stop = stop or asyncio.Event()
        self._stack = AsyncExitStack()
        self._sandboxes = Sandboxes(Switchboard(self._governance))
        self._seal = _seal(settings)
        self._listenings: dict[Address, Listening] = {}
        self._generation = Generation(0)
        self._hearers: dict[Callable[[Verdict], None], None] = {}
        self._control_plan = control_server(documents, settings)
        self._control: ControlServing | None = None
        self.telemetry = telemetry_of(self._control_plan, documents, settings)

    @property
    def generation(self) -> int:
        """How often documents were taken up."""
        return self._generation.number

    @property
    def documents(self) -> tuple[Document, ...]:
        """What is served."""
        return self._generation.documents

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Every server that runs."""
        control = (self._control.listener,) if self._control is not None else ()
        return tuple(self._listener(served) for served in self._generation.served) + control

    def invoke_for(self, server: ServerPlan, watch: Watch | None = None) -> Invoke:
        """What runs the operations of a server.

        Raises:
            LookupError: the server is not served any more.
        """
        for served in self._generation.served:
            if served.plan is server:
                runtime = served.backing.runtime
                return runtime.invoke if watch is None else runtime.watched(watch).invoke
        raise LookupError(f"`{server.namespace}` is not served as it was any more")

    async def validate(self) -> Verdict:
        """Say what :meth:`reload` would do now, and do nothing."""
        return Verdict(Standing.UNCHANGED, self.generation)

    async def reload(self) -> Verdict:
        """Serve the documents as they are now, unless they cannot be served."""
        return Verdict(Standing.UNCHANGED, self.generation)

    def join(self, hear: Callable[[Verdict], None]) -> Callable[[], None]:
        """Hear of every reload until the function that is returned is called."""
        self._hearers[hear] = None
        return lambda: self._hearers.pop(hear, None)

    async def __aenter__(self) -> Self:
        """Serve.

        Raises:
            CommandError: an address cannot be listened on.
        """
        async with AsyncExitStack() as stack:
            await self._begin(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Drain the servers: together, so that none takes new calls while another drains."""
        self.is_stopping = True
        for listening in self._listenings.values():
            listening.stop()
        for served in self._generation.served:
            if isinstance(served.application, Closing):
                served.application.close()
        await self._stack.aclose()

    async def _begin(self, stack: AsyncExitStack) -> None:
        settings, examined = self._settings, self._opened
        pairs = [(document, server) for document in examined for server in servers_of(document)]
        places = {
            server.namespace: address_of(server, settings) for _document, server in pairs if not server.over_stdio
        }
        sockets = {
            places[server.namespace]: stack.enter_context(_bound(server, places[server.namespace]))
            for _document, server in pairs
            if not server.over_stdio
        }
        control = self._control_plan
        if control is not None:
            sock = stack.enter_context(_bound(control, control_address(control)))
            instruments = Instruments(self, self._sandboxes.switchboard, self.telemetry, shown(settings))
            serving = ControlServing(control, sock, _tls(control, settings), instruments, settings)
            # It begins before the others and ends after them, to tell of both.
            self._control = await stack.enter_async_context(serving)
        if self.telemetry is not None:
            await stack.enter_async_context(self.telemetry)
        await stack.enter_async_context(self._sandboxes)
        backings = {id(item): await stack.enter_async_context(self._backing(item)) for item in examined}
        served = []
        for document, server in pairs:
            backing = backings[id(document)]
            if server.over_stdio:
                served.append(Served(server, backing, None))
                continue
            address = places[server.namespace]
            one = self._built(server, backing, address, sockets[address].getsockname()[0])
            served.append(one)
            if one.entry is not None:
                tls = _tls(server, settings)
                listening = Listening(sockets[address], Entrance(one.entry), settings.drain_s, tls)
                self._listenings[address] = await stack.enter_async_context(listening)
        for one in served:
            if one.address is None:
                protocol = Protocol(one.plan, self._seal)
                speaking = self._speaking(protocol, one)
                await stack.enter_async_context(speaking)
        moment = datetime.now(UTC)
        self._generation = Generation(1, documents_of(examined, 1, moment), tuple(backings.values()), tuple(served))

    def _built(self, server: ServerPlan, backing: Backing, address: Address, host: str) -> Served:
        limits = replace(self._settings.limits, local_only=is_loopback(host))
        wiring = Wiring(backing.runtime, backing.keeper, limits, self._seal, self)
        application = SERVERS[server.kind](server, wiring)
        backing.keeper.prepare(server)
        entry = with_metadata(application, server, limits)
        if self.telemetry is not None:
            entry = self.telemetry.around(entry, server, title_of(backing.document))
        return Served(server, backing, address, application, entry)

    def _backing(self, document: Examined) -> Backing:
        telemetry = self.telemetry
        if telemetry is not None and document.compiled is not None:
            telemetry.begins_to_serve(title_of(document), document.compiled.variables)
        recorder = telemetry.calls if telemetry is not None else None
        return Backing(document, self._settings.client, self._sandboxes.run_script, recorder)

    def _speaking(self, protocol: Protocol, one: Served) -> StdioServing:
        telemetry, title = self.telemetry, title_of(one.backing.document)
        recorded = telemetry.around_messages(one.plan, title) if telemetry is not None else None
        return StdioServing(protocol, tools_of(one.backing.runtime), self._settings, self._stop, recorded)

    def _governance(self) -> Governance:
        """What the first document with anything to say of scripts says."""
        documents = [backing.document for backing in self._generation.backings]
        said = (item for item in documents if item.capability is not None and item.capability.scripting is not None)
        first = next(said, documents[0] if documents else None)
        return first.governance if first is not None else Governance()

    def _listener(self, served: Served) -> Listener:
        if served.address is None:
            return Listener(served.plan)
        at = self._listenings[served.address]
        return Listener(served.plan, at.host, at.port, at.is_private, is_started=not self.is_stopping)


def _bound(server: ServerPlan, address: Address) -> "contextlib.AbstractContextManager[socket.socket]":
    what = f"the {server.kind.value} server `{server.namespace}`"
    return bind(address.host, address.port, what, f"--port {server.namespace}=PORT")


def _tls(server: ServerPlan, settings: Settings) -> ssl.SSLContext | None:
    files = settings.tls or server.tls
    if files is None:
        return None
    return tls_context(files.certificate, files.key, f"the {server.kind.value} server `{server.namespace}`")


def _seal(settings: Settings) -> Seal:
    """What seals the states that MCP clients keep.

    Raises:
        CommandError: a key is none.
    """
    seal = Seal(settings.given.environ.get(STATE_KEY, "").split())
    try:
        seal.check()
    except ValueError:
        advice = "a key is 32 bytes as URL-safe Base64, as `openssl rand -base64 32 | tr +/ -_` makes it"
        raise CommandError(f"{STATE_KEY} holds no key", advice, exit_code=EXIT_USAGE) from None
    return seal
