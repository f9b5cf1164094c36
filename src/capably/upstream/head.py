"""The head of a request: its first line and its headers, as they go over the wire (RFC 9112, sections 3 and 5)."""

from collections.abc import AsyncIterable
from enum import Enum

from capably import __version__
from capably.upstream.decoding import ACCEPTED
from capably.upstream.pool import Way
from capably.upstream.reply import Trouble, UpstreamError
from capably.upstream.request import Request

_DEFAULTS = {"user-agent": f"User-Agent: capably/{__version__}\r\n", "accept": "Accept: */*\r\n"}
_ACCEPT_ENCODING = {"accept-encoding": f"Accept-Encoding: {ACCEPTED}\r\n"}
_ALWAYS = {True: (*_DEFAULTS.values(), *_ACCEPT_ENCODING.values()), False: tuple(_DEFAULTS.values())}
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
        lines += _ALWAYS[decodes]
        lines.append(_length(request, framing))
        return "".join(lines).encode("utf-8", "surrogateescape")
    added = _DEFAULTS | _ACCEPT_ENCODING if decodes else dict(_DEFAULTS)
    if address.authorization:
        added["authorization"] = f"Authorization: {address.authorization}\r\n"
    for name, value in request.headers:
        if "\r" in value or "\n" in value:
            raise UpstreamError(Trouble.BROKEN, f"the header {name} would hold a line break")
        lines.append(f"{name}: {value}\r\n")
        added.pop(name.lower(), None)
    lines += added.values()
    if way.proxy is not None and way.is_relayed and way.proxy.authorization:
        lines.append(f"Proxy-Authorization: {way.proxy.authorization}\r\n")
    lines.append(_length(request, framing))
    return "".join(lines).encode("utf-8", "surrogateescape")


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
