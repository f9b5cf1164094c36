"""Content codings of answers (RFC 9110, section 8.4.1): taken off within a cap."""

import zlib
from collections.abc import Callable

from capably.upstream.reply import Trouble, UpstreamError

ACCEPTED = "gzip, deflate"
"""What requests say they accept."""

_GZIP = zlib.MAX_WBITS | 16


def decoded(coding: str, body: bytes, cap: int) -> bytes:
    """A body without its codings; the one applied last stands last.

    Raises:
        UpstreamError: it cannot be decoded, or holds more than ``cap`` bytes.
    """
    for name in reversed([word.strip().lower() for word in coding.split(",")]):
        decode = _CODINGS.get(name)
        if decode is None:
            raise UpstreamError(Trouble.BROKEN, f"its content coding `{name[:40]}` was not asked for")
        try:
            body = decode(body, cap)
        except zlib.error as problem:
            raise UpstreamError(Trouble.BROKEN, f"it is not the {name} it says it is: {problem}") from problem
    return body


def _inflated(body: bytes, cap: int, bits: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while body:  # a gzip body may have several members: RFC 1952, section 2.2
        inflater = zlib.decompressobj(bits)
        part = inflater.decompress(body, cap - size + 1)
        size += len(part)
        if size > cap:
            raise UpstreamError(Trouble.TOO_LARGE, f"more than {cap} bytes")
        parts.append(part)
        if not inflater.eof:
            raise zlib.error("it is cut short")
        body = inflater.unused_data
    return b"".join(parts)


def _deflate(body: bytes, cap: int) -> bytes:
    """Deflate with the zlib wrapper it should have, or without, as some servers send it."""
    try:
        return _inflated(body, cap, zlib.MAX_WBITS)
    except zlib.error:
        return _inflated(body, cap, -zlib.MAX_WBITS)


_CODINGS: dict[str, Callable[[bytes, int], bytes]] = {
    "": lambda body, _cap: body,
    "identity": lambda body, _cap: body,
    "gzip": lambda body, cap: _inflated(body, cap, _GZIP),
    "x-gzip": lambda body, cap: _inflated(body, cap, _GZIP),
    "deflate": _deflate,
}
