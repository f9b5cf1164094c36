"""The tables of an HTML page: ``{"tables": [[row, ...], ...]}``, each row an object by the table's headings.

`outputSchema` is a CSS selector of tables, or of what tables are in; without one all are read. A table without headings
is left out, and so is a row with a heading in it, such as a second line of headings. A table inside another is a table
of its own: its rows are not the outer one's.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import turbohtml
from turbohtml import Element, Node, Text

from capably.payload.charset import charset_of
from capably.payload.contract import Budget, Payload, PayloadError
from capably.payload.tables import shape_rows


def compile_schema(text: str) -> str:
    """Check a CSS selector; a blank one selects all tables.

    Raises:
        PayloadError: it is not a selector.
    """
    selector = text.strip() or "table"
    try:
        turbohtml.parse("").select(selector)
    except ValueError as problem:
        raise PayloadError(f"this is not a CSS selector: {str(problem)[:200]}") from None
    return selector


def decode(payload: Payload) -> dict[str, Any]:
    """The page's tables.

    Raises:
        PayloadError: the charset is not known, or the page holds too much.
    """
    charset = charset_of(payload.media_type)
    try:
        page = turbohtml.parse(payload.body, encoding=charset, positions=False)
    except LookupError:
        raise PayloadError(f"the body's charset `{(charset or '')[:40]}` is not known") from None
    budget = Budget(payload.limits.max_values)
    wanted = set(page.select(payload.schema or "table"))
    tables = (table for table in page.select("table") if table in wanted or not wanted.isdisjoint(table.ancestors))
    found = (_rows(table, budget) for table in tables)
    return {"tables": [rows for rows in found if rows is not None]}


def _rows(table: Element, budget: Budget) -> list[dict[str, str]] | None:
    """The table's rows, nothing when it has no headings; the parser puts every row into a section."""
    parts = [
        (part.tag, [_children(row, "td", "th") for row in _children(part, "tr")]) for part in _children(table, *_PARTS)
    ]
    parts.sort(key=lambda part: part[0] != "thead")
    head = next((lines[0] for _, lines in parts if lines and _has_heading(lines[0])), [])
    headings = [_text(cell, budget) for cell in head]
    if not any(headings):
        return None
    bodies = [lines for tag, lines in parts if tag == "tbody"] or [lines for _, lines in parts]
    rows = [cells for lines in bodies for cells in lines if cells and not _has_heading(cells)]
    return shape_rows(headings, [[_text(cell, budget) for cell in cells] for cells in rows], budget)


def _children(element: Element, *tags: str) -> list[Element]:
    return [child for child in element.children if isinstance(child, Element) and child.tag in tags]


def _has_heading(cells: list[Element]) -> bool:
    return any(cell.tag == "th" for cell in cells)


def _text(cell: Element, budget: Budget) -> str:
    """What one reads in a cell, its white space as in running text."""
    return " ".join("".join(_pieces(cell, budget)).split())


def _pieces(cell: Element, budget: Budget) -> Iterator[str]:
    """The texts in a cell; there is space around what is not inline, and nothing of tables within."""
    nodes: list[Iterator[Node | str]] = [iter(cell.children)]
    while nodes:
        node = next(nodes[-1], None)
        if node is None:
            nodes.pop()
        elif isinstance(node, str):
            yield node
        elif isinstance(node, Text):
            budget.take(1)
            yield node.data
        elif isinstance(node, Element) and node.tag not in _UNREAD:
            budget.take(1)
            space = "" if node.tag in _INLINE else " "
            yield space
            nodes.append(chain(node.children, (space,)))


_PARTS = ("thead", "tbody", "tfoot")
_UNREAD = frozenset({"script", "style", "table", "template"})
_INLINE = frozenset(
    {
        *("a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd"),
        *(
            "label",
            "mark",
            "q",
            "s",
            "samp",
            "small",
            "span",
            "strike",
            "strong",
            "sub",
            "sup",
            "time",
            "tt",
            "u",
            "var",
        ),
        "wbr",
    }
)
