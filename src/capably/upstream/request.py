"""Building upstream requests: pure, from a compiled template and the inputs of one call.

Every value is encoded for where it stands: one percent-encoded segment in a path (RFC 3986, section 2.1), a form
encoded pair in a query, a field value without control characters in a header (RFC 9110, section 5.5), JSON, a form or
escaped character data in a body.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from capably.expr.source import ABSENT, AbsentType, Source, Text, as_text, evaluate, join

_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:[/?]|$)")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character: UTF-8 cannot say it
_FORBIDDEN_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class BodyKind(StrEnum):
    """How a request body is written; the value is its media type."""

    JSON = "application/json"
    FORM = "application/x-www-form-urlencoded"
    TEXT = "text/plain; charset=utf-8"
    XML = "application/xml"
    SPARQL = "application/sparql-query"


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """The body of a request: how it is written and what it holds. ``added`` are secrets that become fields of it."""

    kind: BodyKind
    source: Source
    added: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class PathValue:
    """A hole in a path. ``name`` is the placeholder's, for messages."""

    name: str
    source: Source


Pairs: TypeAlias = tuple[tuple[str, Source], ...]


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """An upstream request with holes.

    ``base`` and the text parts of ``path`` are ready to send; ``query`` may follow a ``?`` that ``path`` contains.
    """

    method: str
    base: str
    path: tuple[str | PathValue, ...]
    query: Pairs = ()
    headers: Pairs = ()
    cookies: Pairs = ()
    body: BodyTemplate | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An upstream request, complete: ``url`` is encoded, ``body`` is ``None`` when none is sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


class RequestError(ValueError):
    """A value that cannot be sent where the document puts it. ``input`` names the parameter."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.input = name


def build_request(template: RequestTemplate, inputs: Mapping[str, Any]) -> Request:
    """Fill a template.

    Raises:
        RequestError: a path value is missing, empty or would change the path, or a value cannot stand where it is put.
    """
    url = template.base + _path(template, inputs)
    query = list(_pairs(template.query, inputs))
    if query:
        joint = "&" if "?" in url else "?"
        url = f"{url}{joint}{urlencode(query, quote_via=quote)}"
    headers = [(name, _header_value(name, value)) for name, value in _pairs(template.headers, inputs)]
    cookies = [f"{name}={quote(value, safe='')}" for name, value in _pairs(template.cookies, inputs)]
    if cookies:
        headers.append(("Cookie", "; ".join(cookies)))
    body = _body(template.body, inputs) if template.body is not None else None
    if body is not None and template.body is not None and not _has(headers, "content-type"):
        headers.append(("Content-Type", template.body.kind.value))
    return Request(template.method, url, tuple(headers), body)


def _has(headers: list[tuple[str, str]], name: str) -> bool:
    return any(key.lower() == name for key, _value in headers)


def _path(template: RequestTemplate, inputs: Mapping[str, Any]) -> str:
    values = {part.name: _path_value(part, inputs) for part in template.path if not isinstance(part, str)}
    path = "".join(part if isinstance(part, str) else quote(values[part.name], safe="") for part in template.path)
    for name, value in values.items():
        if not value.strip(".") and _DOT_SEGMENT.search(path):
            # RFC 3986, section 5.2.4: every client and server on the way would remove it, encoded or not.
            raise RequestError(name, f"`{name}` must not be `{value}`: it would change the path")
    return path


def _path_value(hole: PathValue, inputs: Mapping[str, Any]) -> str:
    value = evaluate(hole.source, inputs)
    text = "" if value is ABSENT else _sendable(hole.name, value)
    if not text:
        raise RequestError(hole.name, f"`{hole.name}` is part of the path and must not be empty")
    return text


def _sendable(name: str, value: Any) -> str:
    text = as_text(value)
    if not text.isascii() and _SURROGATE.search(text):
        raise RequestError(name, f"`{name}` is not text: it holds half of a character")
    return text


def _pairs(pairs: Pairs, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [pair for name, source in pairs for pair in _spread(name, evaluate(source, inputs))]


def _spread(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """What is sent for a value: nothing when there is none, a pair for each item of a list."""
    if value is ABSENT or value is None:
        return
    for item in value if isinstance(value, list) else (value,):
        yield name, _sendable(name, item)


def _header_value(name: str, value: str) -> str:
    if _FORBIDDEN_IN_HEADER.search(value):
        raise RequestError(name, f"`{name}` is sent as a header and must not contain line breaks or control characters")
    return value.strip(" \t")


def _body(template: BodyTemplate, inputs: Mapping[str, Any]) -> bytes | None:
    value = _body_value(template, inputs)
    if template.added:
        value = _completed(value, template.added)
    if value is ABSENT:
        return None
    if template.kind is BodyKind.FORM and isinstance(value, dict):
        return urlencode([pair for name, item in value.items() for pair in _spread(name, item)]).encode()
    try:
        return msgspec.json.encode(value) if template.kind is BodyKind.JSON else as_text(value).encode()
    except UnicodeEncodeError as problem:
        raise RequestError("body", "the body is not text: it holds half of a character") from problem


def _completed(value: Any, added: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """A body with the secrets that belong into it."""
    fields = {} if value is ABSENT or value is None else value
    if not isinstance(fields, dict):
        raise RequestError("body", "the body must be an object: the API key is one of its fields")
    return fields | dict(added)


def _body_value(template: BodyTemplate, inputs: Mapping[str, Any]) -> Any | AbsentType:
    if template.kind is BodyKind.XML and isinstance(template.source, Text):
        return join(template.source, inputs, lambda value: html.escape(as_text(value)))
    return evaluate(template.source, inputs)
