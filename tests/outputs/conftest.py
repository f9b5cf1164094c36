"""A document whose operations answer; asked as a plan without sockets, or through its servers."""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from capably.app import Listener, open_documents, running
from capably.examine import Examined, examine
from capably.loop import _loop_factory
from capably.plan.effects import Call
from capably.plan.flow import run
from capably.plan.operation import Operation
from capably.plan.outcome import Outcome
from capably.plan.variables import Given
from capably.settings import Settings
from capably.upstream.reply import Reply

if TYPE_CHECKING:
    from tests.conftest import Upstream


@dataclass(frozen=True)
class Document:
    """A document of one operation, `op`, exposed over REST as `GET /op` and over MCP as the tool `op`."""

    examined: Examined

    @property
    def told(self) -> list[tuple[str, int, str]]:
        """Code, line and message of every finding but that inputs are inferred and the upstream is given."""
        usual = {"INP001", "VAR001"}
        return [(d.code, d.span.line, d.message) for d in self.examined.diagnostics if d.code not in usual]

    @property
    def text(self) -> str:
        return self.examined.texts[self.examined.file]

    @property
    def tool_line(self) -> int:
        """The line on which the tool starts; the REST operation stands above it."""
        return self.operations["mcp"].span.line

    @property
    def operations(self) -> dict[str, Operation]:
        assert self.examined.compiled is not None
        return {server.kind.value: op for server in self.examined.compiled.plan.servers for op in server.operations}

    def outcome(self, body: Any, media_type: str = "application/json", kind: str = "mcp", **inputs: Any) -> Outcome:
        """The outcome when the upstream answers so; bytes are sent as they are, anything else as JSON."""
        flow = run(self.operations[kind], inputs)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            assert isinstance(next(flow), Call)
            flow.send(Reply(200, (("content-type", media_type),), data))
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        raise AssertionError("the operation wants another call")

    def answer(self, body: Any, media_type: str = "application/json", **inputs: Any) -> Any:
        """The JSON that the operation makes of an upstream's body."""
        outcome = self.outcome(body, media_type, **inputs)
        assert outcome.media_type == "application/json"
        return json.loads(outcome.body)

    def mock(self, kind: str = "mcp", **inputs: Any) -> Outcome:
        """The outcome of an operation that calls nothing."""
        try:
            next(run(self.operations[kind], inputs))
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        raise AssertionError("a mock makes no call")


def written(outputs: Any, consumed: Any, exposed: Any, server: Any, base: str) -> dict[str, Any]:
    operation = {"name": "op", "method": "GET", **(consumed or {})}
    consumed_paths = [{"name": "all", "path": "/op", "operations": [operation]}]
    api = {"type": "http", "namespace": "up", "baseUri": base, "resources": consumed_paths}
    op = {"name": "op", "description": "It.", **({} if outputs is None else {"outputParameters": outputs})}
    op |= {"call": "up.op", **(exposed or {})}
    op = {key: value for key, value in op.items() if value is not None}
    method = {"method": op.pop("method", "GET")}
    rest = {"type": "rest", "namespace": "web", "port": 8080, **(server or {})}
    mcp = {"type": "mcp", "namespace": "agent", "port": 9090, **(server or {})}
    resources = [{"path": op.pop("path", "/op"), "operations": [{**op, **method}]}]
    tool = {key: value for key, value in op.items() if not key.startswith("response")}
    exposes = [{**rest, "resources": resources}, {**mcp, "tools": [tool]}]
    return {"ikanos": "1.0.0-beta4", "capability": {"consumes": [api], "exposes": exposes}}


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a document down; `exposed`, `consumed` and `server` are laid over the simplest ones, `None` removes."""

    def write(
        outputs: Any = None,
        *,
        consumed: Any = None,
        exposed: Any = None,
        server: Any = None,
        base: str = "http://up.test",
    ) -> Path:
        file = tmp_path / "document.json"
        file.write_text(json.dumps(written(outputs, consumed, exposed, server, base), indent=1), encoding="utf-8")
        return file

    return write


@pytest.fixture
def read(write: Write) -> Callable[..., Document]:
    """Examines such a document."""
    return lambda *args, **kwargs: Document(examine(write(*args, **kwargs)))


@pytest.fixture
def mock(read: Callable[..., Document]) -> Callable[..., Document]:
    """Examines a document whose operation calls nothing."""

    def mock(outputs: Any, **exposed: Any) -> Document:
        return read(outputs, exposed={"call": None, **exposed})

    return mock


@dataclass(frozen=True)
class Said:
    """What a server answered."""

    status: int
    media_type: str | None
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A document's servers, running."""

    ports: dict[str, int]

    def rest(self, path: str, method: str = "GET", body: Any = None) -> Said:
        data = None if body is None else json.dumps(body)
        return self._ask(self.ports["rest"], method, path, data)

    def tool(self, **arguments: Any) -> Any:
        """The result of calling the tool `op`."""
        params = {"name": "op", "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return self._ask(self.ports["mcp"], "POST", "/mcp", json.dumps(message)).json["result"]

    def _ask(self, port: int, method: str, path: str, body: str | None) -> Said:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Said(response.status, response.getheader("content-type"), response.read())
        finally:
            connection.close()


@contextmanager
def serving(document: Path, given: Given) -> Iterator[Served]:
    """Serve a document in a thread, on free ports."""
    settings = Settings(given, ports={"web": 0, "agent": 0}, drain_s=1)
    started, ended = threading.Event(), asyncio.Event()
    found: list[Listener] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        async with running(await open_documents([document], settings), settings) as listeners:
            found.extend(listeners)
            started.set()
            await ended.wait()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(main())
        finally:
            started.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert started.wait(10)
        assert found, "the servers did not start"
        yield Served({item.plan.kind.value: item.port for item in found})
    finally:
        for loop in loops:
            with suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(ended.set)
        thread.join()


@pytest.fixture
def serve(write: Write, upstream: "Upstream") -> Iterator[Callable[..., Served]]:
    """Serves such a document in front of the upstream."""
    open_servers = []

    def serve(*args: Any, **kwargs: Any) -> Served:
        servers = serving(write(*args, base=f"http://{upstream.address}", **kwargs), Given())
        open_servers.append(servers)
        return servers.__enter__()

    yield serve
    for servers in open_servers:
        servers.__exit__(None, None, None)
