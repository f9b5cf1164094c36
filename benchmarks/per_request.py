"""What one request costs beside the same request through a peer, and how that grows with what is served."""

from collections.abc import Iterator, Mapping

import load
import messages
from bench import Bench
from processes import Server
from table import Line, Row, beside

SIZES = (10, 100, 1000)
GROWTH = 1.1
"""Times that a request may cost with a thousand operations of what it costs with ten: flat, but for noise."""


def _line(title: str, message: load.Message, own: str, targets: Mapping[str, float], requests: int = 3000) -> Line:
    def rows(bench: Bench) -> Iterator[Row]:
        costs = bench.costs(message, [own, *targets], requests)
        for peer, most in targets.items():
            yield beside(title, costs[own], peer.removesuffix(" many"), costs.get(peer), most)

    return Line(title, rows)


def _sessions(bench: Bench) -> Iterator[Row]:
    """As most clients call: in the session that `initialize` began."""
    found = {name: server for name in ("mcp", *_CALL_IN_SESSION) if (server := bench.server(name)) is not None}
    costs = bench.turns({name: (server, messages.in_session(server.port)) for name, server in found.items()}, 3000)
    for peer, most in _CALL_IN_SESSION.items():
        yield beside(_IN_SESSION, costs["mcp"], peer.removesuffix(" sessions"), costs.get(peer), most)


def _among(
    bench: Bench, work: str, asked: Mapping[int, tuple[Server, load.Message]], most: float | None
) -> Iterator[Row]:
    """What a request costs where more is served, beside where least is; the servers take turns."""
    costs = bench.turns({f"{size:,}": each for size, each in asked.items()}, 12000)
    (least, with_least), *more = costs.items()
    for size, cost in more:
        yield beside(work.format(size), cost, f"with {least}:", with_least, most)


def _growth(bench: Bench) -> Iterator[Row]:
    """The same request among more and more; and all of them in turn, which finds little in the processor's caches."""
    pairs = {size: bench.capably(size) for size in SIZES}
    fleets = {size: bench.fleet(size) for size in SIZES}
    rest = {size: pair[0] for size, pair in pairs.items()}
    mcp = {size: pair[1] for size, pair in pairs.items()}
    first = messages.rest_below(1)
    yield from _among(bench, "REST GET among {} operations", {n: (rest[n], messages.rest) for n in SIZES}, GROWTH)
    yield from _among(bench, "tools/call among {} tools", {n: (mcp[n], messages.call_modern) for n in SIZES}, GROWTH)
    yield from _among(bench, "REST GET among {} documents", {n: (fleets[n], first) for n in SIZES}, GROWTH)
    yield from _among(bench, "  each of {} operations", {n: (rest[n], messages.rest_of(n)) for n in SIZES}, None)
    yield from _among(bench, "  each of {} tools", {n: (mcp[n], messages.call_of(n)) for n in SIZES}, None)
    yield from _among(bench, "  each of {} documents", {n: (fleets[n], messages.rest_below(n)) for n in SIZES}, None)


_CALL = {"FastMCP": 1 / 15, "Toolbox": 0.8}
_CALL_IN_SESSION = {"FastMCP sessions": 1 / 15, "Toolbox": 0.8}
_IN_SESSION = "MCP tools/call, in a session"
_LIST = {"FastMCP": 1.0, "Toolbox": 1.0}
_LIST_MANY = {"FastMCP many": 1.0, "Toolbox many": 1.0}

LINES = (
    _line("REST GET, passed through", messages.rest, "rest", {"nginx": 5.0}),
    _line("REST GET, 10 mapped fields", messages.mapped, "rest", {"nginx": 7.0}),
    _line("MCP tools/call, 2025-11-25", messages.call_legacy, "mcp", _CALL),
    Line(_IN_SESSION, _sessions),
    _line("MCP tools/call, 2026-07-28", messages.call_modern, "mcp", _CALL),
    _line("MCP tools/list, 4 tools", messages.list_legacy, "mcp", _LIST),
    _line("MCP tools/list, 1,000 tools", messages.list_legacy, "mcp many", _LIST_MANY, 60),
    Line("growth with operations, tools and documents", _growth, is_long=True),
)
