"""A REST server in front of the upstream, with operations of the test's own."""

import asyncio
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from capably.app import Listener, open_documents, running
from capably.examine import Examined, examine
from capably.loop import _loop_factory
from capably.plan.operation import ServerPlan
from capably.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Upstream


@dataclass(frozen=True)
class Answer:
    """What a caller got; header names in lower case, repeated ones joined."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Served:
    """A REST server that runs."""

    listener: Listener
    context: ssl.SSLContext | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.listener.port}"

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One call; bytes and text are sent as they are, anything else as JSON."""
        data = body if body is None or isinstance(body, bytes | str) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if isinstance(body, dict | list) else {}
        kind = http.client.HTTPConnection if self.context is None else http.client.HTTPSConnection
        more: dict[str, Any] = {} if self.context is None else {"context": self.context}
        connection = kind("127.0.0.1", self.listener.port, timeout=20, **more)
        try:
            connection.request(method, path, data, sent | dict(headers or {}))
            response = connection.getresponse()
            found: dict[str, str] = {}
            for name, value in response.getheaders():
                found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def written(*operations: Any, base: str = "http://up.test", path: str = "/x", **server: Any) -> dict[str, Any]:
    """A document: each operation is `GET /x` calling an operation of its own unless it says otherwise.

    Keys of the consumed operation stand below `consumed`.
    """
    resources, exposed = [], []
    for number, stated in enumerate(operations):
        operation = {"method": "GET", "name": f"op{number}", **stated}
        consumed = operation.pop("consumed", {})
        at = operation.pop("path", path)
        entry = {"name": f"op{number}", "method": operation["method"], **consumed}
        resources.append({"name": f"r{number}", "path": entry.pop("path", "/up"), "operations": [entry]})
        if "call" not in operation:
            operation["call"] = f"up.op{number}"
        exposed.append({"path": at, "operations": [{k: v for k, v in operation.items() if v is not None}]})
    rest = {"type": "rest", "namespace": "web", "port": 8080, "resources": exposed, **server}
    api = {"type": "http", "namespace": "up", "baseUri": base, "resources": resources}
    return {"ikanos": "1.0.0-beta4", "capability": {"consumes": [api], "exposes": [rest]}}


Examine = Callable[..., Examined]
Serve = Callable[..., Served]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a document down."""

    def write(*operations: Any, **more: Any) -> Path:
        file = tmp_path / "written.json"
        file.write_text(json.dumps(written(*operations, **more)), encoding="utf-8")
        return file

    return write


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[..., ServerPlan]:
    """The plan of a REST server, without serving it."""

    def plan_of(*operations: Any, **server: Any) -> ServerPlan:
        file = tmp_path / "planned.json"
        file.write_text(json.dumps(written(*operations, **server)), encoding="utf-8")
        compiled = examine(file).compiled
        assert compiled is not None
        return compiled.plan.servers[0]

    return plan_of


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., list[tuple[str, str]]]:
    """Code and message of what a document is told, but for what is inferred."""

    def told(*operations: Any, **server: Any) -> list[tuple[str, str]]:
        file = tmp_path / "told.json"
        file.write_text(json.dumps(written(*operations, **server)), encoding="utf-8")
        return [(d.code, d.message) for d in examine(file).diagnostics if d.code not in {"INP001", "SEC002"}]

    return told


@contextmanager
def _serving(file: Path, settings: Settings, context: ssl.SSLContext | None) -> Iterator[Served]:
    started, ended = threading.Event(), asyncio.Event()
    found: list[Listener] = []
    loops: list[asyncio.AbstractEventLoop] = []
    failures: list[BaseException] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        async with running(await open_documents([file], settings), settings) as listeners:
            found.extend(listeners)
            started.set()
            await ended.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(main())
        except BaseException as problem:  # noqa: BLE001 -- told by the test's thread
            failures.append(problem)
        finally:
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(20)
        if failures:
            raise failures[0]
        yield Served(found[0], context)
    finally:
        for loop in loops:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)
        thread.join()


@pytest.fixture
def serve(tmp_path: Path, shared_upstream: "Upstream") -> Iterator[Serve]:
    """Serves operations in front of the upstream; keywords are keys of the server."""
    with ExitStack() as stack:

        def serve(
            *operations: Any, settings: Settings | None = None, context: ssl.SSLContext | None = None, **server: Any
        ) -> Served:
            document = written(*operations, base=f"http://{shared_upstream.address}", **server)
            file = tmp_path / "served.json"
            file.write_text(json.dumps(document), encoding="utf-8")
            return stack.enter_context(_serving(file, settings or Settings(ports={"web": 0}), context))

        yield serve
