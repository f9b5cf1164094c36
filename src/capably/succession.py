"""From one generation to the next: what can fail is done beside what is served, then everything changes at once.

Sockets whose address stays are kept, with the connections on them; new ones are bound before anything changes. What is
prepared and not made final is undone.
"""

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self
from weakref import WeakSet

from capably.applications import SERVERS, Wiring, tools_of
from capably.errors import CommandError
from capably.examine import Examined
from capably.generation import Backing, Generation, Served, documents_of
from capably.inbound.caps import Caps
from capably.listening import Entrance, Listening, bound, tls_context
from capably.observing import title_of
from capably.opening import Address, address_of, named, servers_of
from capably.plan.loopback import is_loopback
from capably.plan.operation import Kind, ServerPlan
from capably.relay import Neighbours, SessionRelay
from capably.runtime import RunScript
from capably.servers.desk import Desk
from capably.servers.gatekeeper import with_metadata
from capably.servers.http import Application, Closing, Limits
from capably.servers.mcp_protocol import Protocol
from capably.servers.mcp_state import Seal
from capably.servers.prefixes import Mount, behind_prefixes, prefix_of
from capably.settings import Settings
from capably.stdio_serving import StdioServing
from capably.telemetry import Telemetry
from capably.upstream.pool import Pool


@dataclass(slots=True)
class Process:
    """What outlives every generation.

    ``pool`` holds the connections to upstreams, which documents share. ``neighbours`` are the other workers, where
    there are any. ``awaited`` are the requests that some generation before this one waits for.
    """

    desk: Desk
    run_script: RunScript
    pool: Pool
    seal: Seal
    stop: asyncio.Event
    telemetry: Telemetry | None = None
    neighbours: Neighbours | None = None
    listenings: dict[Address, Listening] = field(default_factory=dict)
    stdio: StdioServing | None = None
    awaited: "WeakSet[asyncio.Future[Any]]" = field(default_factory=WeakSet)

    def requests_of(self, generation: Generation) -> "frozenset[asyncio.Future[Any]]":
        """What is being done just now by the plans of this generation, which is the latest."""
        requests: set[asyncio.Future[Any]] = {
            task for listening in self.listenings.values() for task in listening.open_requests
        }
        if self.stdio is not None:
            requests |= self.stdio.calls
        for application in generation.succeeding:
            requests |= application.unattended
        return frozenset(requests - set(self.awaited))


@dataclass(frozen=True, slots=True)
class Left:
    """What a generation leaves behind when another takes its place: ``requests`` go on with its ``backings``."""

    backings: tuple[Backing, ...]
    listenings: tuple[Listening, ...]
    requests: "frozenset[asyncio.Future[Any]]"


