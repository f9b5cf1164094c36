"""The composition root: documents become running servers, and end cleanly.

Everything is decided before a socket opens: documents are examined, values looked up, clashes found. Then every
socket is bound, then every server started; if one step fails, nothing is left running.
"""

import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from capably.errors import EXIT_USAGE, CommandError
from capably.examine import Examined, examine_with
from capably.listening import QuietServer, bind, serving
from capably.plan.operation import Kind, ServerPlan
from capably.runtime import Runtime
from capably.servers import mcp, rest, skill
from capably.servers.gatekeeper import Gatekeeper, with_metadata
from capably.servers.http import Application, Closing, Limits
from capably.servers.mcp_state import Seal
from capably.settings import Settings
from capably.startup import missing_values, unknown_names

Build: TypeAlias = Callable[[ServerPlan, Runtime, Limits, Gatekeeper, Seal], Application]

SERVERS: dict[Kind, Build] = {
    Kind.REST: lambda server, runtime, limits, keeper, _seal: rest.build_app(
        server, runtime.invoke, limits, keeper, runtime.pass_on
    ),
    Kind.MCP: lambda server, runtime, limits, keeper, seal: mcp.build_app(server, runtime.invoke, limits, keeper, seal),
    Kind.SKILL: lambda server, _runtime, limits, keeper, _seal: skill.build_app(server, limits, keeper),
}


class RefusedError(CommandError):
    """Documents that cannot be served because of their own mistakes: ``examined`` says which."""

    def __init__(self, examined: Sequence[Examined]) -> None:
        """Keep what is wrong, to be rendered."""
        super().__init__("the document cannot be served")
        self.examined = tuple(examined)


@dataclass(frozen=True, slots=True)
class Listener:
    """A server that runs: its plan, and the address it really has."""

    plan: ServerPlan
    host: str
    port: int

    @property
    def url(self) -> str:
        """Where clients reach it; an address that means every interface is shown as this machine's."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 -- compared, not bound
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{shown}:{self.port}"


async def open_documents(files: Sequence[Path], settings: Settings) -> list[Examined]:
    """Examine documents for serving.

    An error in a part of a document leaves that part out, and the rest is served.

    Raises:
        RefusedError: nothing of a document can be served; or, with ``settings.strict``, a document has an error.
        CommandError: a value is missing, a name on the command line is not known, or servers clash.
    """
    examined = [await examine_with(file, settings.given) for file in files]
    unknown = unknown_names(examined, settings)
    if unknown is not None:
        raise unknown
    if any(not item.is_served or (settings.strict and item.errors) for item in examined):
        raise RefusedError(examined)
    missing = missing_values(examined)
    if missing is not None:
        raise missing
    _check_clashes(examined, settings)
    return examined


def _check_clashes(examined: Sequence[Examined], settings: Settings) -> None:
    namespaces: dict[str, Examined] = {}
    addresses: dict[tuple[str, int], ServerPlan] = {}
    problems = []
    for document in examined:
        for server in _servers(document):
            earlier = namespaces.setdefault(server.namespace, document)
            if earlier is not document:
                problems.append(f"{document.file} and {earlier.file} both have a server `{server.namespace}`")
            host, port = _address(server, settings)
            other = addresses.setdefault((host, port), server)
            if port and other is not server:
                problems.append(
                    f"`{server.namespace}` and `{other.namespace}` both listen on {host}:{port}: "
                    f"move one with --port {server.namespace}=PORT"
                )
    if problems:
        raise CommandError("the servers clash", *dict.fromkeys(problems), exit_code=EXIT_USAGE)


def _servers(document: Examined) -> tuple[ServerPlan, ...]:
    return document.compiled.plan.servers if document.compiled is not None else ()


def _address(server: ServerPlan, settings: Settings) -> tuple[str, int]:
    host = settings.host or server.address or "127.0.0.1"
    return host, settings.ports.get(server.namespace, server.port)


@asynccontextmanager
async def running(documents: Sequence[Examined], settings: Settings) -> AsyncIterator[list[Listener]]:
    """Serve documents while the context lasts; leaving it drains the servers.

    Raises:
        CommandError: an address cannot be listened on.
    """
    async with AsyncExitStack() as stack:
        bound = [(document, server) for document in documents for server in _servers(document)]
        sockets = [stack.enter_context(_bind(server, settings)) for _document, server in bound]
        runtimes = {id(item): await stack.enter_async_context(Runtime(settings.client)) for item in documents}
        keepers = {id(item): Gatekeeper(runtimes[id(item)].fetch) for item in documents}
        seal = _seal(settings)
        listeners: list[Listener] = []
        apps: list[object] = []  # applications, some of which have something to close
        servers: list[QuietServer] = []
        for (document, server), sock in zip(bound, sockets, strict=True):
            host, port = sock.getsockname()[:2]
            limits = replace(settings.limits, local_only=_is_loopback(host))
            keeper = keepers[id(document)]
            served = SERVERS[server.kind](server, runtimes[id(document)], limits, keeper, seal)
            apps.append(served)
            app = with_metadata(served, server, limits)
            keeper.prepare(server)
            servers.append(QuietServer(app, settings.drain_s))
            await stack.enter_async_context(serving(servers[-1], sock))
            listeners.append(Listener(server, host, port))
        try:
            yield listeners
        finally:
            for each in servers:  # together, so that none takes new calls while another drains
                each.should_exit = True
            for each_app in apps:
                if isinstance(each_app, Closing):
                    each_app.close()


STATE_KEY: Final = "CAPABLY_STATE_KEY"
"""The environment variable with the keys of what MCP clients keep for a server, separated by white space."""


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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def _bind(server: ServerPlan, settings: Settings) -> Iterator[socket.socket]:
    host, port = _address(server, settings)
    what = f"the {server.kind.value} server `{server.namespace}`"
    with bind(host, port, what, f"--port {server.namespace}=PORT") as sock:
        yield sock
