"""How long it takes until a document is served, and until many are checked."""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import capably
from bench import CAPABLY, HERE, Bench
from capably.examine import examine
from capably.plan.variables import Variable, VariableKind
from processes import free_port, running
from table import Line, Row, within

BUNDLED = Path(capably.__file__).parent / "capabilities" / "threads-runs.yaml"
CORPUS = HERE.parents[1] / "shared" / "corpus"
"""Real documents, one folder per repository; lines that need them are left out where there are none."""


def _ready(file: Path, rounds: int) -> tuple[float, float]:
    """Seconds until a document's servers listen, the median, and the memory they take then."""
    compiled = examine(file).compiled
    if compiled is None:
        raise ValueError(f"{file} holds no servers")
    given = [word for item in compiled.variables for word in _given(item)]
    times, memory = [], 0.0
    for _ in range(rounds):
        ports = {server.namespace: free_port() for server in compiled.plan.servers}
        moved = [word for name, port in ports.items() for word in ("--port", f"{name}={port}")]
        with running([CAPABLY, "serve", file, *given, *moved], list(ports.values())[-1]) as server:
            times.append(server.ready_s)
            time.sleep(0.5)
            memory = server.memory_mib()
    return statistics.median(times), memory


def _given(variable: Variable) -> tuple[str, str]:
    if variable.kind is VariableKind.BASE_URI:
        return "--upstream", f"{variable.name}=http://127.0.0.1:1"
    return "--set", f"{variable.name}=localhost"


def _bundled(bench: Bench) -> Iterator[Row]:
    ready_s, memory = _ready(BUNDLED, bench.options.rounds)
    yield within("ready, the bundled document", ready_s, "s", 0.4)
    yield within("memory, the bundled document", memory, "MiB")


def _largest(bench: Bench) -> Iterator[Row]:
    file = max(CORPUS.rglob("*.yaml"), key=lambda path: path.stat().st_size, default=None)
    if file is None:
        return
    size = file.stat().st_size / 1e6
    ready_s, memory = _ready(file, bench.options.rounds)
    yield within(f"ready, a document of {size:.1f} MB", ready_s, "s", 2.5)
    yield within(f"memory, a document of {size:.1f} MB", memory, "MiB")


def _check(_bench: Bench) -> Iterator[Row]:
    files = sum(1 for _ in CORPUS.rglob("*.y*ml"))
    if not files:
        return
    before, start = os.times(), time.perf_counter()
    subprocess.run([CAPABLY, "check", CORPUS], check=False, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - start, os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    yield within(f"check of {files:,} documents", took, "s", 60.0, f"{cpu_s:.3g} s of CPU time")


LINES = (
    Line("ready, the bundled document", _bundled),
    Line("ready, the largest document", _largest, is_long=True),
    Line("check of many documents", _check, is_long=True),
)
