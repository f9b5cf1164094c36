"""Capabilities in front of the upstream: served in this process where that is enough, else by `capably` itself."""

import asyncio
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from capably.app import Listener, open_documents, running
from capably.capabilities import THREADS_RUNS
from capably.loop import _loop_factory
from capably.plan.variables import Given
from capably.servers.http import Limits
from capably.settings import Settings
from capably.upstream.client import ClientLimits

if TYPE_CHECKING:
    from tests.conftest import Upstream

REST, MCP = "aimlapi-threads-runs-rest", "aimlapi-threads-runs-mcp"
BODY_CAP = 20_000
CAPABLY = Path(sys.executable).with_name("capably")


@dataclass(frozen=True)
class Answer:
    """What a REST caller got; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A capability that runs: its REST port, the URL of its MCP server, and how to end it."""

    rest: int
    mcp: str
    stop: Callable[[], None]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        host: str = "127.0.0.1",
    ) -> Answer:
        """One REST call; bytes are sent as they are, an iterator in chunks, anything else as JSON."""
        data = body if body is None or isinstance(body, (bytes, Iterator)) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if isinstance(body, (dict, list)) else {}
        connection = http.client.HTTPConnection(host, self.rest, timeout=20)
        try:
            connection.request(method, path, data, sent | dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


Serve = Callable[..., Served]


@contextmanager
def serving(document: Path, settings: Settings) -> Iterator[Served]:
    """Serve a document in a thread, on free ports."""
    started, ended = threading.Event(), asyncio.Event()
    found: list[Listener] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        async with running(await open_documents([document], settings), settings) as listeners:
            found.extend(listeners)
            started.set()
            await ended.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(main())
        finally:
            started.set()

    def stop() -> None:
        for loop in loops:
            with suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(ended.set)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(10)
        assert found, "the servers did not start"
        by_kind = {item.plan.kind.value: item for item in found}
        yield Served(by_kind["rest"].port, by_kind["mcp"].url, stop)
    finally:
        stop()
        thread.join()


def _settings(upstream: "Upstream", key: str, drain_s: float = 1) -> Settings:
    given = Given({"baseurl": upstream.address}, {"AIMLAPI_API_KEY": key})
    return Settings(given, ports={REST: 0, MCP: 0}, limits=Limits(body_bytes=BODY_CAP), drain_s=drain_s)


@pytest.fixture(scope="session")
def capability(document: Path, shared_upstream: "Upstream", key: str) -> Iterator[Served]:
    """Each document in front of the upstream."""
    with serving(document, _settings(shared_upstream, key)) as running:
        yield running


@pytest.fixture(scope="session")
def bundled(shared_upstream: "Upstream", key: str) -> Iterator[Served]:
    """The bundled document in front of the upstream."""
    with serving(THREADS_RUNS, _settings(shared_upstream, key)) as running:
        yield running


@pytest.fixture
def serve(shared_upstream: "Upstream", key: str) -> Iterator[Serve]:
    """Serves the bundled document with limits or an upstream of the test's own."""
    with ExitStack() as stack:

        def start(*, baseurl: str | None = None, host: str | None = None, drain_s: float = 1, **limits: Any) -> Served:
            settings = _settings(shared_upstream, key, drain_s)
            sets = {"baseurl": baseurl or shared_upstream.address}
            settings = replace(settings, given=replace(settings.given, sets=sets), client=ClientLimits(**limits))
            return stack.enter_context(serving(THREADS_RUNS, replace(settings, host=host)))

        yield start


@dataclass
class Process:
    """`capably` as its own process, with what it has written so far."""

    popen: "subprocess.Popen[bytes]"
    files: tuple[Path, Path]

    @property
    def stdout(self) -> str:
        return self.files[0].read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return self.files[1].read_text(encoding="utf-8")

    def until(self, words: str) -> None:
        """Wait until it has written these words to stderr."""
        deadline = time.monotonic() + 20
        while words not in self.stderr:
            assert self.popen.poll() is None, self.stderr
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.01)

    def end(self) -> int:
        """Wait for its end and give its exit code."""
        return self.popen.wait(20)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.popen.send_signal(number)
        return self.end()

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each server in the table, by its namespace."""
        return dict(re.findall(r"^(?:rest|mcp) +(\S+) +(http://\S+)", self.stderr, re.MULTILINE))

    @property
    def served(self) -> Served:
        rest = self.urls[REST].rpartition(":")[2]
        return Served(int(rest), self.urls[MCP], self.popen.terminate)


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path, key: str) -> Iterator[Start]:
    """Starts `capably` with no environment but the given; whatever it writes, the key is not in it."""
    processes: list[Process] = []

    def start(*arguments: str | Path, env: Mapping[str, str] | None = None, ready: bool = False) -> Process:
        kept = {
            name: os.environ[name]
            for name in ("PATH", "PYTHONPATH", "SYSTEMROOT", "COVERAGE_PROCESS_START")
            if name in os.environ
        }
        number = len(processes)
        files = (tmp_path / f"stdout-{number}", tmp_path / f"stderr-{number}")
        with files[0].open("wb") as out, files[1].open("wb") as err:
            command = [str(CAPABLY), *map(str, arguments)]
            popen = subprocess.Popen(command, stdout=out, stderr=err, env=kept | dict(env or {}), cwd=tmp_path)
        process = Process(popen, files)
        processes.append(process)
        if ready:
            process.until("ready")
        return process

    yield start
    for process in processes:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.wait()
    assert [process.popen.args for process in processes if key in process.stdout + process.stderr] == []


@pytest.fixture
def given(upstream: "Upstream", key: str) -> dict[str, Any]:
    """What a start needs: the arguments for the bundled document on free ports, and the environment."""
    ports = ["--port", f"{REST}=0", "--port", f"{MCP}=0"]
    return {
        "arguments": [THREADS_RUNS, *ports, "--set", f"baseurl={upstream.address}"],
        "env": {"AIMLAPI_API_KEY": key},
    }
