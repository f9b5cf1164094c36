"""Measures what capably costs beside its peers, and prints one table: what, capably, peer, ratio, target, met or not.

The figure is the CPU time of the whole server process per request, in the kernel and outside of it: on a shared
machine it is the one to trust. Servers take turns, round by round; each figure is the median of the rounds. The
upstream answers with 700 bytes of JSON, as cheaply as Python can, and is not counted.

The short form takes about a minute, `--full` several; `--only WORD` measures the lines that hold the word.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import documents
import load
import messages
import peers
from processes import Server, free_port, running

HERE = Path(__file__).parent
CAPABLY = Path(sys.executable).with_name("capably")
MANY = 1000


@dataclass(frozen=True, slots=True)
class Work:
    """A line of the table: requests, the servers that answer them, and the most that capably may cost beside a peer."""

    title: str
    message: load.Message
    capably: str
    targets: dict[str, float]
    requests: int = 3000


WORK = (
    Work("REST GET, passed through", messages.rest, "rest", {"nginx": 5.0}),
    Work("REST GET, 10 mapped fields", messages.mapped, "rest", {"nginx": 7.0}),
    Work("MCP tools/call, 2025-11-25", messages.call_legacy, "mcp", {"FastMCP": 1 / 15, "Toolbox": 0.8}),
    Work("MCP tools/call, 2026-07-28", messages.call_modern, "mcp", {"FastMCP": 1 / 15, "Toolbox": 0.8}),
    Work("MCP tools/list, 4 tools", messages.list_legacy, "mcp", {"FastMCP": 1.0, "Toolbox": 1.0}),
    Work(
        "MCP tools/list, 1,000 tools", messages.list_legacy, "mcp many", {"FastMCP many": 1.0, "Toolbox many": 1.0}, 60
    ),
)
DEAR = {"FastMCP": 0.1, "FastMCP many": 0.3, "nginx": 4.0}
"""Servers that get more or fewer requests than the others, so that a round takes about as long."""


@dataclass(slots=True)
class Bench:
    """Servers that run, each started when a line first needs it."""

    folder: Path
    stack: ExitStack
    upstream: int = 0
    servers: dict[str, Server | None] = field(default_factory=dict)

    def server(self, name: str) -> Server | None:
        """A server; ``None`` when its program is not to be had here."""
        if name not in self.servers:
            start = _STARTS[name.removesuffix(" many")]
            print(f"starting {name}", file=sys.stderr)
            self.servers[name] = start(self, MANY if name.endswith(" many") else 4)
        return self.servers[name]

    def run(self, command: list[str | Path], port: int) -> Server:
        return self.stack.enter_context(running(command, port))


def _capably(bench: Bench, kind: str, tools: int) -> Server:
    ports = {"rest": free_port(), "mcp": free_port()}
    file = documents.capability(bench.folder, bench.upstream, ports["rest"], ports["mcp"], tools)
    server = bench.run([CAPABLY, "serve", file], ports[kind])
    other = "mcp" if kind == "rest" else "rest"
    name = other if tools != MANY else f"{other} many"
    bench.servers[name] = Server(server.pid, ports[other], server.ready_s)
    return server


def _nginx(bench: Bench, _tools: int) -> Server | None:
    program, port = peers.nginx(), free_port()
    if program is None:
        return None
    return bench.run([program, "-c", documents.nginx(bench.folder, bench.upstream, port)], port)


def _fastmcp(bench: Bench, tools: int) -> Server | None:
    python, port = peers.fastmcp(), free_port()
    if python is None:
        return None
    upstream = f"http://127.0.0.1:{bench.upstream}"
    file = documents.openapi(bench.folder, tools)
    return bench.run([python, HERE / "peer_fastmcp.py", file, upstream, str(port)], port)


def _toolbox(bench: Bench, tools: int) -> Server | None:
    program, port = peers.toolbox(), free_port()
    if program is None:
        return None
    options = ["--port", str(port), "--log-level", "ERROR", "--disable-reload", "--disable-version-check"]
    return bench.run([program, "--config", documents.toolbox(bench.folder, bench.upstream, tools), *options], port)


_STARTS: dict[str, Callable[[Bench, int], Server | None]] = {
    "rest": lambda bench, tools: _capably(bench, "rest", tools),
    "mcp": lambda bench, tools: _capably(bench, "mcp", tools),
    "nginx": _nginx,
    "FastMCP": _fastmcp,
    "Toolbox": _toolbox,
}


def measured(server: Server, work: Work, requests: int, connections: int) -> float:
    """Microseconds of CPU time per request, in one round."""
    before = server.cpu_s
    asyncio.run(load.run(server.port, work.message, requests, connections))
    return (server.cpu_s - before) / requests * 1e6


def figures(bench: Bench, work: Work, options: argparse.Namespace) -> dict[str, float]:
    """The median of each server, which take turns."""
    names = [work.capably, *work.targets]
    servers = {name: server for name in names if (server := bench.server(name)) is not None}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for round_ in range(options.rounds + 1):
        for name, server in servers.items():
            share = DEAR.get(name, 1.0) * options.scale * (0.2 if round_ == 0 else 1.0)
            cost = measured(server, work, max(int(work.requests * share), 16), options.connections)
            if round_ > 0:  # the first is to warm up
                costs[name].append(cost)
    return {name: statistics.median(each) for name, each in costs.items()}


def lines(work: Work, costs: dict[str, float]) -> Iterator[tuple[str, ...]]:
    """The table's cells for each peer."""
    own = costs[work.capably]
    for peer, most in work.targets.items():
        target = f"<= {most:.3g}" if most != 1.0 else "< 1"
        name = peer.removesuffix(" many")
        if peer not in costs:
            yield work.title, f"{own:.0f}", f"{name}: not here", "", target, ""
            continue
        ratio = own / costs[peer]
        met = "met" if ratio <= most else "not met"
        yield work.title, f"{own:.0f}", f"{name} {costs[peer]:.0f}", f"{ratio:.3g}", target, met


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="more rounds and more requests")
    parser.add_argument("--only", default="", metavar="WORD", help="the lines whose title holds this word")
    parser.add_argument("--connections", type=int, default=16, help="connections kept busy (16)")
    options = parser.parse_args()
    options.rounds, options.scale = (7, 2.0) if options.full else (3, 0.7)
    print(f"{'µs of CPU per request':30} {'capably':>8}  {'peer':16} {'ratio':>6}  {'target':9} ")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder), stack, upstream=free_port())
        bench.run([sys.executable, HERE / "upstream.py", str(bench.upstream)], bench.upstream)
        for work in WORK:
            if options.only.lower() in work.title.lower():
                for title, own, peer, ratio, target, met in lines(work, figures(bench, work, options)):
                    print(f"{title:30} {own:>8}  {peer:16} {ratio:>6}  {target:9} {met}", flush=True)


if __name__ == "__main__":
    main()
