"""Templates: text with ``{{name}}`` holes, and in paths ``{name}`` holes too.

Cutting happens once, at load. A value that fills a hole is never cut again, so what a caller sends is never expanded.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_NAME = r"\s*([^{}\s](?:[^{}]*[^{}\s])?)\s*"
# Three braces close what three opened; after two, a third one belongs to the text: `{"a": {{x}}}`.
_DOUBLE = re.compile(r"\{\{\{" + _NAME + r"\}\}\}|\{\{\s*&?" + _NAME + r"\}\}")
_EITHER = re.compile(_DOUBLE.pattern + r"|\{" + _NAME + r"\}")


@dataclass(frozen=True, slots=True)
class Hole:
    """A placeholder: its name without braces, and where it starts and ends in the text."""

    name: str
    start: int
    end: int


@lru_cache(maxsize=4096)  # the same paths and texts are cut by every stage that reads them
def cut(text: str, *, single: bool = False) -> tuple[str | Hole, ...]:
    """Cut a text at its holes.

    Args:
        text: the template.
        single: whether ``{name}`` is a hole as well (paths and base URIs, not bodies).
    """
    pieces: list[str | Hole] = []
    position = 0
    for match in (_EITHER if single else _DOUBLE).finditer(text):
        if match.start() > position:
            pieces.append(text[position : match.start()])
        pieces.append(Hole(next(filter(None, match.groups())), match.start(), match.end()))
        position = match.end()
    if position < len(text):
        pieces.append(text[position:])
    return tuple(pieces)


def holes(text: str, *, single: bool = False) -> tuple[Hole, ...]:
    """The holes of a text, in order."""
    return tuple(piece for piece in cut(text, single=single) if isinstance(piece, Hole))
