"""The servers that are measured: each is started when a line first needs it, in front of one upstream."""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import documents
import load
import peers
from processes import Server, free_port, running

HERE = Path(__file__).parent
CAPABLY = Path(sys.executable).with_name("capably")
MANY = 1000
DEAR = {"FastMCP": 0.1, "FastMCP sessions": 0.1, "FastMCP many": 0.3, "nginx": 4.0, "mcp many": 30.0}
"""Servers that get more or fewer requests than the others, so that a round takes about as long."""


@dataclass(slots=True)
class Bench:
    """Servers that run, by name. A name that ends in ``many`` is a server with a thousand tools."""

    folder: Path
    stack: ExitStack
    options: argparse.Namespace
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
        """Run a server until everything is measured."""
        return self.stack.enter_context(running(command, port))

    def capably(self, tools: int, *options: str) -> tuple[Server, Server]:
        """A process of capably with so many operations: its REST and its MCP server."""
        folder = self.folder / f"{tools}{''.join(options)}"
        folder.mkdir(exist_ok=True)
        rest, mcp = free_port(), free_port()
        file = documents.capability(folder, self.upstream, rest, mcp, tools)
        server = self.run([CAPABLY, "serve", file, *options], rest)
        return server, Server(server.pid, mcp, server.ready_s)

    def fleet(self, count: int) -> Server:
        """A process of capably with so many documents behind one address."""
        port = free_port()
        folder = documents.fleet(self.folder, self.upstream, count)
        return self.run([CAPABLY, "serve", folder, "--listen", str(port)], port)

    def costs(self, message: load.Message, names: Iterable[str], requests: int) -> dict[str, float]:
        """Microseconds of CPU time per request of each server that is here: the medians of rounds, taken in turn."""
        servers = {name: server for name in names if (server := self.server(name)) is not None}
        return self.turns({name: (server, message) for name, server in servers.items()}, requests)

    def turns(self, work: Mapping[str, tuple[Server, load.Message]], requests: int) -> dict[str, float]:
        """The same for servers that run, each with requests of its own."""
        costs: dict[str, list[float]] = {name: [] for name in work}
        for round_ in range(self.options.rounds + 1):
            for name, (server, message) in work.items():
                share = DEAR.get(name, 1.0) * self.options.scale * (0.2 if round_ == 0 else 1.0)
                cost = measured(server, message, max(int(requests * share), 16), self.options.connections)
                if round_ > 0:  # the first is to warm up
                    costs[name].append(cost)
        return {name: statistics.median(each) for name, each in costs.items()}


def measured(server: Server, message: load.Message, requests: int, connections: int) -> float:
    """Microseconds of CPU time per request, in one round."""
    before = server.cpu_s
    asyncio.run(load.run(server.port, message, requests, connections))
    return (server.cpu_s - before) / requests * 1e6


def _capably(bench: Bench, kind: str, tools: int) -> Server:
    rest, mcp = bench.capably(tools)
    mark = " many" if tools == MANY else ""
    bench.servers |= {f"rest{mark}": rest, f"mcp{mark}": mcp}
    return rest if kind == "rest" else mcp


def _nginx(bench: Bench, _tools: int) -> Server | None:
    program, port = peers.nginx(), free_port()
    if program is None:
        return None
    return bench.run([program, "-c", documents.nginx(bench.folder, bench.upstream, port)], port)


def _fastmcp(bench: Bench, tools: int, *options: str) -> Server | None:
    python, port = peers.fastmcp(), free_port()
    if python is None:
        return None
    upstream = f"http://127.0.0.1:{bench.upstream}"
    file = documents.openapi(bench.folder, tools)
    return bench.run([python, HERE / "peer_fastmcp.py", file, upstream, str(port), *options], port)


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
    "FastMCP sessions": lambda bench, tools: _fastmcp(bench, tools, "sessions"),
    "Toolbox": _toolbox,
}
