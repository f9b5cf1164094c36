"""What passing large bodies on costs, beside nginx, and how much memory it takes."""

import socket
import statistics
from collections.abc import Callable, Iterator

from bench import Bench
from processes import Server
from table import Line, Row, beside, within
from upstream import CHUNK, LARGE

MOST = 3.0
MOST_GROWTH_MIB = 20.0


def _up(server: Server) -> None:
    """Send 100 MB."""
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        head = f"PUT /files/threads/large HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {LARGE}\r\n\r\n"
        sock.sendall(head.encode())
        for _ in range(LARGE // len(CHUNK)):
            sock.sendall(CHUNK)
        _check(sock.recv(65536))


def _down(server: Server) -> None:
    """Receive 100 MB."""
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"GET /files/threads/large HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        start = sock.recv(65536)
        _check(start)
        received, buffer = len(start), bytearray(1 << 20)
        while size := sock.recv_into(buffer):
            received += size
        if received < LARGE:
            raise RuntimeError(f"{received} bytes came, not {LARGE}")


def _check(answer: bytes) -> None:
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer[:200].decode("latin-1"))


def _cost(server: Server, passing: Callable[[Server], None], rounds: int) -> float:
    """Microseconds of CPU time per body; the first is to warm up."""
    passing(server)
    costs = []
    for _ in range(rounds):
        before = server.cpu_s
        passing(server)
        costs.append((server.cpu_s - before) * 1e6)
    return statistics.median(costs)


def _forward(bench: Bench) -> Iterator[Row]:
    own, _mcp = bench.capably(4, "--timeout", "61")  # a process of its own, for its memory is looked at
    peer = bench.server("nginx")
    before = own.memory_mib()
    for what, passing in (("forward 100 MB to the upstream", _up), ("forward 100 MB from the upstream", _down)):
        cost = _cost(own, passing, bench.options.rounds)
        yield beside(what, cost, "nginx", _cost(peer, passing, bench.options.rounds) if peer else None, MOST)
    yield within("memory grown by forwards of 100 MB", own.memory_mib("VmHWM") - before, "MiB", MOST_GROWTH_MIB)


LINES = (Line("forward 100 MB", _forward),)
