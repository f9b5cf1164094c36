"""What one request costs beside the same request through a peer, and how that grows with what is served."""

from collections.abc import Iterator, Mapping

import load
import messages
from bench import Bench
from table import Line, Row, beside

GROWTH = 1.1
"""Times that a request may cost with a thousand operations of what it costs with ten: flat, but for noise."""


def _line(title: str, message: load.Message, own: str, targets: Mapping[str, float], requests: int = 3000) -> Line:
    def rows(bench: Bench) -> Iterator[Row]:
        costs = bench.costs(message, [own, *targets], requests)
        for peer, most in targets.items():
            yield beside(title, costs[own], peer.removesuffix(" many"), costs.get(peer), most)

    return Line(title, rows)


def _growth(bench: Bench) -> Iterator[Row]:
    sizes = (10, 100, 1000)
    pairs = {size: bench.capably(size) for size in sizes}
    for title, message, kind in (("REST GET", messages.rest, 0), ("tools/call", messages.call_modern, 1)):
        costs = bench.turns({str(size): pair[kind] for size, pair in pairs.items()}, message, 12000)
        least = costs[str(sizes[0])]
        for size in sizes[1:]:
            yield beside(f"{title}, {size:,} operations", costs[str(size)], "with 10:", least, GROWTH)


_CALL = {"FastMCP": 1 / 15, "Toolbox": 0.8}
_LIST = {"FastMCP": 1.0, "Toolbox": 1.0}
_LIST_MANY = {"FastMCP many": 1.0, "Toolbox many": 1.0}

LINES = (
    _line("REST GET, passed through", messages.rest, "rest", {"nginx": 5.0}),
    _line("REST GET, 10 mapped fields", messages.mapped, "rest", {"nginx": 7.0}),
    _line("MCP tools/call, 2025-11-25", messages.call_legacy, "mcp", _CALL),
    _line("MCP tools/call, 2026-07-28", messages.call_modern, "mcp", _CALL),
    _line("MCP tools/list, 4 tools", messages.list_legacy, "mcp", _LIST),
    _line("MCP tools/list, 1,000 tools", messages.list_legacy, "mcp many", _LIST_MANY, 60),
    Line("growth with operations", _growth, is_long=True),
)
