"""JSON and YAML texts with holes, read as what they will be, so that each leaf can be compiled on its own."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from capably.document import parse_document, plain
from capably.expr.template import Hole, cut

Notation: TypeAlias = Callable[[str], Any]
"""Reads a text; raises ``ValueError`` for one that is not of its notation or holds no object or list."""

_MARK = "\ue000"  # a private-use character: no document holds it, JSON and YAML keep it
_MARKED = re.compile(f"{_MARK}(\\d+){_MARK}")
_QUOTES = re.compile(r'(?<!\\)(?:\\\\)*"')


@dataclass(frozen=True, slots=True)
class Marked:
    """A value in which marks stand for holes."""

    value: Any
    holes: tuple[Hole, ...]

    def unmark(self, text: str) -> str:
        """A text of the value with its holes as templates again."""
        return _MARKED.sub(lambda match: f"{{{{{self.holes[int(match[1])].name}}}}}", text)


def structured(text: str, notation: Notation) -> Marked | None:
    """A text with holes, read in a notation; ``None`` when it is not of that notation."""
    if _MARK in text:
        return None
    holes: list[Hole] = []
    pieces: list[str] = []
    in_string = False
    for piece in cut(text):
        if isinstance(piece, str):
            pieces.append(piece)
            in_string ^= len(_QUOTES.findall(piece)) % 2 == 1
            continue
        mark = f"{_MARK}{len(holes)}{_MARK}"
        pieces.append(mark if in_string or notation is read_yaml else f'"{mark}"')
        holes.append(piece)
    try:
        return Marked(notation("".join(pieces)), tuple(holes))
    except ValueError:
        return None


def read_json(text: str) -> Any:
    """The JSON notation."""
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if any(_MARK in name for name, _value in pairs):
        raise ValueError("the name of a field holds a template")
    return dict(pairs)


def read_yaml(text: str) -> Any:
    """The YAML notation, for texts that hold an object or a list."""
    document, problems = parse_document("", text.encode())
    value = plain(document.root) if document is not None and document.root is not None and not problems else None
    if not isinstance(value, dict | list):
        raise ValueError("the text is no YAML with fields or items")  # noqa: TRY004 -- the one error of notations
    if isinstance(value, dict) and any(_MARK in str(name) for name in value):
        raise ValueError("the name of a field holds a template")
    return value
