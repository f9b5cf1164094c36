"""Heads of messages: what a request line and its headers say, and how those of an answer are written (RFC 9112)."""

import re
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote

Field: TypeAlias = tuple[bytes, bytes]

_HOST: Final = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")  # RFC 3986, section 3.2.2; a port may follow
_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}".encode() for each in HTTPStatus}


class RefusedError(Exception):
    """A request that cannot be taken; ``status`` says why."""

    def __init__(self, status: int) -> None:
        """Keep the status."""
        super().__init__(HTTPStatus(status).phrase)
        self.status = status


class Target(NamedTuple):
    """What a request asks for: the path as it came and decoded, the query, and the authority of an absolute form."""

    raw_path: bytes
    path: str
    query: bytes
    authority: bytes | None = None


def target_of(method: str, url: bytes) -> Target:
    """Read a request target (RFC 9112, section 3.2).

    Raises:
        RefusedError: it is none that a server is sent (400), or the one of a tunnel (501).
    """
    if b"#" in url:
        raise RefusedError(400)
    if url.startswith(b"/"):
        raw_path, _mark, query = url.partition(b"?")
        path = raw_path.decode("latin-1")  # the parser takes no bytes above 127
        return Target(raw_path, unquote(path) if "%" in path else path, query)
    if method == "CONNECT":
        raise RefusedError(501)
    if url == b"*" and method == "OPTIONS":
        return Target(b"*", "*", b"")
    return _absolute(method, url)


def _absolute(method: str, url: bytes) -> Target:
    """A target with its authority, which stands above the Host header (RFC 9112, section 3.2.2)."""
    scheme, separator, rest = url.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        raise RefusedError(400)
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, left = rest[:end], rest[end:]
    if not authority or not is_host(authority):
        raise RefusedError(400)
    target = target_of(method, left if left.startswith(b"/") else b"/" + left)
    return target._replace(authority=authority)


@lru_cache(maxsize=256)
def is_host(value: bytes) -> bool:
    """Whether a Host header is well-formed (RFC 9112, section 3.2): a server must not guess what else was meant."""
    return _HOST.fullmatch(value) is not None


def check_headers(version: str, headers: list[Field], by_name: Mapping[bytes, bytes]) -> None:
    """Refuse what two readers could understand differently; what the parser has refused already is not looked at.

    Raises:
        RefusedError: status 400, 417 or 501.
    """
    hosts = 1 if b"host" in by_name else 0
    if len(by_name) != len(headers):  # some header came twice
        hosts = sum(name == b"host" for name, _value in headers)
    if hosts > 1 or (hosts == 0 and version == "1.1") or not is_host(by_name.get(b"host", b"")):
        raise RefusedError(400)
    coding = by_name.get(b"transfer-encoding")
    if coding is not None:
        if version == "1.0":  # RFC 9112, section 6.1: its framing is faulty
            raise RefusedError(400)
        if coding.lower() != b"chunked":
            raise RefusedError(501)
    if by_name.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise RefusedError(417)


def head_of(status: int, fields: Iterable[Field], added: tuple[bytes, ...]) -> bytes:
    """The head of an answer.

    Raises:
        ValueError: a name or a value would end its line.
    """
    lines = [_LINES.get(status) or b"HTTP/1.1 %d " % status, *[b": ".join(field) for field in fields], *added]
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        raise ValueError("a header of the answer holds a line break")
    return head + b"\r\n\r\n"


def refusal(status: int) -> bytes:
    """A whole answer that says no more than its status, and that it is the last of its connection."""
    return head_of(status, (), (date_line(), b"connection: close", b"content-length: 0"))


def date_line() -> bytes:
    """The Date header of this second (RFC 9110, section 6.6.1)."""
    return _date_line(int(time()))


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return b"date: " + formatdate(second, usegmt=True).encode()
