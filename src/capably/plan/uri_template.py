"""Addresses with placeholders (RFC 6570, level 1): `{x}` is one percent-encoded segment, `{+x}` may span several."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from capably.expr.template import Hole, cut

_MOST_CHARACTERS: Final = 8 * 1024  # of an address that is matched


@dataclass(frozen=True, slots=True)
class UriTemplate:
    """An address with placeholders: how it is written, and what it matches."""

    text: str
    names: tuple[str, ...]
    _pattern: re.Pattern[str]

    def match(self, uri: str) -> Mapping[str, str] | None:
        """The values of the placeholders in an address, decoded; ``None`` when the address is none of these."""
        if len(uri) > _MOST_CHARACTERS:
            return None
        found = self._pattern.fullmatch(uri)
        return dict(zip(self.names, map(unquote, found.groups()), strict=True)) if found is not None else None


def compile_template(written: str) -> UriTemplate | None:
    """The template that an address is; ``None`` when it has no placeholders.

    Raises:
        ValueError: two placeholders have nothing between them, or one stands twice.
    """
    pieces = cut(written, single=True)
    names = [piece.name.removeprefix("+") for piece in pieces if isinstance(piece, Hole)]
    if not names:
        return None
    if len(set(names)) < len(names):
        raise ValueError("a placeholder stands in it twice")
    if any(isinstance(a, Hole) and isinstance(b, Hole) for a, b in itertools.pairwise(pieces)):
        raise ValueError("nothing stands between two placeholders, so neither has an end")
    text = "".join(f"{{{piece.name}}}" if isinstance(piece, Hole) else piece for piece in pieces)
    return UriTemplate(text, tuple(names), re.compile("".join(map(_pattern_of, pieces))))


def _pattern_of(piece: str | Hole) -> str:
    if isinstance(piece, str):
        return re.escape(piece)
    return "(.+?)" if piece.name.startswith("+") else "([^/?#]+?)"
