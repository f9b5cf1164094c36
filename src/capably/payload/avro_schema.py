"""An Avro schema (specification 1.12, "Schema declaration"), compiled to functions that read what it describes.

They are closures over what they need, made once: a body is then read without looking at the schema again.
"""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from capably.payload.avro_logical import conversion
from capably.payload.avro_wire import Wire
from capably.payload.contract import PayloadError

Read: TypeAlias = Callable[[Wire], Any]


def compile_reader(text: str | bytes) -> Read:
    """The function that reads one value of a schema.

    Raises:
        PayloadError: the text is not an Avro schema, in JSON; the message says what is wrong in it.
    """
    try:
        schema = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise PayloadError(f"the Avro schema is not JSON: {problem}") from None
    return _Compiler().reader(schema, "")


class _Compiler:
    """Knows the named types met so far; a type may use its own name, so names are looked up while reading."""

    def __init__(self) -> None:
        self.named: dict[str, Read | None] = {}

    def reader(self, schema: Any, space: str) -> Read:
        """The function for a schema that stands in the namespace ``space``."""
        if isinstance(schema, str):
            return self.by_name(schema, space)
        if isinstance(schema, list):
            return self.union(schema, space)
        if not isinstance(schema, dict) or "type" not in schema:
            raise _wrong(f"{_shown(schema)} is not a type")
        kind = schema["type"]
        if not isinstance(kind, str):
            return self.reader(kind, space)
        if kind in _PRIMITIVES:
            return _primitive(kind, schema)
        compile_kind = _KINDS.get(kind)
        return compile_kind(self, schema, space) if compile_kind else self.by_name(kind, space)

    def by_name(self, name: str, space: str) -> Read:
        if name in _PRIMITIVES:
            return _primitive(name, {})
        full = name if "." in name or not space else f"{space}.{name}"
        if full not in self.named:
            raise _wrong(f"the type {_shown(name)} is not defined before it is used")
        return self.named[full] or self.later(full)

    def later(self, full: str) -> Read:
        """The function for a type that is still being compiled: it uses itself."""
        named = self.named

        def read(wire: Wire) -> Any:
            return named[full](wire)  # type: ignore[misc] # it is set before anything is read

        return read

    def define(self, schema: dict[str, Any], space: str) -> tuple[str, str]:
        """The full name of a type that is being defined, and the namespace it opens."""
        name, own = schema.get("name"), schema.get("namespace", space)
        full = name if isinstance(name, str) and "." in name else f"{own}.{name}" if own else name
        if not isinstance(full, str) or not _FULL_NAME.fullmatch(full):
            raise _wrong(f"{_shown(name)} cannot be a type's name")
        if full in self.named or full in _PRIMITIVES:
            raise _wrong(f"the type {_shown(full)} is defined twice")
        self.named[full] = None
        return full, full.rpartition(".")[0]

    def record(self, schema: dict[str, Any], space: str) -> Read:
        full, inner = self.define(schema, space)
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise _wrong(f"the record {_shown(full)} has no list of fields")
        parts = [self.field(field, full, inner) for field in fields]
        if len({name for name, _ in parts}) < len(parts):
            raise _wrong(f"the record {_shown(full)} has two fields of one name")

        def read(wire: Wire) -> dict[str, Any]:
            wire.enter()
            wire.budget.take(len(parts))
            value = {name: part(wire) for name, part in parts}
            wire.depth -= 1
            return value

        self.named[full] = read
        return read

    def field(self, field: Any, record: str, space: str) -> tuple[str, Read]:
        if not isinstance(field, dict) or not isinstance(name := field.get("name"), str) or "type" not in field:
            raise _wrong(f"a field of the record {_shown(record)} has no name or no type")
        return name, self.reader(field["type"], space)

    def enum(self, schema: dict[str, Any], space: str) -> Read:
        full, _ = self.define(schema, space)
        symbols = schema.get("symbols")
        if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
            raise _wrong(f"the enum {_shown(full)} has no list of symbols")

        def read(wire: Wire) -> Any:
            return symbols[wire.choice(len(symbols), "a symbol")]

        self.named[full] = read
        return read

    def fixed(self, schema: dict[str, Any], space: str) -> Read:
        full, _ = self.define(schema, space)
        size = schema.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise _wrong(f"the fixed type {_shown(full)} has no size")
        read = _converted(lambda wire: wire.take(size), "fixed", schema)
        self.named[full] = read
        return read

    def array(self, schema: dict[str, Any], space: str) -> Read:
        item = self.reader(schema.get("items"), space)

        def read(wire: Wire) -> list[Any]:
            wire.enter()
            values: list[Any] = []
            while count := wire.block():
                for _ in range(count):
                    wire.budget.take(1)
                    values.append(item(wire))
            wire.depth -= 1
            return values

        return read

    def map(self, schema: dict[str, Any], space: str) -> Read:
        item = self.reader(schema.get("values"), space)

        def read(wire: Wire) -> dict[str, Any]:
            wire.enter()
            values: dict[str, Any] = {}
            while count := wire.block():
                for _ in range(count):
                    wire.budget.take(1)
                    key = wire.text()
                    values[key] = item(wire)
            wire.depth -= 1
            return values

        return read

    def union(self, schemas: list[Any], space: str) -> Read:
        branches = [self.reader(schema, space) for schema in schemas]
        return lambda wire: branches[wire.choice(len(branches), "a branch of a union")](wire)


def _primitive(kind: str, schema: dict[str, Any]) -> Read:
    return _converted(_PRIMITIVES[kind], kind, schema)


def _converted(read: Read, kind: str, schema: dict[str, Any]) -> Read:
    convert = conversion(kind, schema)
    return (lambda wire: convert(read(wire))) if convert else read


def _shown(part: object) -> str:
    return f"`{str(part)[:60]}`"


def _wrong(what: str) -> PayloadError:
    return PayloadError(f"this is not an Avro schema: {what}")


_FULL_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_PRIMITIVES: dict[str, Read] = {
    "null": lambda _wire: None,
    "boolean": Wire.boolean,
    "int": Wire.long,
    "long": Wire.long,
    "float": Wire.single,
    "double": Wire.double,
    "bytes": Wire.blob,
    "string": Wire.text,
}
_KINDS: dict[str, Callable[[_Compiler, dict[str, Any], str], Read]] = {
    "record": _Compiler.record,
    "error": _Compiler.record,
    "enum": _Compiler.enum,
    "fixed": _Compiler.fixed,
    "array": _Compiler.array,
    "map": _Compiler.map,
}
