"""What callers would rather have: `Accept` and `Accept-Encoding` with their weights (RFC 9110, section 12.4.2).

Callers send the same few texts with every request, so what was read and chosen is kept.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

_LONGEST: Final = 2048  # more than any browser sends; what is longer prefers nothing
_KEPT: Final = 512
_MOST: Final = 1.0


@lru_cache(maxsize=_KEPT)
def weights(text: str) -> Mapping[str, float]:
    """Names in lower case with their weights, from 0 (never) to 1; parameters other than ``q`` are left aside."""
    found: dict[str, float] = {}
    for part in text.split(",") if len(text) <= _LONGEST else ():
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name:
            weight = next((_weight(each[2:]) for each in parameters if each.startswith("q=")), _MOST)
            found[name] = max(weight, found.get(name, 0.0))
    return MappingProxyType(found)


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return min(max(value, 0.0), _MOST) if value == value else 0.0  # noqa: PLR0124 -- a weight of "nan" is none


@lru_cache(maxsize=_KEPT)
def media_type(accept: str, offered: tuple[str, ...]) -> str | None:
    """The media type a caller likes best of those offered, the first one of several; ``None`` when it takes none.

    A browser asks for HTML first and takes XML before anything else: it gets what comes first here, as programs that
    have no wishes do.
    """
    asked = weights(accept)
    if not asked:
        return offered[0]
    best = max(offered, key=lambda each: _taken(each, asked))  # the first of equals
    weight = _taken(best, asked)
    if 0 < weight <= asked.get("text/html", 0.0) and _taken(offered[0], asked):
        return offered[0]
    return best if weight else None


def _taken(offer: str, asked: Mapping[str, float]) -> float:
    """How much a media type is liked: the most specific range that it is in says it (section 12.5.1)."""
    kind = offer.partition(";")[0]
    for name in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if name in asked:
            return asked[name]
    return 0.0


@lru_cache(maxsize=_KEPT)
def coding(accept_encoding: str, offered: tuple[str, ...]) -> str | None:
    """The content coding a caller likes best of those offered, the first one of several; ``None`` for none of them.

    Nothing is coded for callers who do not ask, nor for those who would rather have it as it is (section 12.5.3).
    """
    asked = weights(accept_encoding)
    others = asked.get("*", 0.0)
    best = max(offered, key=lambda each: asked.get(each, others), default=None)
    if best is None or not asked.get(best, others):
        return None
    return best if asked.get(best, others) >= asked.get("identity", 0.0) else None
