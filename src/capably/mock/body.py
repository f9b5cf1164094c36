"""Values as the bytes of an answer: JSON, XML, forms, text."""

from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

import msgspec

from capably.mock.request import is_json
from capably.mock.schemas import Schema


def is_xml(media_type: str) -> bool:
    """Whether a media type is XML (RFC 7303)."""
    return media_type.endswith(("/xml", "+xml"))


def escaped(text: str) -> str:
    """A text made safe between the tags and in the attributes of XML."""
    return escape(text, {'"': "&quot;", "'": "&apos;"})


def encode(value: Any, media_type: str, schema: Schema) -> bytes:
    """A value in a media type. Texts are told as they are written, but in JSON, where they are JSON texts."""
    bare = media_type.partition(";")[0].strip().lower()
    if is_json(bare) or bare in {"*/*", ""}:
        return msgspec.json.encode(value)
    if isinstance(value, str):
        return value.encode()
    if is_xml(bare):
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{_element(value, schema, _root_name(schema))}'.encode()
    if bare == "application/x-www-form-urlencoded" and isinstance(value, dict):
        return urlencode(value, doseq=True).encode()
    return msgspec.json.encode(value)


def _root_name(schema: Schema) -> str:
    """The name of the outermost element: ``xml.name``, else that of the component (OpenAPI 3.1, section 4.8.26)."""
    stated = _xml(schema).get("name")
    if stated:
        return str(stated)
    ref = schema.data.get("$ref", "") if isinstance(schema.data, dict) else ""
    return str(ref).rpartition("/")[2] or "root"


def _xml(schema: Schema) -> dict[str, Any]:
    found = schema.resolved().get("xml")
    return found if isinstance(found, dict) else {}


def _element(value: Any, schema: Schema, name: str) -> str:
    rule = _xml(schema)
    tag = f"{rule['prefix']}:{name}" if rule.get("prefix") else name
    space = f":{rule['prefix']}" if rule.get("prefix") else ""
    attributes = f" xmlns{space}={quoteattr(str(rule['namespace']))}" if rule.get("namespace") else ""
    if isinstance(value, list):
        return f"<{tag}{attributes}>{_items(value, schema, name)}</{tag}>"
    if not isinstance(value, dict):
        return f"<{tag}{attributes}>{escaped(_plain(value))}</{tag}>"
    content = ""
    for key, item in value.items():
        part = _property(schema, key)
        named = str(_xml(part).get("name") or key)
        if _xml(part).get("attribute"):
            attributes += f" {named}={quoteattr(_plain(item))}"
        elif isinstance(item, list) and not _xml(part).get("wrapped"):
            content += _items(item, part, named)
        else:
            content += _element(item, part, named)
    return f"<{tag}{attributes}>{content}</{tag}>"


def _items(values: list[Any], schema: Schema, name: str) -> str:
    item = schema.child(schema.resolved().get("items", {}))
    named = str(_xml(item).get("name") or name)
    return "".join(_element(value, item, named) for value in values)


def _property(schema: Schema, key: str) -> Schema:
    data = schema.resolved()
    for part in (data, *(schema.child(each).resolved() for each in data.get("allOf", ()))):
        if key in part.get("properties", {}):
            return schema.child(part["properties"][key])
    return schema.child({})


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
