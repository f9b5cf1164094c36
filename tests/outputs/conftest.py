"""A document whose operations answer; asked as a plan without sockets, or through its servers."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.asking import Answer, ask
from tests.serving import serving

from capably.examine import Examined, examine
from capably.plan.effects import Call
from capably.plan.flow import run
from capably.plan.operation import Operation
from capably.plan.outcome import Outcome
from capably.settings import Settings
from capably.upstream.reply import Reply

if TYPE_CHECKING:
    from tests.conftest import Upstream

HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


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
class Served:
    """A document's servers, running."""

    ports: dict[str, int]

    def rest(self, path: str, method: str = "GET", body: Any = None) -> Answer:
        return ask(self.ports["rest"], method, path, body, HEADERS)

    def tool(self, **arguments: Any) -> Any:
        """The result of calling the tool `op`."""
        params = {"name": "op", "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return ask(self.ports["mcp"], "POST", "/mcp", message, HEADERS).json["result"]


@pytest.fixture
def serve(write: Write, upstream: "Upstream") -> Iterator[Callable[..., Served]]:
    """Serves such a document in front of the upstream."""
    with ExitStack() as stack:

        def serve(*args: Any, **kwargs: Any) -> Served:
            settings = Settings(ports={"web": 0, "agent": 0}, drain_s=1)
            file = write(*args, base=f"http://{upstream.address}", **kwargs)
            running = stack.enter_context(serving(settings, file))
            return Served({kind: server.port for kind, server in running.by_kind.items()})

        yield serve
