"""The JSON Schema (2020-12) of an operation's answer, made from the shapes that make the answer.

What the schema says always holds: the shapes give null wherever an upstream's value is missing or cannot be told as
declared, so everything may be null that is not stated by the document itself.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from capably.expr.source import Constant
from capably.plan.answer import Answer, Each, EachValue, Expected, Fixed, Run, Shape, Shaped, Whole

Schema: TypeAlias = dict[str, Any]

_OBJECTS_WITHOUT_PROPERTIES: Final = ["object", "array"]  # such an output is JSON as it comes, see `conversion`


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """What an operation's structured answer looks like.

    ``empty`` is the answer, as JSON, in which nothing was found. ``is_object`` says that every answer is an object, as
    MCP asked before 2026-07-28 (Tools: Output Schema).
    """

    schema: Mapping[str, Any]
    empty: bytes

    @property
    def is_object(self) -> bool:
        """Whether nothing but objects is answered."""
        return self.schema.get("type") == "object"


def output_schema(answer: Answer, *, is_mock: bool = False) -> OutputSchema | None:
    """The schema of an answer.

    Args:
        answer: the compiled outputs.
        is_mock: values that nothing fills are left out instead of being null.

    Returns:
        The schema; ``None`` when nothing is declared, or nothing that would say more than "JSON".
    """
    if answer.passes_through or (not answer.named and not answer.alternatives):
        return None
    writer = _Writer(leaves_out=is_mock)
    if answer.named:
        schema = writer.object_of(answer.named)
        return OutputSchema(schema, msgspec.json.encode(writer.empty_of(answer.named)))
    if len(answer.alternatives) == 1:
        (shape,) = answer.alternatives
        schema = writer.schema(shape)
        if isinstance(shape, Shaped):
            # An object where nothing is found is told as one of nulls, so that clients of either era can rely on it.
            return OutputSchema({**schema, "type": "object"}, msgspec.json.encode(writer.empty_of(shape.properties)))
        return OutputSchema(schema, _first_stated(answer)) if schema else None
    schemas = [writer.schema(shape) for shape in answer.alternatives]
    return OutputSchema({"anyOf": schemas}, _first_stated(answer)) if all(schemas) else None


def _first_stated(answer: Answer) -> bytes:
    stated = (_stated(shape) for shape in answer.alternatives)
    return msgspec.json.encode(next((value for value in stated if value is not None), None))


@dataclass(frozen=True, slots=True)
class _Writer:
    leaves_out: bool

    def schema(self, shape: Shape) -> Schema:
        """The schema of one shape; empty when it may be anything."""
        write = _BY_SHAPE.get(type(shape))
        return write(self, shape) if write is not None else {}

    def object_of(self, properties: Iterable[tuple[str, Shape]]) -> Schema:
        found = {name: self.schema(shape) for name, shape in properties}
        schema: Schema = {"type": "object", "properties": found}
        if self.leaves_out:
            return {**schema, "additionalProperties": False}
        return {**schema, "required": list(found), "additionalProperties": False}

    def empty_of(self, properties: Iterable[tuple[str, Shape]]) -> dict[str, Any]:
        """An object in which nothing was found but what the document states."""
        return {} if self.leaves_out else {name: _stated(shape) for name, shape in properties}

    def whole(self, shape: Whole) -> Schema:
        return _noted(shape.expected, self.scalar(shape.expected))

    def fixed(self, shape: Fixed) -> Schema:
        if not isinstance(shape.source, Constant) or self.leaves_out:
            return _noted(shape.expected, self.scalar(shape.expected))
        return _noted(shape.expected, {"const": _stated(shape)})

    def scalar(self, expected: Expected) -> Schema:
        if expected.kind is None:
            return {}
        kinds = _OBJECTS_WITHOUT_PROPERTIES if expected.kind == "object" else [expected.kind]
        schema: Schema = {"type": [*kinds, "null"]}
        if expected.max_length is not None and expected.kind == "string":
            schema["maxLength"] = expected.max_length
        return schema

    def shaped(self, shape: Shaped) -> Schema:
        schema = self.object_of(shape.properties)
        return _noted(shape.expected, {**schema, "type": ["object", "null"]})

    def each(self, shape: Each) -> Schema:
        return _noted(shape.expected, {"type": ["array", "null"], "items": self.schema(shape.item)})

    def each_value(self, shape: EachValue) -> Schema:
        values = {"type": ["object", "null"], "additionalProperties": self.schema(shape.item)}
        return _noted(shape.expected, values)


_BY_SHAPE: Final[Mapping[type, Callable[[_Writer, Any], Schema]]] = MappingProxyType(
    {
        Whole: _Writer.whole,
        Fixed: _Writer.fixed,
        Shaped: _Writer.shaped,
        Each: _Writer.each,
        EachValue: _Writer.each_value,
    }
)


def _noted(expected: Expected, schema: Schema) -> Schema:
    return {**schema, **dict(expected.notes)}


def _stated(shape: Shape) -> Any:
    return shape.tell(None, Run()) if isinstance(shape, Fixed) and isinstance(shape.source, Constant) else None
