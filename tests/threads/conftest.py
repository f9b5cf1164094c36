import asyncio
import http.client
import json
import multiprocessing
import os
import runpy
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from openai import OpenAI
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Run
from tests.asking import Answer, ask
from tests.upstreams import Quiet, answering

from capably.threads.database import locate
from capably.threads.keys import create_key
from capably.threads.server import ThreadsServer
from capably.threads.service import create_app
from capably.threads.settings import ModelSettings, ThreadsSettings

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The SDK marks this whole surface deprecated; it is the client we serve.
    messages = ("deprecated$", "The Assistants API is deprecated")
    for item in items:
        if HERE in item.path.parents:
            for message in messages:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{message}:DeprecationWarning"))


@dataclass(frozen=True)
class Service:
    """A running service, its key, and the two ways of talking to it."""

    port: int
    key: str
    data: Path
    client: OpenAI

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} | dict(headers or {})
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return ask(self.port, method, path, data, {name: value for name, value in sent.items() if value})

    def assistant(self, **fields: Any) -> Assistant:
        return self.client.beta.assistants.create(**({"model": "test-model"} | fields))

    def thread(self, *texts: str) -> Thread:
        return self.client.beta.threads.create(messages=[{"role": "user", "content": text} for text in texts])

    def start(self, thread: Thread, assistant: Assistant | None = None, **fields: Any) -> Run:
        chosen = assistant or self.assistant()
        run = self.client.beta.threads.runs.create(thread_id=thread.id, assistant_id=chosen.id, **fields)
        return cast("Run", run)

    def ended(self, run: Run) -> Run:
        """The run once it has reached its end."""
        return self.client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=20)

    def until(self, run: Run, status: str) -> None:
        deadline = time.monotonic() + 10
        path = f"/threads/{run.thread_id}/runs/{run.id}"
        while self.call("GET", path).json["status"] != status:
            assert time.monotonic() < deadline, f"the run is not {status} after 10 seconds"
            time.sleep(0.02)

    def until_said(self, run: Run, event: str = "thread.message.delta") -> None:
        """Until the run's message has text that can be read, or another event has been told."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        path = f"/threads/{run.thread_id}/runs/{run.id}/events"
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
        try:
            assert any(line == f"event: {event}\n".encode() for line in connection.getresponse())
        finally:
            connection.close()

    def log(self, run: Run) -> list[tuple[int, str, Any]]:
        """Number, name and data of every event of a run that has ended or waits."""
        return parsed(self.call("GET", f"/threads/{run.thread_id}/runs/{run.id}/events").body)

    @staticmethod
    def parsed(stream: bytes) -> list[tuple[int, str, Any]]:
        """Number, name and data of every event of a stream; `done` has no number."""
        return parsed(stream)

    def texts(self, thread: Thread | Run) -> list[tuple[str, str]]:
        """Role and text of every message, oldest first."""
        thread_id = thread.thread_id if isinstance(thread, Run) else thread.id
        path = f"/threads/{thread_id}/messages?order=asc&limit=100"
        found = self.call("GET", path).json["data"]
        return [(m["role"], "".join(part["text"]["value"] for part in m["content"])) for m in found]

    def events(self, thread: Thread, assistant: Assistant | None = None) -> list[tuple[str, Any]]:
        """Name and data of every event of a streamed run, read from the bytes."""
        chosen = assistant or self.assistant()
        path = f"/v1/threads/{thread.id}/runs"
        answer = self.call("POST", path, {"assistant_id": chosen.id, "stream": True})
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [(name, data) for _, name, data in parsed(answer.body)]


def parsed(stream: bytes) -> list[tuple[int, str, Any]]:
    """Number, name and data of every event of a stream; `done` has no number."""
    found = []
    for block in stream.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            data = fields["data"]
            found.append((int(fields.get("id", 0)), fields["event"], data if data == "[DONE]" else json.loads(data)))
    return found


Serve = Callable[..., Service]


def settings_of(data: Path, *, model_url: str | None = None, **choices: Any) -> ThreadsSettings:
    """Settings for tests: one endpoint, if there is one, answers whatever model an assistant names."""
    renamed = {"model": "model", "model_key": "key", "model_timeout": "timeout"}
    told = {name: choices.pop(old) for old, name in renamed.items() if old in choices}
    models = () if model_url is None else (ModelSettings("*", model_url, **told),)
    return ThreadsSettings(data=data, **({"models": models} | choices))


FORKS = multiprocessing.get_context("forkserver")
# What is imported once, by the process that the others are forked from.
FORKS.set_forkserver_preload(["capably.threads.server", "uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.on"])


class Forked:
    """A service in a process of its own."""

    def __init__(self, settings: ThreadsSettings) -> None:
        self._pipe, theirs = FORKS.Pipe()
        given = {"settings": settings, "pipe": theirs}
        self._process = FORKS.Process(target=runpy.run_path, args=(str(HERE / "forked_service.py"), given, "forked"))
        self._process.start()
        theirs.close()
        assert self._pipe.poll(30), "the service did not start"
        self.port: int = self._pipe.recv()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()

    def stop(self) -> None:
        """Let it end as a signal would."""
        self._pipe.close()
        self._process.join(20)
        self.kill()


@contextmanager
def running(data: Path, key: str, **choices: Any) -> Iterator[Service]:
    forked = Forked(settings_of(data, **choices))
    try:
        with OpenAI(base_url=f"http://127.0.0.1:{forked.port}/v1", api_key=key, max_retries=0) as client:
            yield Service(forked.port, key, data, client)
    finally:
        forked.stop()


async def _key(data: Path, database: str | None = None, tenant: str = "default") -> str:
    return await create_key(locate(data, database), "tests", tenant)


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A key for the data directory of the test."""
    return asyncio.run(_key(tmp_path / "data"))


