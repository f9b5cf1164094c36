"""The composition root: documents become running servers, and end cleanly.

Everything is decided before a socket opens: documents are examined, values looked up, clashes found. Then every
socket is bound, then every server started; if one step fails, nothing is left running.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from capably.diagnostics import did_you_mean
from capably.errors import EXIT_USAGE, CommandError
from capably.examine import Examined, examine_with
from capably.listening import QuietServer, bind, serving, tls_context
from capably.plan.operation import Kind, ServerPlan
from capably.runtime import Runtime
from capably.scripts.sandboxes import Sandboxes
from capably.servers import mcp, rest, skill
from capably.servers.gatekeeper import Gatekeeper, with_metadata
from capably.servers.http import Application, Closing, Limits
from capably.servers.mcp_protocol import Protocol
from capably.servers.mcp_state import Seal
from capably.servers.mcp_stdio import Connection
from capably.settings import Settings
from capably.standard_io import input_lines, taken_output
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
    """A server that runs: its plan, the address it really has (none over stdio), and whether it speaks https."""

    plan: ServerPlan
    host: str = ""
    port: int = 0
    is_private: bool = False

    @property
    def warning(self) -> str:
        """What whoever starts it should know of who may call it; empty when that is no surprise."""
        gate, name = self.plan.gate, self.plan.namespace
        if self.plan.over_stdio:
            told = f"`{name}` asks nobody for its `authentication` over stdio: whoever starts it may use it"
            return told if gate is not None else ""
        what = "reads the files of its skills" if self.plan.kind is Kind.SKILL else "uses your credentials"
        told = f"`{name}` listens on {self.host} without authentication: whoever reaches it {what}"
        return told if gate is None and not _is_loopback(self.host) else ""

    @property
    def url(self) -> str:
        """Where clients reach it; an address that means every interface is shown as this machine's."""
        if self.plan.over_stdio:
            return "stdio"
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 -- compared, not bound
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"{'https' if self.is_private else 'http'}://{shown}:{self.port}"


async def open_documents(files: Sequence[Path], settings: Settings) -> list[Examined]:
    """Examine documents for serving.

    An error in a part of a document leaves that part out, and the rest is served.

    Raises:
        RefusedError: nothing of a document can be served; or, with ``settings.strict``, a document has an error.
        CommandError: a value is missing, a name on the command line is not known, or servers clash.
    """
    examined = [await examine_with(file, settings.given, switches=settings.scripts) for file in files]
    unknown = unknown_names(examined, settings)
    if unknown is not None:
        raise unknown
    if any(not item.is_served or (settings.strict and item.errors) for item in examined):
        raise RefusedError(examined)
    missing = missing_values(examined)
    if missing is not None:
        raise missing
    if settings.stdio is not None:
        examined = _only_over_stdio(examined, settings.stdio)
    _check_clashes(examined, settings)
    return examined


def _only_over_stdio(examined: Sequence[Examined], namespace: str) -> list[Examined]:
    """The documents with one MCP server, over standard input and output; the others are not served.

    A client that starts a server for itself wants nothing else of it, above all no ports another client may hold.

    Raises:
        CommandError: there is no such server, or no name and several.
    """
    found = [
        (document, server)
        for document in examined
        for server in _servers(document)
        if server.kind is Kind.MCP and (not namespace or server.namespace == namespace)
    ]
    if len(found) != 1:
        known = [server.namespace for document in examined for server in _servers(document) if server.kind is Kind.MCP]
        told = f"{namespace}: no MCP server has this name" if namespace else "name the MCP server to serve"
        advice = did_you_mean(namespace, known) or (f"there is {', '.join(known) or 'none'}",)
        raise CommandError(f"--stdio {told}", *advice, exit_code=EXIT_USAGE)
    ((document, server),) = found
    if document.compiled is None:
        raise TypeError("a document with a server is compiled")
    plan = replace(document.compiled.plan, servers=(replace(server, over_stdio=True),))
    return [replace(document, compiled=replace(document.compiled, plan=plan))]


def _check_clashes(examined: Sequence[Examined], settings: Settings) -> None:
    namespaces: dict[str, Examined] = {}
    addresses: dict[tuple[str, int], ServerPlan] = {}
    problems = []
    for document in examined:
        for server in _servers(document):
            earlier = namespaces.setdefault(server.namespace, document)
            if earlier is not document:
                problems.append(f"{document.file} and {earlier.file} both have a server `{server.namespace}`")
            if server.over_stdio:
                continue
            host, port = _address(server, settings)
            other = addresses.setdefault((host, port), server)
            if port and other is not server:
                problems.append(
                    f"`{server.namespace}` and `{other.namespace}` both listen on {host}:{port}: "
                    f"move one with --port {server.namespace}=PORT"
                )
    over_stdio = [server.namespace for document in examined for server in _servers(document) if server.over_stdio]
    if len(over_stdio) > 1:
        names = " and ".join(f"`{name}`" for name in over_stdio)
        problems.append(f"{names} are all served over stdio, which one process can do for one: choose with --stdio")
    if problems:
        raise CommandError("the servers clash", *dict.fromkeys(problems), exit_code=EXIT_USAGE)


