"""The line of a document that a finding is about, made fit for a terminal.

A document can come from anywhere, so nothing in it may reach the terminal as a control sequence: control characters
and characters that reorder text are shown as escapes. Widths are counted in terminal cells.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rich.cells import cell_len

from capably.diagnostics import Span

MAX_WIDTH = 120  # cells of a line that are shown
_BEFORE = 40  # cells kept before the span when a line is cut
_TAB = "    "
_CUT = "…"
_JOINERS = "\u200c\u200d"  # part of words and of emoji, and harmless
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what the YAML reader counts as a line

Lines: TypeAlias = Mapping[str, "list[str]"]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line as it is shown, and the cells of it that are underlined, counted from 0."""

    text: str
    start: int
    width: int


def split_lines(text: str) -> list[str]:
    """The lines of a document, counted as spans count them."""
    return _LINE_BREAK.split(text)


def escape(text: str) -> str:
    """Text that is safe on one line of a terminal: what would be invisible or obeyed is spelled out."""
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def excerpt(lines: Lines, span: Span) -> Excerpt | None:
    """The first line of a span, or ``None`` when the file has no such line.

    An empty span underlines one cell; a span of several lines is underlined to the end of its first.
    """
    known = lines.get(span.file, [])
    if not 1 <= span.line <= len(known):
        return None
    line = known[span.line - 1]
    start = min(span.column - 1, len(line))
    last = span.end_column - 1 if span.end_line == span.line else len(line)
    return _fit(line, start, min(max(last, start), len(line)))


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN or character in _JOINERS:
        return character
    code = ord(character)
    form = f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 -- as Python writes them
    return _ESCAPES.get(character, form)


def _fit(line: str, start: int, end: int) -> Excerpt:
    first = max(start - MAX_WIDTH, 0)
    shown = ["".join(_TAB if item == "\t" else _visible(item)) for item in line[first : start + MAX_WIDTH + 1]]
    start, end = start - first, min(end - first, len(shown))
    left, right = _window(shown, start) if cell_len("".join(shown)) > MAX_WIDTH else (0, len(shown))
    end = min(end, right)
    before = _CUT if first + left > 0 else ""
    after = _CUT if first + right < len(line) else ""
    lead = before + "".join(shown[left:start])
    marked = "".join(shown[start:end])
    return Excerpt(f"{lead}{marked}{''.join(shown[end:right])}{after}", cell_len(lead), max(cell_len(marked), 1))


def _window(shown: list[str], start: int) -> tuple[int, int]:
    """The part of a long line to show: a little before the span, then as much as fits, then more before it."""
    left = _reach(shown, start, -1, _BEFORE)
    right = _reach(shown, start, 1, MAX_WIDTH - cell_len("".join(shown[left:start])))
    left = _reach(shown, start, -1, MAX_WIDTH - cell_len("".join(shown[start:right])))
    return left, right


def _reach(shown: list[str], position: int, step: int, room: int) -> int:
    """How far one can go from a position before the room is used up."""
    while True:
        index = position if step > 0 else position - 1
        if not 0 <= index < len(shown):
            return position
        room -= cell_len(shown[index])
        if room < 0:
            return position
        position += step
