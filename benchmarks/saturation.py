"""Servers that get all they can do, and more: throughput of workers, and what becomes of ten times too much.

The generator is wrk and the upstream nginx, for both need little of the two cores that are measured.
"""

import statistics
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import documents
import peers
from bench import CAPABLY, Bench
from processes import Server, free_port, running
from table import Line, Row, within

SCRIPT = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", "/threads/thread_" .. number .. "/KIND/run_" .. number)
end
done = function(summary, latency, _requests)
  io.write(string.format("%d %d %d %.1f %.1f\\n", summary.requests, summary.errors.status, summary.duration,
    latency:percentile(50), latency:percentile(99)))
  local broken = summary.errors
  io.write(string.format("%d\\n", broken.connect + broken.read + broken.write + broken.timeout))
end
"""
KINDS = {"runs": "one passed through", "flow": "five-step flow", "listed": "200 objects mapped"}
"""What is asked for, by the word in its path."""
MORE = 1.7
"""Times that two workers do what one does, at least."""
SERVED = 64
"""Connections that keep a server busy, and that it serves without delay."""


@dataclass(frozen=True, slots=True)
class Flood:
    """What wrk saw: answers, also per second, those with 503, milliseconds they took, connections that broke."""

    requests: int
    per_s: float
    refused_per_s: float
    median_ms: float
    p99_ms: float
    broken: int

    @property
    def good_per_s(self) -> float:
        """Requests that were done, per second."""
        return self.per_s - self.refused_per_s


def _flood(bench: Bench, program: str, port: int, connections: int, seconds: float, *, kind: str = "runs") -> Flood:
    script = bench.folder / "vary.lua"
    script.write_text(SCRIPT.replace("KIND", kind), encoding="utf-8")
    command = [program, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "20s", "-s", str(script)]
    told = subprocess.run([*command, f"http://127.0.0.1:{port}"], check=True, capture_output=True, text=True).stdout
    counts, broken = told.splitlines()[-2:]
    requests, refused, micros, median, p99 = (float(word) for word in counts.split())
    took = micros / 1e6
    if refused == requests:
        raise RuntimeError(f"port {port} did nothing of what it was asked for")
    return Flood(int(requests), requests / took, refused / took, median / 1000, p99 / 1000, int(broken))


def _upstream(bench: Bench) -> int | None:
    """The port of an nginx that answers."""
    program = peers.nginx()
    if program is None or peers.wrk() is None:
        return None
    port = free_port()
    bench.run([program, "-c", documents.static(bench.folder, port)], port)
    return port


def _served(bench: Bench, upstream: int, workers: int) -> Iterator[Server]:
    folder = bench.folder / f"workers{workers}"
    folder.mkdir(exist_ok=True)
    port = free_port()
    file = documents.capability(folder, upstream, port, free_port())
    with running([CAPABLY, "serve", file, "--workers", str(workers)], port) as server:
        yield server


def _workers(kind: str, least: float | None) -> Callable[[Bench], Iterator[Row]]:
    def rows(bench: Bench) -> Iterator[Row]:
        upstream, wrk = _upstream(bench), peers.wrk()
        if upstream is not None and wrk is not None:
            yield from _beside_one(bench, wrk, upstream, kind, least)

    return rows


def _beside_one(bench: Bench, wrk: str, upstream: int, kind: str, least: float | None) -> Iterator[Row]:
    """The throughput of two workers and of one, and how much of the two cores they get."""
    seen: dict[int, list[Flood]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(bench.options.rounds):
        for count, floods in seen.items():
            for server in _served(bench, upstream, count):
                _flood(bench, wrk, server.port, SERVED, 1, kind=kind)
                before = server.cpu_s
                flood = _flood(bench, wrk, server.port, SERVED, 3 * bench.options.scale, kind=kind)
                floods.append(flood)
                costs[count].append((server.cpu_s - before) / flood.requests * 1e6)
    one, two = (statistics.median(flood.good_per_s for flood in floods) for floods in seen.values())
    ratio = two / one
    target, is_met = ("", None) if least is None else (f">= {least} x", ratio >= least)
    yield Row(f"two workers: {KINDS[kind]}", f"{two:,.0f}/s", f"one: {one:,.0f}/s", f"{ratio:.3g}", target, is_met)
    alone, beside = (statistics.median(found) for found in costs.values())
    yield Row("  CPU of a request", f"{beside:.0f} µs", f"one: {alone:.0f} µs", f"{beside / alone:.3g}")
    yield Row("  cores in use", f"{two * beside / 1e6:.2f}", f"one: {one * alone / 1e6:.2f}")


def _overload(bench: Bench) -> Iterator[Row]:
    upstream, wrk = _upstream(bench), peers.wrk()
    if upstream is None or wrk is None:
        return
    seconds = 6 * bench.options.scale
    for server in _served(bench, upstream, 1):
        _flood(bench, wrk, server.port, SERVED, 1)
        usual = _flood(bench, wrk, server.port, SERVED, seconds)
        told = f"usually {usual.good_per_s:,.0f}/s, {usual.p99_ms:.3g} ms"
        for connections in FLOODS:
            flood = _flood(bench, wrk, server.port, connections, seconds)
            after = _flood(bench, wrk, server.port, SERVED, 1)
            yield Row(f"{connections:,} busy connections: done", f"{flood.good_per_s:,.0f}/s", told)
            yield Row("  put off with 503", f"{flood.refused_per_s:,.0f}/s", f"{flood.broken} broken off")
            yield within("  all answers, p99", flood.p99_ms, "ms")
            told = ""
            yield within("  p99 in the second after", after.p99_ms, "ms", told=f"{after.good_per_s:,.0f}/s done")


FLOODS = (10 * SERVED, 3000)
"""Ten times as many connections as are served without delay, and three times what a server works on at once."""

LINES = (
    # The generator and the upstream take little of the cores beside the first, and more beside the second.
    Line(f"two workers: {KINDS['listed']}", _workers("listed", MORE)),
    Line(f"two workers: {KINDS['flow']}", _workers("flow", None), is_long=True),
    Line("overload", _overload, is_long=True),
)
