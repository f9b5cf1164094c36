"""Writing request bodies: pure, one function for each kind, chosen from a table."""

import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias
from urllib.parse import quote_plus, urlencode

import msgspec

from capably.expr.source import ABSENT, FromInput, Source, Text, as_text, evaluate, join
from capably.upstream import encoded, multipart
from capably.upstream.encoded import Blob
from capably.upstream.escapes import Escape, fill, in_sparql, in_xml
from capably.upstream.sendable import RequestError, sendable
from capably.upstream.yaml_text import to_yaml


class BodyKind(StrEnum):
    """How a request body is written; the value is its media type."""

    JSON = "application/json"
    FORM = "application/x-www-form-urlencoded"
    MULTIPART = "multipart/form-data"
    TEXT = "text/plain; charset=utf-8"
    XML = "application/xml"
    SPARQL = "application/sparql-query"
    YAML = "application/yaml"
    BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class PartTemplate:
    """One field of a multipart form; absent when its value is."""

    name: Source
    value: Source
    filename: Source | None = None
    media_type: Source | None = None


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """The body of a request: how it is written and what it holds.

    ``added`` are secrets that become fields of it. ``parts`` are those of a multipart form whose document lists them.
    ``media_type`` is stated beside the data. With ``follows_header`` nothing says how it is written: a Content-Type
    header decides, else ``kind`` does.
    """

    kind: BodyKind
    source: Source
    added: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    parts: tuple[PartTemplate, ...] | None = None
    media_type: Source | None = None
    follows_header: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A body, complete. ``is_own`` says that no other media type than this one describes it."""

    content: bytes
    media_type: str
    is_own: bool = False


_KINDS_BY_ENDING = (
    ("json", BodyKind.JSON),
    ("/x-www-form-urlencoded", BodyKind.FORM),
    ("xml", BodyKind.XML),
    ("/sparql-query", BodyKind.SPARQL),
    ("yaml", BodyKind.YAML),
)


WITH_FIELDS = frozenset({BodyKind.JSON, BodyKind.FORM, BodyKind.MULTIPART, BodyKind.YAML})
"""Kinds whose bodies are objects."""


def kind_of(media_type: str) -> BodyKind:
    """How a body of a media type is written."""
    essence = media_type.partition(";")[0].strip().lower()
    if essence.startswith("multipart/"):
        return BodyKind.MULTIPART
    for ending, kind in _KINDS_BY_ENDING:
        if essence.endswith(ending):
            return kind
    return BodyKind.TEXT if encoded.is_textual(essence) else BodyKind.BINARY


def write_body(template: BodyTemplate, inputs: Mapping[str, Any], header: str | None) -> Body | None:
    """Write a body; ``None`` when there is nothing to send.

    Args:
        template: the body.
        inputs: the inputs of the call.
        header: the Content-Type header that the document or the caller states, if one does.

    Raises:
        RequestError: a value cannot be written so.
    """
    stated = _text_of(template.media_type, inputs) or header
    kind = kind_of(stated) if template.follows_header and stated else template.kind
    if template.added and kind not in WITH_FIELDS:
        kind = template.kind
    try:
        return _WRITERS[kind](template, inputs, stated or kind.value)
    except UnicodeEncodeError as problem:
        raise RequestError("body", "the body is not text: it holds half of a character") from problem


def _text_of(source: Source | None, inputs: Mapping[str, Any]) -> str | None:
    value = ABSENT if source is None else evaluate(source, inputs)
    return None if value is ABSENT or value is None else as_text(value)


def _value(template: BodyTemplate, inputs: Mapping[str, Any]) -> Any:
    value = evaluate(template.source, inputs)
    return _completed(value, template.added) if template.added else value


def _completed(value: Any, added: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """A body with the secrets that belong into it."""
    fields = {} if value is ABSENT or value is None else value
    if not isinstance(fields, dict):
        raise RequestError("body", "the body must be an object: the API key is one of its fields")
    return fields | dict(added)


def _json(template: BodyTemplate, inputs: Mapping[str, Any], media_type: str) -> Body | None:
    value = _value(template, inputs)
    if isinstance(template.source, FromInput) and isinstance(value, str):
        value = _structure(value)
    return None if value is ABSENT else Body(msgspec.json.encode(value), media_type)


def _structure(text: str) -> Any:
    """The object or list that a text holds as JSON; a text that is the whole body and holds none stays text."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text
    return value if isinstance(value, dict | list) else text


def _yaml(template: BodyTemplate, inputs: Mapping[str, Any], media_type: str) -> Body | None:
    value = _value(template, inputs)
    if value is ABSENT:
        return None
    text = as_text(value) if isinstance(template.source, Text) else to_yaml(value)
    return Body(text.encode(), media_type)


