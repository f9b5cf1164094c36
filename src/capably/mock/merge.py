"""One schema in the place of several that must all hold: references followed, ``allOf`` folded in."""

from collections.abc import Mapping
from typing import Any

from capably.mock.schemas import Schema

_DEEPEST = 30
_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")  # of two, the larger counts
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")  # of two, the smaller counts


def merged(schema: Schema, depth: int = 0) -> tuple[dict[str, Any], frozenset[str]]:
    """A schema without ``$ref`` and ``allOf`` at its top, and the references that were followed for it."""
    refs = _references(schema)
    data = dict(schema.resolved())
    parts = data.pop("allOf", None)
    if not isinstance(parts, list) or depth > _DEEPEST:
        return data, refs
    for part in parts:
        inner, more = merged(schema.child(part), depth + 1)
        data, refs = _both(data, inner), refs | more
    return data, refs


def _references(schema: Schema) -> frozenset[str]:
    ref = schema.data.get("$ref") if isinstance(schema.data, dict) else None
    return frozenset({ref}) if isinstance(ref, str) else frozenset()


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that asks for what both ask for, as far as a single one can say it."""
    result = {**other, **one}
    for key in one.keys() & other.keys():
        first, second = one[key], other[key]
        if key == "properties":
            result[key] = {**second, **first} | {
                name: {"allOf": [first[name], second[name]]} for name in first if name in second
            }
        elif key == "required":
            result[key] = list(dict.fromkeys([*first, *second]))
        elif key in _LEAST:
            result[key] = max(first, second)
        elif key in _MOST:
            result[key] = min(first, second)
        elif key == "enum":
            result[key] = [value for value in first if value in second]
        elif key == "type":
            result[key] = _common(first, second)
        elif key in {"oneOf", "anyOf"}:
            result[key] = [{"allOf": [left, right]} for left in first for right in second]
        elif key == "items":
            result[key] = {"allOf": [first, second]}
    return result


def _common(first: str | list[str], second: str | list[str]) -> str | list[str]:
    ours, theirs = ([item] if isinstance(item, str) else item for item in (first, second))
    common = [kind for kind in ours if kind in theirs]
    if not common and {"integer", "number"} <= {*ours, *theirs}:
        return "integer"
    return common or first
