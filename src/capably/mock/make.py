"""Values that fit a schema, for answers without an example. The same schema always gives the same value.

What the schema states (``const``, ``example``, ``default``, ``enum``) is told where it fits; what it leaves open is
made: every property, as far as a schema does not contain itself, one item per list, the smallest number in range.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from capably.mock.make_text import make_text
from capably.mock.merge import merged
from capably.mock.schemas import Schema

_DEEPEST = 60
_DEEPEST_OPTIONAL = 6
_MOST_VALUES = 4_000  # after these, only what is required is made
_MOST_ITEMS = 200
_ATTEMPTS = ((True, 0), (False, 0), (True, 1), (False, 1), (True, 2))


class NoValueError(Exception):
    """No value was found that fits; ``best`` is the closest one."""

    def __init__(self, best: Any) -> None:
        super().__init__("no value was found that fits the schema")
        self.best = best


def make(schema: Schema) -> Any:
    """A value that fits a schema.

    Raises:
        NoValueError: none was found, because the schema contradicts itself or asks for more than is tried here.
    """
    if not schema.is_usable:
        raise NoValueError(None)
    best = None
    for is_full, nth in _ATTEMPTS:
        try:
            value = _Maker(is_full=is_full).value(schema, _At(nth))
        except _EndlessError:
            continue
        if schema.accepts(value):
            return value
        best = value if best is None else best
    raise NoValueError(best)


class _EndlessError(Exception):
    """A schema that demands itself."""


@dataclass(frozen=True, slots=True)
class _At:
    """Where a value is made: how deep, below which references, and the how manieth of a list of unique items."""

    nth: int
    depth: int = 0
    trail: frozenset[str] = frozenset()

    @property
    def is_shallow(self) -> bool:
        return self.depth < _DEEPEST_OPTIONAL

    def below(self, refs: frozenset[str]) -> "_At":
        return _At(self.nth, self.depth + 1, self.trail | refs)


class _Maker:
    """One attempt: with everything that is optional, or without."""

    def __init__(self, *, is_full: bool) -> None:
        self.is_full = is_full
        self.left = _MOST_VALUES

    def value(self, schema: Schema, at: _At) -> Any:
        if at.depth > _DEEPEST:
            raise _EndlessError
        self.left -= 1
        data, refs = merged(schema)
        for stated in _stated(data, at.nth):
            if schema.accepts(stated):
                return stated
        below = at.below(refs)
        for word in ("oneOf", "anyOf"):
            if word in data:
                return self._branch(schema, data, word, below)
        kind = _kind(data, at.nth)
        if kind == "object":
            return self._object(schema, data, below)
        if kind == "array":
            return self._array(schema, data, below)
        return _SCALARS[kind](data, at.nth) if kind in _SCALARS else None

    def _branch(self, schema: Schema, data: Mapping[str, Any], word: str, at: _At) -> Any:
        """The first alternative that gives a fitting value, else the first that gives any."""
        rest = {key: item for key, item in data.items() if key != word}
        found = []
        for branch in data[word]:
            if isinstance(branch, dict) and branch.get("$ref") in at.trail and len(data[word]) > 1:
                continue
            both = schema.child({"allOf": [rest, branch]} if rest else branch)
            try:
                value = self.value(both, at)
            except _EndlessError:
                continue
            value = _discriminated(data.get("discriminator"), branch, value)
            if schema.accepts(value):
                return value
            found.append(value)
        if not found:
            raise _EndlessError
        return found[0]

    def _object(self, schema: Schema, data: Mapping[str, Any], at: _At) -> Any:
        required = [name for name in data.get("required", ()) if isinstance(name, str)]
        properties = data.get("properties", {})
        with_optional = self.is_full and at.is_shallow and self.left > 0
        most = data.get("maxProperties", len(properties) + len(required))
        made: dict[str, Any] = {}
        for name in dict.fromkeys([*properties, *required]):
            part = properties.get(name, _additional(data, name))
            is_needed = name in required
            if not is_needed and not (with_optional and len(made) + len(required) < most and _is_told(part, at.trail)):
                continue
            try:
                made[name] = self.value(schema.child(part), at)
            except _EndlessError:
                if is_needed:
                    raise
        for number in range(1, data.get("minProperties", 0) + 1):
            if len(made) < data["minProperties"]:
                made[f"key{number}"] = self.value(schema.child(_additional(data, "")), at)
        return made

    def _array(self, schema: Schema, data: Mapping[str, Any], at: _At) -> Any:
        firsts = data.get("prefixItems", [])
        item = data.get("items", {})
        least = data.get("minItems", 0)
        wanted = max(least, 1 if self.is_full and at.is_shallow and _is_told(item, at.trail) else 0)
        wanted = min(max(wanted, len(firsts)), data.get("maxItems", _MOST_ITEMS), max(least, _MOST_ITEMS))
        made = []
        for index in range(wanted):
            part = firsts[index] if index < len(firsts) else data.get("contains", item)
            if part is False:
                break
            other = index if data.get("uniqueItems") else 0
            try:
                made.append(self.value(schema.child(part), replace(at, nth=at.nth + other)))
            except _EndlessError:
                if index < least:
                    raise
                break
        return made


def _stated(data: Mapping[str, Any], nth: int) -> Iterator[Any]:
    if "const" in data:
        yield data["const"]
    examples = data.get("examples")
    values = list(examples) if isinstance(examples, list) else []
    values = [data[key] for key in ("example", "default") if key in data] + values
    enum = data.get("enum")
    choices = enum if isinstance(enum, list) else []
    if nth:
        yield from (choices or values)[nth : nth + 1]
    else:
        yield from [*values, *choices]


def _kind(data: Mapping[str, Any], nth: int) -> str:
    kinds = data.get("type")
    listed = [kinds] if isinstance(kinds, str) else list(kinds or ())
    listed = [kind for kind in listed if kind != "null"] or listed
    if listed:
        return str(listed[nth % len(listed)])
    return next((kind for key, kind in _HINTS.items() if key in data), "object")


_HINTS = {
    "properties": "object", "required": "object", "additionalProperties": "object", "items": "array",
    "prefixItems": "array", "minItems": "array", "minimum": "number", "maximum": "number", "multipleOf": "number",
    "minLength": "string", "maxLength": "string", "pattern": "string", "format": "string",
}  # fmt: skip


def _additional(data: Mapping[str, Any], name: str) -> Any:
    """The schema of a property that is not listed."""
    patterns = data.get("patternProperties")
    if name and isinstance(patterns, dict) and patterns:
        return {"allOf": list(patterns.values())}
    rest = data.get("additionalProperties", True)
    return rest if isinstance(rest, dict) and rest else {"type": "string"}


def _is_told(part: Any, trail: frozenset[str]) -> bool:
    """Whether an optional part is made: not when it contains itself, and not when only requests have it."""
    if not isinstance(part, dict):
        return part is not False
    return part.get("$ref") not in trail and part.get("writeOnly") is not True


def _discriminated(rule: Any, branch: Any, value: Any) -> Any:
    """The value with the name of its alternative, where a discriminator asks for it (OpenAPI 3.1, section 4.8.25)."""
    if not isinstance(rule, dict) or not isinstance(value, dict) or not isinstance(branch, dict):
        return value
    ref = str(branch.get("$ref", ""))
    mapping = rule.get("mapping") or {}
    name = next((key for key, target in mapping.items() if target and ref.endswith(target)), ref.rpartition("/")[2])
    return {**value, str(rule.get("propertyName")): name} if name else value


def _number(data: Mapping[str, Any], nth: int) -> float:
    return float(_in_range(data, nth, Decimal(str(data.get("multipleOf", "0.5")))))


def _integer(data: Mapping[str, Any], nth: int) -> int:
    step = Decimal(str(data.get("multipleOf", 1)))
    return int(_in_range(data, nth, step if step == step.to_integral_value() else Decimal(1)))


def _in_range(data: Mapping[str, Any], nth: int, step: Decimal) -> Decimal:
    """The number nearest to 1 that is in range and a multiple; ``nth`` counts from there."""
    low = max((Decimal(str(data[key])) for key in ("minimum", "exclusiveMinimum") if key in data), default=None)
    high = min((Decimal(str(data[key])) for key in ("maximum", "exclusiveMaximum") if key in data), default=None)
    start = max(Decimal(1), low) if low is not None else Decimal(1)
    if high is not None and start > high:
        start = high
    if "multipleOf" not in data and low is not None and high is not None and high - low < 2 * step:
        step = min(step, (high - low) / 4) or step
        start = low if step < 1 else start
    times = (start / step).to_integral_value(rounding="ROUND_CEILING")
    if high is not None and (times * step > high or times * step == data.get("exclusiveMaximum")):
        times -= 1
    if low is not None and (times * step < low or times * step == data.get("exclusiveMinimum")):
        times += 1
    value = (times + nth) * step
    return value if high is None or value <= high else (times - nth) * step


_SCALARS: Mapping[str, Callable[[Mapping[str, Any], int], Any]] = {
    "string": make_text,
    "number": _number,
    "integer": _integer,
    "boolean": lambda _data, nth: nth % 2 == 0,
    "null": lambda _data, _nth: None,
}
