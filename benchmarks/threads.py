"""Measures the threads service: many runs at once, each created with its thread and streamed to its end over HTTP.

A scripted model answers at once with 30 pieces of text, so what is measured is the service: the CPU time of its
processes for a run, in the kernel and outside of it, which on a shared machine is the figure to trust; how long runs
took, from the request to `[DONE]`; how many ended in a second; the most memory. Every run is checked: all of its
events, once and in their order, and all of its text. One that is lost or wrong makes the exit code 1.

SQLite syncs as it always does; PostgreSQL is Debian's, started here, without fsync.
"""

import argparse
import asyncio
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from postgres import running_postgres
from processes import Server, free_port, running

HERE = Path(__file__).parent
CAPABLY = Path(sys.executable).with_name("capably")
PIECES = [f"word{number} " for number in range(30)]


@dataclass(frozen=True, slots=True)
class Services:
    """Processes that share one database, and a key to them."""

    servers: list[Server]
    key: str
    database: Server | None  # PostgreSQL

    @property
    def cpu_s(self) -> float:
        return sum(server.cpu_s for server in self.servers)


@dataclass(frozen=True, slots=True)
class Told:
    """A run as its stream told it."""

    seconds: float
    fault: str | None


@contextmanager
def serving(kind: str, processes: int, model: int, options: list[str]) -> Iterator[Services]:
    """Services on a new database."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        where, database = ["--data", folder], None
        if kind == "postgresql":
            postgres = stack.enter_context(running_postgres())
            where, database = ["--database", postgres.database()], postgres.server
        made = subprocess.run([CAPABLY, "threads", "key", "create", *where], check=True, capture_output=True, text=True)
        servers = []
        for _ in range(processes):
            port = free_port()
            command = [CAPABLY, "threads", "serve", *where, "--port", str(port), *options]
            command += ["--model-url", f"http://127.0.0.1:{model}/v1"]
            servers.append(stack.enter_context(running(command, port)))
        yield Services(servers, made.stdout.strip(), database)


async def ask(port: int, key: str, path: str, body: object) -> bytes:
    """The body of the answer to a POST."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode() + data)
        return await reader.read(-1)
    finally:
        writer.close()


def fault_of(answer: bytes, text: str) -> str | None:
    """What is wrong with the stream of a run, if anything."""
    blocks = [dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line) for block in _blocks(answer)]
    names = [block[b"event"].decode() for block in blocks if b"event" in block]
    numbers = [int(block[b"id"]) for block in blocks if b"id" in block]
    deltas = [json.loads(block[b"data"]) for block in blocks if block.get(b"event") == b"thread.message.delta"]
    if names[-2:] != ["thread.run.completed", "done"]:
        return f"it ends with {names[-2:]}: {answer[-300:]!r}"
    if numbers != list(range(1, len(numbers) + 1)):
        return f"its events are numbered {numbers}"
    said = "".join(delta["delta"]["content"][0]["text"]["value"] for delta in deltas)
    return None if said == text else f"it says {said!r}"


def _blocks(answer: bytes) -> list[bytes]:
    """The events in an answer with chunks of its own, whose sizes stand on lines of hexadecimal digits."""
    _head, _, rest = answer.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body.split(b"\n\n")


async def one_run(port: int, key: str, assistant: str, pause: float) -> Told:
    story = json.dumps([{"say": PIECES, "pause": pause}])
    thread = {"messages": [{"role": "user", "content": story}]}
    start = time.perf_counter()
    answer = await ask(port, key, "/threads/runs", {"assistant_id": assistant, "thread": thread, "stream": True})
    seconds = time.perf_counter() - start
    return Told(seconds, fault_of(answer, "".join(PIECES)))


async def many_runs(services: Services, count: int, at_once: int, pause: float) -> list[Told]:
    """So many runs, spread over the services."""
    ports = [server.port for server in services.servers]
    made = await ask(ports[0], services.key, "/assistants", {"model": "any"})
    assistant = json.loads(made.partition(b"\r\n\r\n")[2])["id"]
    slots = asyncio.Semaphore(at_once)

    async def run(number: int) -> Told:
        async with slots:
            return await one_run(ports[number % len(ports)], services.key, assistant, pause)

    return await asyncio.gather(*(run(number) for number in range(count)))


def measure(kind: str, choices: argparse.Namespace, model: int) -> bool:
    """Print a line of the table; whether all runs were as they should be."""
    options = [] if choices.runs_at_once is None else ["--runs-at-once", str(choices.runs_at_once)]
    with serving(kind, choices.processes, model, options) as services:
        asyncio.run(many_runs(services, 20, 10, choices.pause))  # to warm up
        cpu, start = services.cpu_s, time.perf_counter()
        other = services.database.cpu_s if services.database else 0.0
        told = asyncio.run(many_runs(services, choices.runs, choices.at_once, choices.pause))
        took, cpu = time.perf_counter() - start, services.cpu_s - cpu
        other = services.database.cpu_s - other if services.database else 0.0
        memory = max(server.memory_mib("VmHWM") for server in services.servers)
    times = sorted(run.seconds for run in told)
    faults = [run.fault for run in told if run.fault]
    cells = [f"{kind}, {choices.processes}", f"{cpu / choices.runs * 1000:.1f}", f"{other / choices.runs * 1000:.1f}"]
    cells += [f"{choices.runs / took:.0f}", f"{statistics.median(times):.2f}", f"{times[int(len(times) * 0.99)]:.2f}"]
    cells += [f"{memory:.0f}", str(len(faults))]
    print(LINE.format(*cells), flush=True)
    for fault in faults[:3]:
        print(f"    {fault}", file=sys.stderr)
    return not faults


LINE = "{:16} {:>10} {:>13} {:>7} {:>7} {:>7} {:>11} {:>6}"
HEADER = ("database, procs", "CPU ms/run", "PostgreSQL ms", "runs/s", "p50 s", "p99 s", "memory MiB", "wrong")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="one of them instead of both")
    parser.add_argument("--runs", type=int, default=600, help="runs that are measured (600)")
    parser.add_argument("--at-once", type=int, default=200, help="runs that are open at the same time (200)")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two pieces of the model's text (0)")
    parser.add_argument("--processes", type=int, default=1, help="services that share a PostgreSQL database (1)")
    parser.add_argument("--runs-at-once", type=int, help="the option of the service")
    choices = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    kinds = [choices.database] if choices.database else ["sqlite", "postgresql"]
    if choices.processes > 1:
        kinds = ["postgresql"]
    print(LINE.format(*HEADER))
    with ExitStack() as stack:
        model = free_port()
        stack.enter_context(running([sys.executable, HERE / "threads_world.py", str(model)], model))
        good = [measure(kind, choices, model) for kind in kinds]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
