"""Markdown (CommonMark and GitHub's tables): ``{"frontMatter": {}, "tables": [...], "sections": [...]}``.

A section is what stands between one top-level heading and the next: ``{"heading", "level", "content"}``, as plain text
without the tables, which are lists of objects by their headings, in the order of the document. Text before the first
heading belongs to no section. `outputSchema` is the start of a heading, `API` or `## API`: then only sections that
begin so are read, and only their tables.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from capably.payload.charset import read_text
from capably.payload.contract import Budget, Limits, Payload, PayloadError
from capably.payload.read_yaml import parse_yaml
from capably.payload.tables import shape_rows


@dataclass(frozen=True, slots=True)
class Headings:
    """Which sections are read: those whose heading starts so and, if it is said, has this level."""

    start: str = ""
    level: int | None = None

    def take(self, text: str, level: int) -> bool:
        """Whether the section of this heading is read."""
        return text.startswith(self.start) and self.level in {None, level}


def compile_schema(text: str) -> Headings:
    """Read the start of a heading, with or without the number signs that say its level."""
    marks, start = _HEADING.fullmatch(text.strip()).groups()  # type: ignore[union-attr] # it matches every line
    return Headings(start, len(marks) or None)


def decode(payload: Payload) -> dict[str, Any]:
    """The document's front matter, tables and sections.

    Raises:
        PayloadError: the body is not text in its charset, or it holds too much.
    """
    text = _LINE_BREAK.sub("\n", read_text(payload))
    front, rest = _front_matter(text, payload.limits)
    budget = Budget(payload.limits.max_values)
    wanted: Headings | None = payload.schema
    tables: list[list[dict[str, str]]] = []
    sections: list[dict[str, Any]] = []
    content: list[str] | None = None  # of the section that is being read
    is_read = wanted is None or wanted == Headings()
    for block in _tree(rest):
        budget.take(1)
        if block.type == "heading":
            heading, level = _inline(block), int(block.tag[1:])
            is_read = wanted is None or wanted.take(heading, level)
            content = []
            if is_read:
                sections.append({"heading": heading, "level": level, "content": content})
        elif not is_read:
            continue
        elif block.type == "table":
            tables.append(_table(block, budget))
        elif content is not None:
            content.append(_block(block))
    for section in sections:
        section["content"] = "\n".join(filter(None, section["content"]))
    return {"frontMatter": front, "tables": tables, "sections": sections}


def _tree(text: str) -> Iterable[SyntaxTreeNode]:
    return SyntaxTreeNode(_MARKDOWN.parse(text)).children


def _front_matter(text: str, limits: Limits) -> tuple[dict[str, Any], str]:
    """The YAML mapping between `---` lines at the start, and what comes after it; other such lines are rules."""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return {}, text
    try:
        front = parse_yaml(found[1], limits)
    except PayloadError:
        return {}, text
    return (front, text[found.end() :]) if isinstance(front, dict) else ({}, text)


def _table(table: SyntaxTreeNode, budget: Budget) -> list[dict[str, str]]:
    lines = [[_inline(cell).strip() for cell in row.children] for part in table.children for row in part.children]
    return shape_rows(lines[0], lines[1:], budget)


def _block(block: SyntaxTreeNode) -> str:
    """The plain text of a block: one line for each paragraph and list item, code as it is."""
    if block.type in {"fence", "code_block"}:
        return block.content.rstrip("\n")
    if block.type in {"paragraph", "heading"}:
        return _inline(block)
    return "\n".join(filter(None, map(_block, block.children)))


def _inline(node: SyntaxTreeNode) -> str:
    """The text without its markup: emphasis, links and the like leave what is read of them."""
    said = _INLINE.get(node.type)
    return said(node) if said else "".join(map(_inline, node.children))


_INLINE: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "text": lambda node: node.content,
    "code_inline": lambda node: node.content,
    "softbreak": lambda _node: " ",
    "hardbreak": lambda _node: "\n",
}
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_LINE_BREAK = re.compile("\r\n?")
_FRONT_MATTER = re.compile(r"---\n(.*?)^---(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"(#{0,6})\s*(.*)", re.DOTALL)
