"""Building upstream requests: pure, from a compiled template and the inputs of one call.

Every value is encoded for where it stands: one percent-encoded segment in a path (RFC 3986, section 2.1), a form
encoded pair in a query, a field value without control characters in a header (RFC 9110, section 5.5), JSON, a form or
escaped character data in a body.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec

from capably.expr.source import ABSENT, Source, evaluate
from capably.upstream import styles
from capably.upstream.bodies import BodyKind, BodyTemplate, PartTemplate, write_body
from capably.upstream.sendable import RequestError, sendable
from capably.upstream.styles import SIMPLE, Layout, Style

__all__ = [
    "OF_THE_CONNECTION",
    "BodyKind",
    "BodyTemplate",
    "Layout",
    "Pairs",
    "PartTemplate",
    "PathValue",
    "Request",
    "RequestError",
    "RequestTemplate",
    "Style",
    "build_request",
]

_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:[/?]|$)")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")  # RFC 3986, section 2.3
_FORBIDDEN_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
OF_THE_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te"),
        *("trailer", "transfer-encoding", "upgrade", "http2-settings"),
        *("content-length", "expect", "host"),
    }
)
"""Headers that belong to one connection or frame one message (RFC 9110, section 7.6.1): only the client writes them."""


@dataclass(frozen=True, slots=True)
class PathValue:
    """A hole in a path. ``name`` is the placeholder's, for messages; ``layout`` says how a list is written."""

    name: str
    source: Source
    layout: Layout | None = None


Pairs: TypeAlias = tuple[tuple[str, Source], ...]


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """An upstream request with holes.

    ``base`` and the text parts of ``path`` are ready to send; ``query`` may follow a ``?`` that ``path`` contains.
    ``layouts`` says how lists and objects are written, by place and name, where the document does.
    """

    method: str
    base: str
    path: tuple[str | PathValue, ...]
    query: Pairs = ()
    headers: Pairs = ()
    cookies: Pairs = ()
    body: BodyTemplate | None = None
    layouts: Mapping[tuple[str, str], Layout] = field(default_factory=dict)


Headers: TypeAlias = tuple[tuple[str, str], ...]


class Request(msgspec.Struct, frozen=True):
    """An upstream request, complete: ``url`` is encoded, ``body`` is ``None`` when none is sent.

    ``answer_bytes`` is the most its answer may hold, where the client's own limit is not meant. A success that holds
    more than ``streams_over`` bytes is handed on while it arrives.
    """

    method: str
    url: str
    headers: Headers
    body: bytes | None
    answer_bytes: int | None = None
    streams_over: int | None = None

    def with_headers(self, added: Headers) -> "Request":
        """The same with more headers."""
        return msgspec.structs.replace(self, headers=self.headers + added)


def build_request(template: RequestTemplate, inputs: Mapping[str, Any]) -> Request:
    """Fill a template.

    Raises:
        RequestError: a path value is missing, empty or would change the path, or a value cannot stand where it is put.
    """
    url = template.base + _path(template, inputs)
    if template.query:
        query = "&".join(f"{name}={text}" for name, text in _pairs(template, "query", template.query, inputs))
        if query:
            joint = "&" if "?" in url else "?"
            url = f"{url}{joint}{query}"
    headers = list(_headers(template, inputs)) if template.headers or template.cookies else []
    body = write_body(template.body, inputs, _found(headers, "content-type")) if template.body is not None else None
    if body is not None and (body.is_own or _found(headers, "content-type") is None):
        headers = [pair for pair in headers if pair[0].lower() != "content-type"]
        headers.append(("Content-Type", _header_value("Content-Type", body.media_type)))
    return Request(template.method, url, tuple(headers), body.content if body is not None else None)


def _found(headers: list[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _headers(template: RequestTemplate, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    cookies = [f"{name}={text}" for name, text in _pairs(template, "cookie", template.cookies, inputs)]
    for name, source in template.headers:
        value = evaluate(source, inputs)
        if value is ABSENT or value is None or name.lower() in OF_THE_CONNECTION:
            continue
        layout = template.layouts.get(("header", name), SIMPLE)
        text = _header_value(name, _text(name, value, layout, partial(sendable, name)))
        if name.lower() == "cookie" and cookies:
            cookies.insert(0, text)
        else:
            yield name, text
    if cookies:
        yield "Cookie", "; ".join(cookies)


def _path(template: RequestTemplate, inputs: Mapping[str, Any]) -> str:
    pieces = []
    dots = []
    for part in template.path:
        if isinstance(part, str):
            pieces.append(part)
            continue
        text = _path_value(part, inputs)
        pieces.append(text)
        if not text.strip("."):
            dots.append((part.name, text))
    path = "".join(pieces)
    for name, text in dots:
        if _DOT_SEGMENT.search(path):
            # RFC 3986, section 5.2.4: every client and server on the way would remove it, encoded or not.
            raise RequestError(name, f"`{name}` must not be `{text}`: it would change the path")
    return path


def _path_value(hole: PathValue, inputs: Mapping[str, Any]) -> str:
    value = evaluate(hole.source, inputs)
    if isinstance(value, str) and hole.layout is None:
        text = _escaped(hole.name, value)
    else:
        text = "" if value is ABSENT else _text(hole.name, value, hole.layout or SIMPLE, _quoted(hole.name))
    if not text:
        raise RequestError(hole.name, f"`{hole.name}` is part of the path and must not be empty")
    return text


def _text(name: str, value: Any, layout: Layout, encode: Callable[[Any], str]) -> str:
    """One text for a place that takes no more; an object is its JSON unless the document says otherwise."""
    if isinstance(value, dict) and layout is SIMPLE:
        return encode(value)
    return styles.text(name, value, layout, encode)


def _quoted(name: str) -> Callable[[Any], str]:
    return lambda value: _escaped(name, value)


def _escaped(name: str, value: Any) -> str:
    """A value percent-encoded; most identifiers need no encoding."""
    if isinstance(value, str) and _UNRESERVED.fullmatch(value):
        return value
    return quote(sendable(name, value), safe="")


def _pairs(template: RequestTemplate, place: str, pairs: Pairs, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is sent for parameters, encoded: nothing where there is no value."""
    for name, source in pairs:
        value = evaluate(source, inputs)
        if value is not ABSENT and value is not None:
            yield from styles.pairs(name, value, template.layouts.get((place, name)), _quoted(name))


def _header_value(name: str, value: str) -> str:
    if _FORBIDDEN_IN_HEADER.search(value):
        raise RequestError(name, f"`{name}` is sent as a header and must not contain line breaks or control characters")
    return value.strip(" \t")
