"""Where a value of an upstream request comes from, compiled once and evaluated per call.

A source is a constant, a caller's input, a field of one, a node of an earlier result, or text around other sources.
``ABSENT`` is the value of an optional input nobody gave: whatever it would have filled is left out of the request.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from capably.expr.jsonpath import AnyPath


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
AbsentType: TypeAlias = Literal[_Absent.ABSENT]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value the document states."""

    value: Any


@dataclass(frozen=True, slots=True)
class FromInput:
    """A value the caller gives. ``fields`` leads into it: ``body.customer.id`` is ``("customer", "id")``."""

    name: str
    fields: tuple[str, ...] = ()


RESULTS: Final = "$"
"""The name among the values under which the results of earlier steps stand, as an object of results by step."""


@dataclass(frozen=True, slots=True)
class FromPath:
    """What a path leads to in the results of earlier steps; absent where that is nothing or null."""

    path: AnyPath


@dataclass(frozen=True, slots=True)
class Text:
    """Text with holes: literal parts and sources, joined."""

    parts: "tuple[str | Source, ...]"


@dataclass(frozen=True, slots=True)
class Fields:
    """An object whose leaves are sources; absent leaves are left out."""

    fields: "tuple[tuple[str, Source], ...]"


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sources; absent ones are left out."""

    items: "tuple[Source, ...]"


Source: TypeAlias = Constant | FromInput | FromPath | Text | Fields | Items


def evaluate(source: Source, inputs: Mapping[str, Any]) -> Any:
    """The value of a source, or ``ABSENT``. A text with an absent part is absent as a whole."""
    if isinstance(source, FromInput):
        value = inputs.get(source.name, ABSENT)
        return _within(value, source.fields) if source.fields else value
    if isinstance(source, Constant):
        return source.value
    if isinstance(source, Text):
        return join(source, inputs, as_text)
    if isinstance(source, FromPath):
        found = source.path.find(inputs.get(RESULTS))
        return ABSENT if found is None else found
    if isinstance(source, Fields):
        values = ((name, evaluate(leaf, inputs)) for name, leaf in source.fields)
        return {name: value for name, value in values if value is not ABSENT}
    leaves = (evaluate(leaf, inputs) for leaf in source.items)
    return [value for value in leaves if value is not ABSENT]


def _within(value: Any, fields: tuple[str, ...]) -> Any:
    for name in fields:
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        else:
            return ABSENT
    return value


def join(source: Text, inputs: Mapping[str, Any], encode: Callable[[Any], str]) -> str | AbsentType:
    """The parts of a text, values encoded for the place they stand in; ``ABSENT`` when one of them is."""
    pieces = []
    for part in source.parts:
        if isinstance(part, str):
            pieces.append(part)
            continue
        value = evaluate(part, inputs)
        if isinstance(value, _Absent):
            return value
        pieces.append(encode(value))
    return "".join(pieces)


def as_text(value: Any) -> str:
    """A value as it is written in a path, a query or a header: JSON spelling for what is not text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
