"""The JSON Schema of capability documents, made from the same declarations that the decoder reads.

For editors: it knows every key with its description, in the list and the map shape, under its old and new names.
Unknown keys are allowed here, as everywhere in capably; ``capably check`` tells of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from capably.dialects import NAMED, RENAMED, VERSIONS
from capably.model.capability import Bind, Info
from capably.model.consumes import Consumes
from capably.model.decode import SERVER_KINDS
from capably.model.exposes import Exposes
from capably.model.fields import Record, Value, values_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class DocumentedKey:
    """One key of a record: what a reference page says of it."""

    name: str
    value: Value
    required: bool
    doc: str
    since: str
    older: tuple[str, ...]


def documented_keys(kind: type[Record]) -> Iterator[DocumentedKey]:
    """The keys of a record, in the order of its declaration."""
    older = {new: old for old, new in RENAMED.items()}
    values = values_of(kind)
    for item in fields(kind):
        if "key" in item.metadata:
            name = item.metadata["key"]
            yield DocumentedKey(
                name=name,
                value=values[item.name],
                required=item.metadata["required"],
                doc=item.metadata["doc"],
                since=item.metadata["since"],
                older=(older[name],) if name in older else (),
            )


def document_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a capability document."""
    definitions: dict[str, Any] = {}
    sections = {
        "binds": _entries(Bind, definitions),
        "consumes": _entries(Consumes, definitions),
        "exposes": {"type": "array", "items": _server(definitions)},
        "aggregates": {"type": "array", "description": "Flows that several servers share."},
    }
    capability = {"type": "object", "description": "What is consumed and what is exposed.", "properties": sections}
    root = {
        "info": _reference(Info, definitions),
        "capability": capability,
        **sections,
        **{dialect: _version(dialect, versions) for dialect, versions in VERSIONS.items()},
    }
    return {
        "$schema": DIALECT,
        "title": "capability document",
        "type": "object",
        "properties": root,
        "oneOf": [{"required": [dialect]} for dialect in VERSIONS],
        "$defs": definitions,
    }


def _version(dialect: str, versions: tuple[str, ...]) -> dict[str, Any]:
    return {"description": f"The version of the language, as {dialect} numbers it.", "enum": list(versions)}


def _entries(kind: type[Record], definitions: dict[str, Any]) -> dict[str, Any]:
    imported = {
        "type": "object",
        "description": "An entry of another file.",
        "properties": {name: {"type": "string"} for name in ("import", "from", "location", "as", "description")},
        "required": ["import"],
    }
    return {"type": "array", "items": {"anyOf": [_reference(kind, definitions), imported]}}


def _server(definitions: dict[str, Any]) -> dict[str, Any]:
    kinds = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": _reference(kind, definitions),
        }
        for name, kind in SERVER_KINDS.items()
    ]
    return {"type": "object", "description": Exposes.__doc__, "allOf": kinds}


def _reference(kind: type[Record], definitions: dict[str, Any]) -> dict[str, Any]:
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}  # taken, so that a record inside itself ends
        definitions[kind.__name__] = _record(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _record(kind: type[Record], definitions: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = []
    for item in documented_keys(kind):
        schema = {"description": item.doc, **_value(item, definitions)}
        properties[item.name] = schema
        properties |= {name: {**schema, "deprecated": True} for name in item.older}
        if item.required and item.name != "name" and not item.older:
            required.append(item.name)
    schema = {"type": "object", "description": kind.__doc__, "properties": properties}
    return {**schema, "required": required} if required else schema


_TEXT: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
_SIMPLE: dict[Any, dict[str, Any]] = {
    str: _TEXT,
    int: {"type": ["integer", "string", "null"]},
    bool: {"type": ["boolean", "string", "null"]},
}


def _value(item: DocumentedKey, definitions: dict[str, Any]) -> dict[str, Any]:
    value = item.value
    if value.one_of:
        return {"enum": list(value.one_of)}
    one = _one(value.kind, definitions)
    if value.shape == "map":
        return {"type": ["object", "null"], "additionalProperties": one}
    if value.shape == "list":
        return _collection(item.name, one)
    return one


def _one(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind is None:
        return {}
    return _SIMPLE[kind] if kind in _SIMPLE else _reference(kind, definitions)


def _collection(name: str, one: dict[str, Any]) -> dict[str, Any]:
    listed = {"type": ["array", "null"], "items": one}
    if name not in NAMED:
        return listed
    by_name = {"type": "object", "additionalProperties": {"anyOf": [one, {"type": "null"}]}}
    return {"anyOf": [listed, by_name]}
