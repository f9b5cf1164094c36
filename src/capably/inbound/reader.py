"""Reading requests: bytes in, exchanges out.

The parser (llhttp, the one of Node.js) is strict: it refuses a Content-Length beside a Transfer-Encoding, two of
either, lengths and chunk sizes that are no plain numbers, folded headers and line ends other than CR LF. What it leaves
open is decided in :mod:`capably.inbound.head`.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from capably.inbound.exchange import Carrier, Exchange
from capably.inbound.head import Field, RefusedError, check_headers, target_of

_VERSIONS: Final = frozenset({"1.0", "1.1"})


class Taker(Carrier, Protocol):
    """The connection, as far as a reader needs it."""

    def take(self, exchange: Exchange) -> None:
        """Take a request whose head is whole."""
        ...

    def refuse(self, status: int) -> None:
        """Take nothing more, for what came is no request that can be answered."""
        ...


class Reader:
    """Reads the requests of one connection.

    ``receiving`` is the request whose body is arriving. ``is_deaf`` is set when nothing that comes is looked at any
    more, because it cannot be told from what came before, or nobody would answer it.
    """

    def __init__(self, taker: Taker, scope: Mapping[str, Any], head_bytes: int) -> None:
        """Begin.

        Args:
            taker: what takes the requests.
            scope: what the scopes of all requests have in common.
            head_bytes: the most a request line and its headers may have.
        """
        self._taker = taker
        self._scope = scope
        self._most = head_bytes
        self._parser = HttpRequestParser(self)
        self._url = b""
        self._headers: list[Field] = []
        self._head_bytes = 0  # of a head that is not whole yet
        self._fed = 0  # bytes that are being parsed
        self._framing = b""  # of a body that the parser would not read
        self.receiving: Exchange | None = None
        self.is_deaf = False

    @property
    def is_in_head(self) -> bool:
        """Whether a request has begun whose headers are not whole."""
        return bool(self._url)

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        self._fed = len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._go_on(data[upgrade.args[0] :])
        except HttpParserError:
            self._refuse(400)
        else:
            if self._url and not self.is_deaf:
                self._count(len(data))

    def _go_on(self, rest: bytes) -> None:
        """Read on after a request that asked for another protocol, which is none of ours (RFC 9110, section 7.8).

        The parser takes what follows for that protocol. When it is a body, another parser reads it, by the same
        framing: taken for a request, it would be one that its sender may not have meant.
        """
        framing, self._framing = self._framing, b""
        if framing:
            self._parser = HttpRequestParser(self)
            self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        if rest and not self.is_deaf:
            self.feed(rest)

    def _count(self, fed: int) -> None:
        """Count the bytes of a head that is not whole; those it shares a packet with may belong to another message."""
        self._head_bytes = self._head_bytes + fed if self._head_bytes else _size(self._url, self._headers)
        if self._head_bytes > self._most:
            self._refuse(431)

    def _refuse(self, status: int) -> None:
        if not self.is_deaf:
            self.is_deaf = True
            self._taker.refuse(status)

    # What the parser calls.

    def on_url(self, part: bytes) -> None:
        """A part of the request target."""
        self._url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers are left out."""
        if self.receiving is None:
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """A request can begin; its body may still be arriving."""
        if self.receiving is not None:  # the body is read by another parser from now on
            self._url = b""
            return
        if self.is_deaf:
            return
        try:
            self.receiving = self._exchange()
        except RefusedError as refused:
            self._refuse(refused.status)
        else:
            self._taker.take(self.receiving)

    def _exchange(self) -> Exchange:
        url, headers, parser = self._url, self._headers, self._parser
        if self._head_bytes + self._fed > self._most and _size(url, headers) > self._most:
            raise RefusedError(431)
        self._url, self._headers, self._head_bytes = b"", [], 0
        version = parser.get_http_version()
        if version not in _VERSIONS:
            raise RefusedError(505)
        by_name = dict(headers)
        check_headers(version, headers, by_name)
        method = parser.get_method().decode("ascii")
        raw_path, path, query, authority = target_of(method, url)
        if authority is not None:
            headers = [(b"host", authority), *(field for field in headers if field[0] != b"host")]
        scope = {
            **self._scope,
            "http_version": version,
            "method": method,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
        }
        if b"upgrade" in by_name and parser.should_upgrade():
            self._framing = _framing(by_name)
        expects = version == "1.1" and b"expect" in by_name
        return Exchange(self._taker, scope, keeps_open=parser.should_keep_alive(), expects_continue=expects)

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        exchange = self.receiving
        if exchange is not None:
            exchange.feed(part)
            self._taker.regulate()

    def on_message_complete(self) -> None:
        """A request is whole; after the last one of a connection nothing is read."""
        if self._framing:
            return
        exchange, self.receiving = self.receiving, None
        if exchange is not None:
            exchange.is_received = True
            exchange.wake()
            self.is_deaf = self.is_deaf or not exchange.keeps_open


def _framing(by_name: Mapping[bytes, bytes]) -> bytes:
    """The header that tells the end of a body; empty when there is none."""
    names = (b"transfer-encoding", b"content-length")
    return next((name + b": " + by_name[name] for name in names if by_name.get(name, b"0") != b"0"), b"")


def _size(url: bytes, headers: list[Field]) -> int:
    """Bytes of a head (RFC 6585, section 5)."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
