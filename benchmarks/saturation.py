"""Servers that get all they can do, and more: throughput of workers, and what becomes of ten times too much.

The generator is wrk and the upstream nginx, for both need little of the two cores that are measured.
"""

import statistics
import subprocess
from collections.abc import Iterator
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


def _workers(bench: Bench) -> Iterator[Row]:
    """The work is the five-step flow, beside which the generator and the upstream take least of the cores."""
    upstream, wrk = _upstream(bench), peers.wrk()
    if upstream is None or wrk is None:
        return
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(bench.options.rounds):
        for count, found in rates.items():
            for server in _served(bench, upstream, count):
                _flood(bench, wrk, server.port, SERVED, 1, kind="flow")
                before = server.cpu_s
                seen = _flood(bench, wrk, server.port, SERVED, 4 * bench.options.scale, kind="flow")
                found.append(seen.good_per_s)
                costs[count].append((server.cpu_s - before) / seen.requests * 1e6)
    one, two = (statistics.median(found) for found in rates.values())
    ratio = two / one
    yield Row("two workers", f"{two:,.0f}/s", f"one: {one:,.0f}/s", f"{ratio:.3g}", ">= 1.7 x", ratio >= 1.7)
    alone, beside = (statistics.median(found) for found in costs.values())
    yield Row("  CPU of a request", f"{beside:.0f} µs", f"one: {alone:.0f} µs", f"{beside / alone:.3g}")


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
    Line("two workers", _workers),
    Line("overload", _overload, is_long=True),
)
