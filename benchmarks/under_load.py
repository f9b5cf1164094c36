"""How servers behave when much is asked of them, and for long."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import load
import messages
from bench import Bench, measured
from processes import Server
from table import Line, Row, within

OPEN = 1000
MILLION = 1_000_000


def _memory(bench: Bench) -> Iterator[Row]:
    server, _mcp = bench.capably(4, "--timeout", "62")  # a process of its own
    measured(server, messages.rest, 2000, bench.options.connections)
    idle = server.memory_mib()
    yield within("memory after 2,000 requests", idle, "MiB")
    with ExitStack() as stack:
        for number in range(OPEN):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            sock.sendall(messages.rest(number))
            if not sock.recv(65536).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("a connection was refused")
        yield within(f"and with {OPEN:,} open connections", server.memory_mib(), "MiB")


def _throughput(server: Server, message: load.Message, seconds: float, connections: int) -> float:
    """Requests per second, as fast as they are answered."""
    answers = asyncio.run(load.run_for(server.port, message, seconds, connections))
    return len(answers.times) / seconds


def _latency(bench: Bench) -> Iterator[Row]:
    """What capably adds to the upstream's own time while it does half of what it can, beside what nginx adds."""
    server, _mcp = bench.capably(4, "--timeout", "63")
    ports = {"capably": server.port, "upstream": bench.upstream}
    if (proxy := bench.server("nginx")) is not None:
        ports["nginx"] = proxy.port
    seconds = 5.0 * bench.options.scale
    rate = _throughput(server, messages.rest, 2.0, 64) / 2
    seen = {name: load.run_at(port, messages.rest, rate, seconds, 64) for name, port in ports.items()}
    for share in (0.5, 0.99):
        added = {name: (each.slowest(share) - seen["upstream"].slowest(share)) * 1000 for name, each in seen.items()}
        told = f"nginx {added['nginx']:.2f} ms" if proxy is not None else "nginx: not here"
        yield Row(f"added at {rate:,.0f} requests/s, p{share * 100:.0f}", f"{added['capably']:.2f} ms", told)


def _long(bench: Bench) -> Iterator[Row]:
    """Whether memory grows with uptime."""
    server, _mcp = bench.capably(4, "--timeout", "64")
    measured(server, messages.rest, MILLION // 10, 64)
    before = server.memory_mib()
    start = time.perf_counter()
    measured(server, messages.rest, MILLION, 64)
    told = f"{MILLION / (time.perf_counter() - start):,.0f} requests/s"
    yield within("memory grown by a million requests", server.memory_mib() - before, "MiB", 2.0, told)


LINES = (
    Line("memory with open connections", _memory),
    Line("added latency at half load", _latency),
    Line("memory over a million requests", _long, is_long=True),
)