def _form(template: BodyTemplate, inputs: Mapping[str, Any], media_type: str) -> Body | None:
    """Pairs (WHATWG URL, "application/x-www-form-urlencoded serializing"); in a text, values are encoded."""
    if isinstance(template.source, Text) and not template.added:
        text = join(template.source, inputs, lambda value: quote_plus(sendable("body", value)))
        return None if text is ABSENT else Body(as_text(text).encode(), media_type)
    value = _value(template, inputs)
    if value is ABSENT:
        return None
    if not isinstance(value, dict):
        return Body(as_text(value).encode(), media_type)
    pairs = [(name, sendable(name, item)) for name, held in value.items() for item in _each(held)]
    return Body(urlencode(pairs).encode("ascii"), media_type)


def _each(value: Any) -> list[Any]:
    """What is sent for a value: nothing when there is none, each item of a list."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if item is not None]


_Write: TypeAlias = Callable[[BodyTemplate, Mapping[str, Any], str], Body | None]


def _escaped(escape: Escape) -> _Write:
    def write(template: BodyTemplate, inputs: Mapping[str, Any], media_type: str) -> Body | None:
        source = template.source
        value = fill(source, inputs, escape) if isinstance(source, Text) else _only_field(evaluate(source, inputs))
        return None if value is ABSENT or value is None else Body(as_text(value).encode(), media_type)

    return write


def _only_field(value: Any) -> Any:
    """What an object of one field holds: a body of text or bytes has no names, so none can be meant."""
    return next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else value


def _binary(template: BodyTemplate, inputs: Mapping[str, Any], media_type: str) -> Body | None:
    value = _only_field(evaluate(template.source, inputs))
    if value is ABSENT or value is None:
        return None
    blob = _blob(sendable("body", value), media_type)
    is_default = media_type == BodyKind.BINARY.value
    return Body(blob.content, blob.media_type if is_default and blob.media_type is not None else media_type)


def _blob(text: str, media_type: str) -> Blob:
    """The bytes a text stands for: those of a data URL, of base64 where bytes are due, else its own."""
    blob = encoded.read_data_url(text)
    if blob is not None:
        return blob
    content = None if encoded.is_textual(media_type) else encoded.read_base64(text)
    return Blob(text.encode() if content is None else content)


def _multipart(template: BodyTemplate, inputs: Mapping[str, Any], media_type: str) -> Body | None:
    parts = [part for item in template.parts or () for part in _parts(item, inputs)]
    value = _value(template, inputs) if template.parts is None or template.added else {}
    if value is ABSENT:
        return None
    if not isinstance(value, dict):
        raise RequestError("body", "the body is a multipart form: give an object of its fields")
    parts += [_part(name, item) for name, held in value.items() for item in _each(held)]
    content, boundary = multipart.encode(parts)
    essence = media_type.partition(";")[0].strip()
    return Body(content, f"{essence}; boundary={boundary}", is_own=True)


def _parts(item: PartTemplate, inputs: Mapping[str, Any]) -> list[multipart.Part]:
    value = evaluate(item.value, inputs)
    if value is ABSENT:
        return []
    name = _text_of(item.name, inputs) or ""
    filename, media_type = _text_of(item.filename, inputs), _text_of(item.media_type, inputs)
    return [_part(name, held, filename, media_type) for held in _each(value)]


def _part(name: str, value: Any, filename: str | None = None, media_type: str | None = None) -> multipart.Part:
    for text in (name, filename or "", media_type or ""):
        if not multipart.can_name(sendable(name, text)):
            raise RequestError(name, f"`{name}` is part of a form: no name in it may have control characters")
    if media_type is not None and ("\r" in media_type or "\n" in media_type):
        raise RequestError(name, f"the media type of `{name}` must not contain line breaks")
    if isinstance(value, dict | list):
        return multipart.Part(name, msgspec.json.encode(value), filename, media_type or BodyKind.JSON.value)
    text = sendable(name, value)
    if filename is None and media_type is None:
        return _field(name, text)
    due = media_type or mimetypes.guess_type(filename or "")[0] or BodyKind.BINARY.value
    blob = _blob(text, due)
    return multipart.Part(name, blob.content, filename, media_type or blob.media_type or due)


def _field(name: str, text: str) -> multipart.Part:
    """A field of which the document says nothing more: text, or a file when it is a base64 data URL."""
    blob = encoded.read_data_url(text) if ";base64," in text[:200] else None
    if blob is None:
        return multipart.Part(name, text.encode())
    return multipart.Part(name, blob.content, name, blob.media_type or BodyKind.BINARY.value)


def _as_it_is(value: str, _before: str) -> str:
    return value


_WRITERS: dict[BodyKind, _Write] = {
    BodyKind.JSON: _json,
    BodyKind.FORM: _form,
    BodyKind.MULTIPART: _multipart,
    BodyKind.TEXT: _escaped(_as_it_is),
    BodyKind.XML: _escaped(in_xml),
    BodyKind.SPARQL: _escaped(in_sparql),
    BodyKind.YAML: _yaml,
    BodyKind.BINARY: _binary,
}
