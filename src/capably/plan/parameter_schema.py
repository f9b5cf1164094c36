"""The JSON Schema (2020-12) of what a parameter declares, all the way down.

``items`` and ``properties`` hold parameters again; below them the document's data is read leniently, since published
versions write it as mappings, as lists of named entries and as bare type names.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from capably.document import plain
from capably.model.values import Parameter

MCP_HEADER: Final = "x-mcp-header"
"""The keyword that names the HTTP header a tool's argument is mirrored in (MCP 2026-07-28, Tools: x-mcp-header)."""

_LIMITS: Final = (
    *("pattern", "format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "additionalProperties", MCP_HEADER),
)
"""Keywords that are the same in a document and in a schema."""


def schema_of(parameter: Parameter, default_type: str) -> dict[str, Any]:
    """The schema of a parameter, which is of ``default_type`` unless it says otherwise."""
    stated = plain(parameter.node)
    schema = _schema({**stated, "type": parameter.type or default_type})
    if schema["type"] == "array":
        schema.setdefault("items", {})  # some clients refuse arrays without
    return schema


def _schema(stated: Mapping[str, Any]) -> dict[str, Any]:
    schema = dict(_annotations(stated))
    if "const" in stated:
        schema["const"] = stated["const"]
    choices = stated.get("enum")
    if isinstance(choices, list) and choices:
        schema["enum"] = choices
    schema |= {name: stated[name] for name in _LIMITS if stated.get(name) is not None}
    if stated.get("items") is not None:
        schema["items"] = _of_items(stated["items"])
    if stated.get("properties") is not None:
        schema |= _of_properties(stated)
    return schema


def _annotations(stated: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a schema says besides what it demands; a default of null says nothing."""
    if isinstance(stated.get("type"), str | list):
        yield "type", _type(stated["type"])
    for name, keyword in (("display", "title"), ("description", "description"), ("default", "default")):
        if stated.get(name) not in (None, ""):
            yield keyword, stated[name]
    if stated.get("example") is not None:
        yield "examples", [stated["example"]]


def _of_items(stated: Any) -> dict[str, Any]:
    """The schema of each element: one parameter, or (until 1.0.0-alpha2) a list with its only one or its named ones."""
    if isinstance(stated, list):
        if stated and all(isinstance(item, Mapping) and item.get("name") for item in stated):
            return {"type": "object", **_of_properties({"properties": stated})}
        stated = stated[0] if stated else None
    return _below(stated)


def _of_properties(stated: Mapping[str, Any]) -> dict[str, Any]:
    """``properties`` and ``required``: a property says itself that it is required, or its object lists it."""
    found = dict(_named(stated["properties"]))
    listed = stated.get("required")
    required = [str(name) for name in listed] if isinstance(listed, list) else []
    required += [name for name, item in found.items() if _is_required(item) and name not in required]
    schema: dict[str, Any] = {"properties": {name: _below(item) for name, item in found.items()}}
    return {**schema, "required": required} if required else schema


def _named(stated: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(stated, Mapping):
        yield from stated.items()
    elif isinstance(stated, list):
        for item in stated:
            if isinstance(item, Mapping) and item.get("name"):
                yield str(item["name"]), item


def _is_required(stated: Any) -> bool:
    return isinstance(stated, Mapping) and stated.get("required") is True


def _type(stated: str | list[Any]) -> Any:
    """A type as JSON Schema spells it, whatever its case."""
    if isinstance(stated, list):
        return [_type(item) if isinstance(item, str) else item for item in stated]
    return stated.lower()


def _below(stated: Any) -> dict[str, Any]:
    if isinstance(stated, str):
        return {"type": _type(stated)}
    return _schema(stated) if isinstance(stated, Mapping) else {}