@pytest.fixture
def serve(tmp_path: Path, key: str) -> Iterator[Serve]:
    """Starts a service on the data directory of the test."""
    with ExitStack() as stack:

        def start(**choices: Any) -> Service:
            return stack.enter_context(running(tmp_path / "data", key, **choices))

        yield start


class Victim:
    """A service in a process that is killed and started again, each time on another port."""

    def __init__(self, settings: ThreadsSettings, key: str) -> None:
        self._settings = settings
        self._key = key
        self.start()

    def start(self) -> None:
        self._forked = Forked(self._settings)
        client = OpenAI(base_url=f"http://127.0.0.1:{self._forked.port}/v1", api_key=self._key)
        self.service = Service(self._forked.port, self._key, self._settings.data, client)

    def kill(self) -> None:
        self.service.client.close()
        self._forked.kill()


@pytest.fixture
def killed(tmp_path: Path, key: str) -> Iterator[Callable[..., Victim]]:
    """Starts services that can be killed, on the data directory of the test or on a database."""
    with ExitStack() as stack:

        def start(key: str = key, **choices: Any) -> Victim:
            victim = Victim(settings_of(tmp_path / "data", **choices), key)
            stack.callback(victim.kill)
            return victim

        yield start


@pytest.fixture
def here(tmp_path: Path, key: str) -> Iterator[Service]:
    """A service in the process of the test, which can change it."""
    server = ThreadsServer(create_app(ThreadsSettings(data=tmp_path / "data")), port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0) as client:
        yield Service(port, key, tmp_path / "data", client)
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with the offline responder, shared: each test makes its own objects."""
    data = tmp_path_factory.mktemp("threads") / "data"
    with running(data, asyncio.run(_key(data))) as shared:
        yield shared


@pytest.fixture
def make_service() -> type[Service]:
    """For services that run elsewhere, such as in a process."""
    return Service


class Postgres:
    """A private PostgreSQL server on loopback, for the length of a test session."""

    def __init__(self, home: Path, binaries: Path) -> None:
        self._home = home
        self._binaries = binaries
        # The server refuses to run as root.
        self._user: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]

    def start(self) -> None:
        if self._user:
            shutil.chown(self._home, "nobody", "nogroup")
        # No sync: the tests kill our processes, never this one.
        self._run(
            "initdb", "-D", str(self._home / "data"), "-A", "trust", "-U", "capably", "-N", "-E", "UTF8", "--locale=C"
        )
        options = f"-p {self._port} -k {self._home} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=300"
        self._run("pg_ctl", "-D", str(self._home / "data"), "-w", "-l", str(self._home / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._home / "data"), "-m", "immediate", "stop")

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / command, *arguments],
            check=True,
            cwd=self._home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._user,
        )

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{secrets.token_hex(4)}"
        with psycopg.connect(f"{self._url}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{self._url}/{name}"

    @property
    def _url(self) -> str:
        return f"postgresql://capably@127.0.0.1:{self._port}"

    @staticmethod
    def key(url: str, tenant: str = "default") -> str:
        """A key for a database."""
        return asyncio.run(_key(Path(), url, tenant))


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed here: apt-get install postgresql")
    # Not below the folder of pytest, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="capably-postgres-") as home:
        server = Postgres(Path(home), binaries)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@dataclass
class Act:
    """What the scripted endpoint does with one request."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[str, ...] = ("Hello", " there")
    calls: tuple[tuple[str, str, str], ...] = ()  # id, name and arguments of each, sent in two pieces
    after: tuple[str, ...] = ()  # pieces of text behind the calls
    finish: str | None = "stop"
    usage: Mapping[str, int] | None = None
    body: bytes | None = None  # instead of the stream
    pause: float = 0.0  # seconds between two pieces
    hold: bool = False  # wait for `release` before the first piece
    hold_after: bool = False  # wait for `release` after the last piece, before the end


