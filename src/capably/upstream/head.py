"""The head of a request, as it goes over the wire.

HTTP/1.1 has a line and headers (RFC 9112, sections 3 and 5), HTTP/2 a list of fields (RFC 9113, section 8.3).
"""

from collections.abc import AsyncIterable
from enum import Enum
from typing import Final

from capably import __version__
from capably.upstream.decoding import ACCEPTED
from capably.upstream.pool import Way
from capably.upstream.reply import Trouble, UpstreamError
from capably.upstream.request import OF_THE_CONNECTION, Request

_DEFAULTS: Final = {"user-agent": ("User-Agent", f"capably/{__version__}"), "accept": ("Accept", "*/*")}
_ADDED: Final = {True: _DEFAULTS | {"accept-encoding": ("Accept-Encoding", ACCEPTED)}, False: _DEFAULTS}
_LINES: Final = {
    decodes: {key: f"{name}: {value}\r\n" for key, (name, value) in added.items()} for decodes, added in _ADDED.items()
}
_ALWAYS: Final = {decodes: "".join(lines.values()) for decodes, lines in _LINES.items()}
_NOT_IN_HTTP2: Final = OF_THE_CONNECTION - {"content-length", "expect", "proxy-authorization"}
_TELLS_NOTHING = frozenset({"POST", "PUT", "PATCH"})  # meant to have content, so none is told: RFC 9110, section 8.6


class Framing(Enum):
    """How the end of a body is told (RFC 9112, section 6)."""

    WHOLE = "whole"
    STATED = "stated"
    CHUNKED = "chunked"


def head_of(request: Request, way: Way, target: str, framing: Framing, *, decodes: bool) -> bytes:
    """The head of a request.

    Args:
        request: what is asked for.
        way: how its address is reached.
        target: the path and query to ask for there.
        framing: how the end of the body is told.
        decodes: whether content codings of the answer are taken off here, so that they may be accepted.

    Raises:
        UpstreamError: a header would hold a line break.
    """
    address = way.address
    if way.is_relayed:
        target = f"{address.scheme}://{address.authority}{target}"
    lines = [f"{request.method} {target} HTTP/1.1\r\nHost: {address.authority}\r\n"]
    if not request.headers and not address.authorization and way.proxy is None:  # nearly every request
        lines.append(_ALWAYS[decodes])
        lines.append(_length(request, framing))
        return "".join(lines).encode("utf-8", "surrogateescape")
    added = _LINES[decodes].copy()
    if address.authorization:
        added["authorization"] = f"Authorization: {address.authorization}\r\n"
    for name, value in request.headers:
        if "\r" in value or "\n" in value:
            raise _line_break(name)
        lines.append(f"{name}: {value}\r\n")
        added.pop(name.lower(), None)
    lines += added.values()
    if way.proxy is not None and way.is_relayed and way.proxy.authorization:
        lines.append(f"Proxy-Authorization: {way.proxy.authorization}\r\n")
    lines.append(_length(request, framing))
    return "".join(lines).encode("utf-8", "surrogateescape")


def fields_of(request: Request, way: Way, target: str, framing: Framing, *, decodes: bool) -> list[tuple[bytes, bytes]]:
    """The head of a request over HTTP/2; the arguments are those of :func:`head_of`.

    Raises:
        UpstreamError: a header would hold a line break.
    """
    address = way.address
    fields = [
        (":method", request.method),
        (":scheme", address.scheme),
        (":authority", address.authority),
        (":path", target),
    ]
    added = {key: value for key, (_name, value) in _ADDED[decodes].items()}
    if address.authorization:
        added["authorization"] = address.authorization
    for name, value in request.headers:
        if "\r" in value or "\n" in value:
            raise _line_break(name)
        key = name.lower()
        added.pop(key, None)
        if key not in _NOT_IN_HTTP2 and not (key == "content-length" and framing is Framing.WHOLE):
            fields.append((key, value.strip(" \t")))
    fields += added.items()
    if way.proxy is not None and way.is_relayed and way.proxy.authorization:
        fields.append(("proxy-authorization", way.proxy.authorization))
    if framing is Framing.WHOLE and (request.body is not None or request.method in _TELLS_NOTHING):
        fields.append(("content-length", str(len(request.body or b""))))
    return [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in fields]


def _line_break(name: str) -> UpstreamError:
    return UpstreamError(Trouble.BROKEN, f"the header {name} would hold a line break")


def framing_of(request: Request, body: AsyncIterable[bytes] | bytes | None) -> Framing:
    """How the end of a body is told: one that is still arriving goes out in chunks, unless its length is known."""
    if body is None or isinstance(body, bytes):
        return Framing.WHOLE
    is_known = any(name.lower() == "content-length" for name, _value in request.headers)
    return Framing.STATED if is_known else Framing.CHUNKED


def _length(request: Request, framing: Framing) -> str:
    """How long the body is (RFC 9112, section 6), and the end of the head."""
    if framing is Framing.CHUNKED:
        return "Transfer-Encoding: chunked\r\n\r\n"
    if framing is Framing.STATED or (request.body is None and request.method not in _TELLS_NOTHING):
        return "\r\n"
    return f"Content-Length: {len(request.body or b'')}\r\n\r\n"