class Succession:
    """One step; an async context manager that undoes what :meth:`settle` has not made final."""

    def __init__(self, process: Process, before: Generation, examined: Sequence[Examined], settings: Settings) -> None:
        """Prepare to serve ``examined`` in the place of the generation ``before``."""
        self.generation = Generation(before.number + 1)
        self._process = process
        self._before = before
        self._examined = tuple(examined)
        self._settings = settings
        self._stack = AsyncExitStack()
        self._sockets: dict[Address, socket.socket] = {}
        self._contexts: dict[Address, ssl.SSLContext] = {}
        self._fresh: dict[Address, Listening] = {}
        self._stdio: StdioServing | None = None

    async def __aenter__(self) -> Self:
        """Bind and build: all that can fail.

        Raises:
            CommandError: an address cannot be listened on, or a certificate cannot be shown.
        """
        try:
            await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Undo what was not made final."""
        await self._stack.aclose()

    async def _build(self) -> None:
        pairs = [(document, server) for document in self._examined for server in servers_of(document)]
        _check_stdio(self._before, [server for _document, server in pairs])
        addresses = [None if server.over_stdio else address_of(server, self._settings) for _document, server in pairs]
        listened = [(server, address) for (_, server), address in zip(pairs, addresses, strict=True) if address]
        certificates = {address: self._open(server, address) for server, address in listened}
        backings = {id(document): await self._backing(document) for document in self._examined}
        served = tuple(
            self._served(server, backings[id(document)], address)
            for (document, server), address in zip(pairs, addresses, strict=True)
        )
        self.generation = Generation(
            self.generation.number,
            documents_of(self._examined, self._before, datetime.now(UTC)),
            self._examined,
            tuple(backings.values()),
            served,
            self._entries(served),
            certificates,
        )

    def _entries(self, served: Sequence[Served]) -> Mapping[Address, Application]:
        """What answers at each address."""
        if self._settings.listen is None:
            return {item.address: item.entry for item in served if item.address and item.entry}
        mounts: dict[Address, list[Mount]] = {}
        for item in served:
            if item.address is not None and item.entry is not None:
                mounts.setdefault(item.address, []).append(Mount(item.plan, item.entry))
        return {address: behind_prefixes(items, self._limits(address)) for address, items in mounts.items()}

    def _limits(self, address: Address) -> Limits:
        listening = self._process.listenings.get(address)
        host = listening.host if listening is not None else self._sockets[address].getsockname()[0]
        return replace(self._settings.limits, local_only=is_loopback(host))

    def _open(self, server: ServerPlan, address: Address) -> str:
        """See to the socket and the certificate of an address; the fingerprint of the latter."""
        listenings = self._process.listenings
        if address not in listenings and address not in self._sockets:
            # Another protocol at an address that is ours already: binding it twice would fail.
            other = listenings.get(replace(address, is_private=not address.is_private))
            sock = bound_for(server, address, self._settings) if other is None else other.another_socket()
            self._stack.callback(sock.close)
            self._sockets[address] = sock
        tls, files = tls_for(server, self._settings), self._settings.tls or server.tls
        if tls is None or files is None:
            return ""
        self._contexts[address] = tls
        return hashlib.sha256(files.certificate.read_bytes()).hexdigest()[:_FINGERPRINT]

    async def _backing(self, document: Examined) -> Backing:
        before = next((item for item in self._before.backings if item.document.file == document.file), None)
        if before is not None and before.serves(document):
            return before
        if document.compiled is not None:
            self._settings.redactor.add(document.compiled.secrets)  # before anything can be told of them
        telemetry = self._process.telemetry
        recorder = telemetry.calls if telemetry is not None else None
        backing = Backing(document, self._settings.client, self._process.run_script, recorder, self._process.pool)
        if before is not None and before.gates == backing.gates:
            backing.keeper = before.keeper
        return await self._stack.enter_async_context(backing)

    def _served(self, server: ServerPlan, backing: Backing, address: Address | None) -> Served:
        if address is None:
            return Served(server, backing, None)
        limits = self._limits(address)
        before = self._before.application_of(server, address)
        wiring = Wiring(backing.runtime, backing.keeper, limits, self._process.seal, self._process.desk, before)
        application = SERVERS[server.kind](server, wiring)
        backing.keeper.prepare(server)
        entry, telemetry = with_metadata(application, limits, server), self._process.telemetry
        if telemetry is not None:
            entry = telemetry.around(entry, server, title_of(backing.document))
        if self._process.neighbours is not None and server.kind is Kind.MCP:
            entry = SessionRelay(server.namespace, entry, self._process.neighbours, limits.body_bytes)
        prefix = prefix_of(server) if self._settings.listen is not None else ""
        return Served(server, backing, address, prefix, application, entry)

    async def start(self) -> None:
        """Begin to answer where nobody did before: clients of new addresses are served from here on.

        Raises:
            CommandError: a server stopped while it was starting.
        """
        for address, entry in self.generation.entries.items():
            if address in self._sockets:
                tls = self._contexts.get(address)
                caps = Caps(concurrency=self._settings.concurrency)
                listening = Listening(self._sockets[address], Entrance(entry), self._settings.drain_s, tls, caps)
                await listening.start()
                self._stack.push_async_callback(listening.aclose)
                self._fresh[address] = listening
        for served in self.generation.served:
            if served.address is None and self._process.stdio is None:
                self._stdio = await self._stack.enter_async_context(self._speaking(served))

    def _speaking(self, served: Served) -> StdioServing:
        protocol, telemetry = Protocol(served.plan, self._process.seal), self._process.telemetry
        title = title_of(served.backing.document)
        recorded = telemetry.around_messages(served.plan, title) if telemetry is not None else None
        return StdioServing(protocol, tools_of(served.backing.runtime), self._settings, self._process.stop, recorded)

    def settle(self) -> Left:
        """Change everything between two requests, and for good."""
        process, before, after = self._process, self._before, self.generation
        requests = process.requests_of(before)
        process.awaited |= requests
        gone = tuple(process.listenings.pop(address) for address in before.entries if address not in after.entries)
        process.listenings |= self._fresh
        for address, entry in after.entries.items():
            process.listenings[address].entrance.application = entry
            if address not in self._fresh:
                process.listenings[address].renew(self._contexts.get(address))
        for backing in after.backings:
            backing.keeper.ask_with(backing.runtime.fetch)
        self._settle_stdio()
        for served in before.served:
            if isinstance(served.application, Closing) and not after.has(served):
                served.application.close()
        self._stack = AsyncExitStack()
        left = tuple(item for item in before.backings if item not in after.backings)
        if process.telemetry is not None:
            for backing in left:
                process.telemetry.ends_to_serve(title_of(backing.document))
            for backing in after.backings:
                if backing not in before.backings and backing.document.compiled is not None:
                    process.telemetry.begins_to_serve(title_of(backing.document), backing.document.compiled.variables)
        return Left(left, gone, requests)

    def _settle_stdio(self) -> None:
        process = self._process
        spoken = next((served for served in self.generation.served if served.address is None), None)
        if self._stdio is not None:
            process.stdio = self._stdio
        elif process.stdio is not None and spoken is not None:
            process.stdio.swap(process.stdio.protocol.successor(spoken.plan), tools_of(spoken.backing.runtime))


_FINGERPRINT = 16  # hexadecimal digits: enough to tell certificates apart


def _check_stdio(before: Generation, servers: Sequence[ServerPlan]) -> None:
    """Standard input and output belong to whoever started the process: they are served from then on, or not at all.

    Raises:
        CommandError: the server over them comes or goes.
    """
    now = [server.namespace for server in servers if server.over_stdio]
    then = [served.plan.namespace for served in before.served if served.plan.over_stdio]
    if before.number and now != then:
        message = "a server over standard input and output cannot come, go or change its name while the process runs"
        raise CommandError(message, "start it anew")


def bound_for(server: ServerPlan, address: Address, settings: Settings) -> socket.socket:
    """A listening socket for a server.

    Raises:
        CommandError: the address is taken or cannot be used.
    """
    what, option = named(server), f"--port {server.namespace}=PORT"
    if settings.listen is not None and server.kind is not Kind.CONTROL:
        what, option = "the address of all servers", "--listen ADDR:PORT"
    return bound(address.host, address.port, what, option, is_shared=settings.seat is not None)


def tls_for(server: ServerPlan, settings: Settings) -> ssl.SSLContext | None:
    """How a server speaks TLS, ``None`` when it does not.

    Raises:
        CommandError: its certificate cannot be shown.
    """
    files = settings.tls or server.tls
    if files is None:
        return None
    return tls_context(files.certificate, files.key, named(server))
