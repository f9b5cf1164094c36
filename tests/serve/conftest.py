"""Capabilities in front of the upstream: served in this process where that is enough, else by `capably` itself."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.asking import Answer, ask
from tests.processes import Capably
from tests.serving import serving

from capably.capabilities import THREADS_RUNS
from capably.plan.variables import Given
from capably.servers.http import Limits
from capably.settings import Settings
from capably.upstream.client import ClientLimits

if TYPE_CHECKING:
    from tests.conftest import Upstream

REST, MCP = "aimlapi-threads-runs-rest", "aimlapi-threads-runs-mcp"
BODY_CAP = 20_000


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
        """One REST call."""
        return ask(f"[{host}]:{self.rest}" if ":" in host else f"{host}:{self.rest}", method, path, body, headers)


Serve = Callable[..., Served]


@contextmanager
def served(document: Path, settings: Settings) -> Iterator[Served]:
    """Serve a document with a REST and an MCP server."""
    with serving(settings, document) as running:
        servers = running.by_kind
        yield Served(servers["rest"].port, servers["mcp"].url, running.stop)


def _settings(upstream: "Upstream", key: str, drain_s: float = 1) -> Settings:
    given = Given({"baseurl": upstream.address}, {"AIMLAPI_API_KEY": key})
    return Settings(given, ports={REST: 0, MCP: 0}, limits=Limits(body_bytes=BODY_CAP), drain_s=drain_s)


@pytest.fixture(scope="session")
def capability(document: Path, shared_upstream: "Upstream", key: str) -> Iterator[Served]:
    """Each document in front of the upstream."""
    with served(document, _settings(shared_upstream, key)) as running:
        yield running


@pytest.fixture(scope="session")
def bundled(shared_upstream: "Upstream", key: str) -> Iterator[Served]:
    """The bundled document in front of the upstream."""
    with served(THREADS_RUNS, _settings(shared_upstream, key)) as running:
        yield running


@pytest.fixture
def serve(shared_upstream: "Upstream", key: str) -> Iterator[Serve]:
    """Serves the bundled document with limits or an upstream of the test's own."""
    with ExitStack() as stack:

        def start(*, baseurl: str | None = None, host: str | None = None, drain_s: float = 1, **limits: Any) -> Served:
            settings = _settings(shared_upstream, key, drain_s)
            sets = {"baseurl": baseurl or shared_upstream.address}
            settings = replace(settings, given=replace(settings.given, sets=sets), client=ClientLimits(**limits))
            return stack.enter_context(served(THREADS_RUNS, replace(settings, host=host)))

        yield start


class Process(Capably):
    """`capably`, serving the bundled document."""

    @property
    def served(self) -> Served:
        return Served(self.port(REST), self.urls[MCP], self.popen.terminate)


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
        process = Process.start(tmp_path, *arguments, env=kept | dict(env or {}))
        processes.append(process)
        if ready:
            process.until("ready")
        return process

    yield start
    for process in processes:
        process.kill()
    assert [process.popen.args for process in processes if key in process.stdout + process.stderr] == []


@pytest.fixture
def given(upstream: "Upstream", key: str) -> dict[str, Any]:
    """What a start needs: the arguments for the bundled document on free ports, and the environment."""
    ports = ["--port", f"{REST}=0", "--port", f"{MCP}=0"]
    return {
        "arguments": [THREADS_RUNS, *ports, "--set", f"baseurl={upstream.address}"],
        "env": {"AIMLAPI_API_KEY": key},
    }
