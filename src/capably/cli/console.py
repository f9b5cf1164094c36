"""Writing to the terminal: errors and tables on stderr, results on stdout, colour only where somebody sees it."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from capably.errors import CommandError

_RED, _CYAN, _BOLD, _DIM, _RESET = "\x1b[1;31m", "\x1b[36m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


def wants_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows colour (https://no-color.org)."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, code: str, *, colour: bool) -> str:
    """The text in a colour, or as it is."""
    return f"{code}{text}{_RESET}" if colour else text


def show_error(problem: CommandError) -> None:
    """Print an error and its advice to stderr."""
    colour = wants_colour(sys.stderr)
    sys.stderr.write(f"{paint('error', _RED, colour=colour)}: {problem.message}\n")
    for line in problem.help_lines:
        sys.stderr.write(f"  {paint('=', _CYAN, colour=colour)} {line}\n")
    sys.stderr.flush()


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, colour: bool) -> str:
    """A plain table: columns as wide as their longest cell, two spaces apart."""
    cells = [list(map(str, row)) for row in rows]
    widths = [max(len(row[column]) for row in [list(heads), *cells]) for column in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    head = "  ".join(cell.ljust(width) for cell, width in zip(heads, widths, strict=True)).rstrip()
    return "\n".join([paint(head, _DIM, colour=colour), *lines])


def bold(text: str, *, colour: bool) -> str:
    """The text in bold, or as it is."""
    return paint(text, _BOLD, colour=colour)


def hint(message: str) -> None:
    """Print a line for people to stderr, where it does not disturb the result."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
