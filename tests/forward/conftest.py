"""An upstream that is nothing but sockets and `http.server`, and forwards in front of it."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.serving import serving
from tests.upstreams import Quiet, answering

from capably.examine import Examined, examine
from capably.plan.variables import Given
from capably.servers.http import Limits
from capably.settings import Settings
from capably.upstream.client import ClientLimits

Act = Callable[["Handler"], None]


@dataclass(frozen=True)
class Seen:
    """A request as the upstream got it; header names in lower case, in order."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def named(self) -> dict[str, str]:
        return dict(self.headers)


class Handler(Quiet):
    """Keeps what comes in and lets a test answer."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def answer(self, status: int, body: bytes = b"", *headers: tuple[str, str]) -> None:
        """Send a whole answer; a Content-Length is added unless the headers frame the body themselves."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        framed = {name.lower() for name, _value in headers} & {"content-length", "transfer-encoding"}
        if not framed and status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        with suppress(ConnectionError):
            self.server.upstream.take(self)


@dataclass
class Upstream:
    """The API behind a forward: what it was asked, and how it acts next (200 and `hello` unless told)."""

    address: str = ""
    seen: list[Seen] = field(default_factory=list)
    act: Act | None = None
    reads: bool = True

    def take(self, handler: Handler) -> None:
        headers = [(name.lower(), value) for name, value in handler.headers.items()]
        body = handler.body() if self.reads else b""
        self.seen.append(Seen(handler.command, handler.path, headers, body))
        if self.act is None:
            handler.answer(200, b"hello", ("Content-Type", "text/plain"))
        else:
            self.act(handler)

    def answers(self, status: int, body: bytes = b"", *headers: tuple[str, str]) -> None:
        self.act = lambda handler: handler.answer(status, body, *headers)

    @property
    def only(self) -> Seen:
        (only,) = self.seen
        return only


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    upstream: Upstream


@pytest.fixture(scope="session")
def started() -> Iterator[Upstream]:
    with answering(_Server(("127.0.0.1", 0), Handler)) as server:
        server.upstream = Upstream(f"http://127.0.0.1:{server.server_address[1]}")
        yield server.upstream


@pytest.fixture
def upstream(started: Upstream) -> Upstream:
    """The upstream of all tests, which remembers nothing of those before."""
    started.seen, started.act, started.reads = [], None, True
    return started


@dataclass(frozen=True)
class Answer:
    """What a caller got; header names in lower case, in order."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def named(self) -> dict[str, str]:
        return dict(self.headers)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A server with forwards that runs."""

    port: int

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def call(self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request; an iterator is sent in chunks."""
        connection = self.connect()
        try:
            connection.request(method, target, body, dict(headers or {}), encode_chunked=True)
            response = connection.getresponse()
            return Answer(response.status, [(k.lower(), v) for k, v in response.getheaders()], response.read())
        finally:
            connection.close()


def document(
    base: str,
    *,
    path: str = "/api/{path}",
    forward: Any = None,
    entry: Any = None,
    server: Any = None,
    operations: Any = (),
    resources: Any = (),
) -> dict[str, Any]:
    """A document with one forward to `up`, and what else a test wants."""
    consumed = {"type": "http", "namespace": "up", "baseUri": base, "resources": [UP], **(entry or {})}
    resource = {"path": path, "forward": {"targetNamespace": "up", **(forward or {})}}
    if operations:
        resource["operations"] = list(operations)
    rest = {"type": "rest", "namespace": "web", "port": 0, "resources": [resource, *resources], **(server or {})}
    binds = [{"namespace": "env", "keys": {"KEY": "KEY"}}]
    return {"ikanos": "1.0.0-beta4", "binds": binds, "capability": {"consumes": [consumed], "exposes": [rest]}}


UP = {"name": "ships", "path": "/ships", "operations": [{"name": "list", "method": "GET"}]}


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path, upstream: Upstream) -> Iterator[Serve]:
    """Serves a document with a forward to the upstream, below `/v1`."""
    with ExitStack() as stack:

        def start(*, base: str | None = None, body_bytes: int = 20_000, limits: Any = None, **parts: Any) -> Served:
            file = tmp_path / "forward.yaml"
            text = json.dumps(document(base or f"{upstream.address}/v1", **parts))
            file.write_text(text, encoding="utf-8")
            settings = Settings(
                given=Given({}, {"KEY": "sk-made-up"}),
                client=ClientLimits(**(limits or {})),
                limits=Limits(body_bytes=body_bytes),
                drain_s=1,
            )
            return Served(stack.enter_context(serving(settings, file)).by_kind["rest"].port)

        yield start


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, started: Upstream) -> Iterator[Served]:
    file = tmp_path_factory.mktemp("plain") / "forward.yaml"
    file.write_text(json.dumps(document(f"{started.address}/v1")), encoding="utf-8")
    with serving(Settings(drain_s=1), file) as running:
        yield Served(running.by_kind["rest"].port)


@pytest.fixture
def forward(plain: Served, upstream: Upstream) -> Served:
    """The plainest forward: `/api/{path}` to `/v1` of the upstream."""
    return plain


Examine = Callable[..., Examined]


@pytest.fixture
def examined(tmp_path: Path) -> Examine:
    """Examines a document with a forward to `https://up.test/v1`."""

    def read(base: str = "https://up.test/v1", **parts: Any) -> Examined:
        file = tmp_path / "a.yaml"
        file.write_text(json.dumps(document(base, **parts)), encoding="utf-8")
        return examine(file)

    return read
