"""OpenAPI files become running mocks: read, given a socket each, served until the context ends."""

import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, in_order
from capably.document import MAX_BYTES, parse_document
from capably.errors import EXIT_USAGE, CommandError
from capably.listening import Entrance, Listening, bind
from capably.mock.answer import Mock, known_demands
from capably.mock.api import Api
from capably.mock.app import Log, build_app
from capably.mock.check import Demand
from capably.mock.read import read_api
from capably.servers.http import Limits


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was read: its API, ``None`` when it is none, its text, and what is wrong with it."""

    file: str
    text: str
    api: Api | None
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class MockSettings:
    """How mocks run: where, what requests must have, and how long open ones get when they stop."""

    host: str = "127.0.0.1"
    port: int = 0
    demands: tuple[Demand, ...] = ()
    is_strict: bool = False
    limits: Limits = field(default_factory=Limits)
    drain_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A mock that runs: its file, its API, and its address with the path that the document's server has."""

    file: str
    api: Api
    url: str


def open_file(path: Path) -> Opened:
    """Read an OpenAPI document. What is wrong with it is in the diagnostics; nothing is raised."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        message = f"the file cannot be read: {problem.strerror or type(problem).__name__}"
        return Opened(file, "", None, (error("DOC001", message, Span(file, 1, 1, 1, 1), "check the path"),))
    document, found = parse_document(file, data)
    if document is None:
        return Opened(file, data.decode("utf-8", "replace"), None, tuple(found))
    api, more = read_api(document)
    return Opened(file, document.text, api, tuple(in_order([*found, *more])))


@asynccontextmanager
async def mocking(opened: Sequence[Opened], settings: MockSettings, log: Log) -> AsyncIterator[list[Running]]:
    """Serve APIs while the context lasts, each on a port of its own: the one that is set, and those after it.

    Raises:
        CommandError: an address cannot be listened on, or nothing in the documents has the name of a demand.
    """
    apis = [(item.file, item.api) for item in opened if item.api is not None]
    _check_demands([api for _file, api in apis], settings.demands)
    async with AsyncExitStack() as stack:
        ports = [settings.port + at if settings.port else 0 for at in range(len(apis))]
        sockets = [
            stack.enter_context(bind(settings.host.strip("[]"), port, f"the mock of {file}", "--port PORT"))
            for (file, _api), port in zip(apis, ports, strict=True)
        ]
        running, servers = [], []
        for (file, api), sock in zip(apis, sockets, strict=True):
            host, port = sock.getsockname()[:2]
            limits = replace(settings.limits, local_only=ipaddress.ip_address(host).is_loopback)
            mock = Mock(api, settings.demands, is_strict=settings.is_strict)
            servers.append(Listening(sock, Entrance(build_app(api, mock, limits, log)), settings.drain_s, None))
            await servers[-1].start()
            stack.push_async_callback(servers[-1].aclose)
            shown = f"[{host}]" if ":" in host else host
            running.append(Running(file, api, f"http://{shown}:{port}{next(iter(api.bases), '')}"))
        try:
            yield running
        finally:
            for server in servers:  # together, so that none takes new requests while another drains
                server.stop()


def _check_demands(apis: Sequence[Api], demands: Sequence[Demand]) -> None:
    known = [name for api in apis for name in known_demands(api)]
    for demand in demands:
        if demand.name not in known and demand.name.lower() not in map(str.lower, known):
            message = f"--expect {demand.name}: no document has a parameter or a security scheme of that name"
            raise CommandError(message, *did_you_mean(demand.name, known), exit_code=EXIT_USAGE)
