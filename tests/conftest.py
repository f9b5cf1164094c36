"""An upstream on loopback that keeps every byte it was sent, and the documents that stand in front of it."""

import contextlib
import http.client
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from capably.capabilities import THREADS_RUNS

KEY = "sk-made-up-0123456789"
SHARED = Path("..", "shared", "capabilities", "aimlapi-threads-runs.yaml")


def _documents() -> dict[str, Path]:
    """The bundled document, and the one it was written after where somebody has it."""
    there = os.environ.get("CAPABLY_SHARED_CAPABILITY")
    shared = Path(there) if there else Path(__file__).parent.parent / SHARED
    return {"bundled": THREADS_RUNS} | ({"shared": shared.resolve()} if there or shared.is_file() else {})


DOCUMENTS = _documents()


@pytest.fixture(autouse=True)
def _log_of_one_test() -> Iterator[None]:
    """Where a command has its process log to does not outlive the test that ran it."""
    root = logging.getLogger()
    handlers, level = tuple(root.handlers), root.level
    yield
    for handler in tuple(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)
    root.setLevel(level)


@dataclass(frozen=True)
class Seen:
    """A request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Act:
    """What the upstream does with one request: sends bytes; ``hold`` keeps the connection until a test lets go."""

    data: bytes
    hold: bool = False
    close: bool = False
    connection: socket.socket | None = None
    asked: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def send(self, data: bytes) -> None:
        assert self.asked.wait(10), "nobody asked"
        assert self.connection is not None
        self.connection.sendall(data)

    def send_event(self, text: str) -> None:
        event = f"data: {text}\n\n".encode()
        self.send(b"%x\r\n%b\r\n" % (len(event), event))

    def end(self) -> None:
        """End a chunked answer."""
        self.send(b"0\r\n\r\n")
        self.over.set()

    def perform(self, connection: socket.socket) -> bool:
        """Play on a connection; whether it can be used again."""
        self.connection = connection
        with contextlib.suppress(OSError):
            connection.sendall(self.data)
        self.asked.set()
        while self.hold and not self.over.is_set() and not self.gone.is_set():
            _look_whether_gone(connection, self.gone)
        return not self.close and not self.gone.is_set()


def _look_whether_gone(connection: socket.socket, gone: threading.Event) -> None:
    connection.settimeout(0.01)
    try:
        if connection.recv(1) == b"":
            gone.set()
    except TimeoutError:
        pass
    except OSError:
        gone.set()
    finally:
        connection.settimeout(None)


def raw_answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    reason = http.client.responses.get(status, "Unknown")
    fields = {"Content-Type": "application/json"} if body else {}
    fields |= {} if status == 204 else {"Content-Length": str(len(body))}
    fields |= dict(headers or {})
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


class Upstream:
    """Answers `{"ok": true}` unless told otherwise, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self._acts: list[Act] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    @property
    def only(self) -> Seen:
        (seen,) = self.requests
        return seen

    def answer(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Act:
        """Answer the next request so; text is sent as it is, anything else as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.play(raw_answer(status, data, headers))

    def play(self, data: bytes, *, hold: bool = False, close: bool = False) -> Act:
        """Send these bytes to the next request."""
        act = Act(data, hold=hold, close=close)
        self._acts.append(act)
        return act

    def stream(self, first: str) -> Act:
        """Begin an event stream at the next request; the test sends what follows."""
        event = f"data: {first}\n\n".encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        return self.play(head + b"%x\r\n%b\r\n" % (len(event), event), hold=True)

    def reset(self) -> None:
        """Forget, and let go of whoever is waiting."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()
        self._acts.clear()
        self.requests.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.reset()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            going_on = True
            while going_on:
                try:
                    seen = _read_request(stream)
                except (OSError, ValueError):
                    return
                self.requests.append(seen)
                act = self._acts.pop(0) if self._acts else Act(raw_answer(200, b'{"ok": true}'))
                going_on = act.perform(connection)


def _read_request(stream: Any) -> Seen:
    method, target, _version = stream.readline().decode("latin-1").split()
    headers = []
    while line := stream.readline().decode("latin-1").strip():
        name, _colon, value = line.partition(":")
        headers.append((name.lower(), value.strip()))
    length = dict(headers).get("content-length", "0")
    assert "transfer-encoding" not in dict(headers), "bodies are whole when they are sent, so their length is known"
    return Seen(method, target, tuple(headers), stream.read(int(length)))


@pytest.fixture(scope="session")
def key() -> str:
    """The upstream's bearer key, which no output may ever show."""
    return KEY


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Iterator[Upstream]:
    """The upstream, with nothing asked yet."""
    shared_upstream.reset()
    yield shared_upstream
    shared_upstream.reset()


@pytest.fixture(scope="session", params=list(DOCUMENTS.values()), ids=list(DOCUMENTS))
def document(request: pytest.FixtureRequest) -> Path:
    """Each capability document with the four operations."""
    path: Path = request.param
    return path


@pytest.fixture
def free_port() -> Callable[[], int]:
    def free_port() -> int:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        return port

    return free_port