class ScriptedModel(ThreadingHTTPServer):
    """A chat-completions endpoint on loopback that plays a script and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Completions)
        self.requests: list[tuple[Mapping[str, str], Any]] = []
        self.paths: list[str] = []
        self.script: list[Act] = []
        self.decide: Callable[[Any], dict[str, Any]] | None = None  # makes the act of a request without a script
        self.release = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def play(self, **act: Any) -> None:
        """Add an act; when the script is over, requests are answered `Hello there`."""
        self.script.append(Act(**act))


class _Completions(Quiet):
    @property
    def model(self) -> ScriptedModel:
        return cast("ScriptedModel", self.server)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.model.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.model.paths.append(self.path)
        decide = self.model.decide
        act = self.model.script.pop(0) if self.model.script else Act(**decide(body)) if decide else Act()
        try:
            self._perform(act, self.model.release)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _perform(self, act: Act, release: threading.Event) -> None:
        if act.hold:
            release.wait(20)
        self.send_response(act.status)
        kind = "text/event-stream" if act.body is None else "application/json"
        for name, value in ({"content-type": kind} | dict(act.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        if act.body is not None:
            self.wfile.write(act.body)
            return
        for piece in act.pieces:
            time.sleep(act.pause)
            self._chunk({"choices": [{"index": 0, "delta": {"content": piece}}]})
        for index, (identity, name, arguments) in enumerate(act.calls):
            half = len(arguments) // 2
            first = {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments[:half]}}
            self._chunk({"choices": [{"delta": {"tool_calls": [{"index": index, **first}]}}]})
            rest = {"index": index, "function": {"arguments": arguments[half:]}}
            self._chunk({"choices": [{"delta": {"tool_calls": [rest]}}]})
        for piece in act.after:
            self._chunk({"choices": [{"index": 0, "delta": {"content": piece}}]})
        if act.hold_after:
            release.wait(20)
        if act.finish:
            self._chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": act.finish}]})
            self._chunk({"choices": [], "usage": act.usage})
            self.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, chunk: Any) -> None:
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()


@pytest.fixture(scope="session")
def scripted() -> Iterator[ScriptedModel]:
    with answering(ScriptedModel()) as endpoint:
        yield endpoint
        endpoint.release.set()


@pytest.fixture
def model(scripted: ScriptedModel) -> Iterator[ScriptedModel]:
    """The scripted endpoint with an empty script; what it holds is released when the test ends."""
    scripted.requests, scripted.paths, scripted.script, scripted.decide = [], [], [], None
    scripted.release = threading.Event()
    yield scripted
    scripted.release.set()


@pytest.fixture(scope="session")
def asking(scripted: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service that asks the scripted endpoint, with a key; shared: each test makes its own objects."""
    data = tmp_path_factory.mktemp("asking") / "data"
    key = asyncio.run(_key(data))
    with running(data, key, model_url=scripted.url + "/", model_key="sk-secret-of-the-endpoint") as shared:
        yield shared
