"""How a list or an object is written where only text fits: the styles of OpenAPI 3.1 (Parameter Object).

Items are encoded one by one, so that what separates them can never come from a value.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

Encode: TypeAlias = Callable[[Any], str]
"""Gives the encoded text of one item for the place it stands in."""


class Style(StrEnum):
    """How several values share one place."""

    FORM = "form"
    SPACE = "spaceDelimited"
    PIPE = "pipeDelimited"
    TAB = "tabDelimited"
    DEEP = "deepObject"
    SIMPLE = "simple"
    LABEL = "label"
    MATRIX = "matrix"


@dataclass(frozen=True, slots=True)
class Layout:
    """A style, and whether each item stands on its own (``explode``)."""

    style: Style
    explode: bool


_SEPARATORS = {Style.FORM: ",", Style.SIMPLE: ",", Style.SPACE: "%20", Style.PIPE: "%7C", Style.TAB: "%09"}
SIMPLE = Layout(Style.SIMPLE, explode=False)


def pairs(name: str, value: Any, layout: Layout | None, encode: Encode) -> Iterator[tuple[str, str]]:
    """A parameter as encoded name and value pairs, as in a query: without a layout a list repeats the name.

    Without a layout an object is one pair with its JSON: to spread its fields would lose the parameter's name.
    """
    if isinstance(value, dict) and layout is not None:
        yield from _object_pairs(name, value, layout, encode)
    elif isinstance(value, list) and layout is not None and not layout.explode and layout.style in _SEPARATORS:
        yield encode(name), _SEPARATORS[layout.style].join(encode(item) for item in value)
    else:
        for item in value if isinstance(value, list) else (value,):
            yield encode(name), encode(item)


def _object_pairs(name: str, value: dict[str, Any], layout: Layout, encode: Encode) -> Iterator[tuple[str, str]]:
    if layout.style is Style.DEEP:
        yield from _deep_pairs(encode(name), value, encode)
    elif layout.explode:
        for key, item in value.items():
            yield from pairs(key, item, None, encode)
    else:
        flat = (encode(part) for pair in value.items() for part in pair)
        yield encode(name), _SEPARATORS.get(layout.style, ",").join(flat)


def _deep_pairs(name: str, value: Any, encode: Encode) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _deep_pairs(f"{name}%5B{encode(key)}%5D", item, encode)
    else:
        for item in value if isinstance(value, list) else (value,):
            yield name, encode(item)


_STARTS = {Style.LABEL: ".", Style.MATRIX: ";"}


def text(name: str, value: Any, layout: Layout, encode: Encode) -> str:
    """A parameter as one text, as in a path or a header (RFC 6570, section 3.2)."""
    start = _STARTS.get(layout.style, "")
    label = f"{encode(name)}=" if layout.style is Style.MATRIX else ""
    if not isinstance(value, dict | list):
        return f"{start}{label}{encode(value)}"
    if not layout.explode:
        flat = value if isinstance(value, list) else [part for pair in value.items() for part in pair]
        return f"{start}{label}{','.join(encode(item) for item in flat)}"
    between = start or ","
    if isinstance(value, dict):
        return start + between.join(f"{encode(key)}={encode(item)}" for key, item in value.items())
    return start + between.join(f"{label}{encode(item)}" for item in value)