def _servers(document: Examined) -> tuple[ServerPlan, ...]:
    return document.compiled.plan.servers if document.compiled is not None else ()


def _address(server: ServerPlan, settings: Settings) -> tuple[str, int]:
    host = settings.host or server.address or "127.0.0.1"
    return host, settings.ports.get(server.namespace, server.port)


@asynccontextmanager
async def running(
    documents: Sequence[Examined], settings: Settings, stop: asyncio.Event | None = None
) -> AsyncIterator[list[Listener]]:
    """Serve documents while the context lasts; leaving it drains the servers.

    Args:
        documents: what to serve.
        settings: how to serve it.
        stop: set when the client of a server over stdio has gone: whoever serves waits for it.

    Raises:
        CommandError: an address cannot be listened on.
    """
    async with AsyncExitStack() as stack:
        servers_of = [(document, server) for document in documents for server in _servers(document)]
        bound = [(document, server) for document, server in servers_of if not server.over_stdio]
        sockets = [stack.enter_context(_bind(server, settings)) for _document, server in bound]
        run_script = (await stack.enter_async_context(Sandboxes())).run_script
        runtimes = {
            id(item): await stack.enter_async_context(Runtime(settings.client, run_script)) for item in documents
        }
        keepers = {id(item): Gatekeeper(runtimes[id(item)].fetch) for item in documents}
        seal = _seal(settings)
        listeners: list[Listener] = []
        apps: list[object] = []  # applications, some of which have something to close
        servers: list[QuietServer] = []
        contexts = [_tls(server, settings) for _document, server in bound]
        for (document, server), sock, tls in zip(bound, sockets, contexts, strict=True):
            host, port = sock.getsockname()[:2]
            limits = replace(settings.limits, local_only=_is_loopback(host))
            keeper = keepers[id(document)]
            served = SERVERS[server.kind](server, runtimes[id(document)], limits, keeper, seal)
            apps.append(served)
            app = with_metadata(served, server, limits)
            keeper.prepare(server)
            servers.append(QuietServer(app, settings.drain_s, tls))
            await stack.enter_async_context(serving(servers[-1], sock))
            listeners.append(Listener(server, host, port, tls is not None))
        over_stdio = next(((document, server) for document, server in servers_of if server.over_stdio), None)
        if over_stdio is not None:
            document, server = over_stdio
            work = _over_stdio(server, runtimes[id(document)], settings, seal, stop)
            await stack.enter_async_context(_beside(work))
            listeners.append(Listener(server))
        try:
            yield listeners
        finally:
            for each in servers:  # together, so that none takes new calls while another drains
                each.should_exit = True
            for each_app in apps:
                if isinstance(each_app, Closing):
                    each_app.close()


async def _over_stdio(
    server: ServerPlan, runtime: Runtime, settings: Settings, seal: Seal, stop: asyncio.Event | None
) -> None:
    """Serve over standard input and output until the client has gone; then everything else shall stop as well."""
    stop = stop or asyncio.Event()
    cap = settings.limits.body_bytes
    try:
        with taken_output() as write:
            connection = Connection(Protocol(server, seal), runtime.invoke, cap, write)
            await connection.serve(input_lines(cap, stop), settings.drain_s)
    finally:
        stop.set()


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Do work while the context lasts; leaving it cancels what is left of it.

    The work of a client that is still there has been told to end by then.
    """
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        await asyncio.wait({task}, timeout=_STDIO_END_S)
        task.cancel()
        await asyncio.wait({task})


_STDIO_END_S: Final = 1.0

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


def _tls(server: ServerPlan, settings: Settings) -> ssl.SSLContext | None:
    files = settings.tls or server.tls
    if files is None:
        return None
    return tls_context(files.certificate, files.key, f"the {server.kind.value} server `{server.namespace}`")


@contextlib.contextmanager
def _bind(server: ServerPlan, settings: Settings) -> Iterator[socket.socket]:
    host, port = _address(server, settings)
    what = f"the {server.kind.value} server `{server.namespace}`"
    with bind(host, port, what, f"--port {server.namespace}=PORT") as sock:
        yield sock
