"""One request of a caller and its answer, as the application sees them (ASGI 3.0, HTTP)."""

import asyncio
from collections.abc import MutableMapping
from typing import Any, Final, Protocol

from capably.inbound.head import Field, date_line, head_of

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_CONTENT: Final = frozenset({204, 304})  # RFC 9110, sections 15.3.5 and 15.4.5
_JOINED: Final = 64 * 1024
"""Bytes up to which a body goes out in one piece with its head: copying them costs less than another system call."""


class Carrier(Protocol):
    """The connection, as far as an exchange needs it."""

    is_lost: bool
    is_clogged: bool

    @property
    def is_ending(self) -> bool:
        """Whether the server takes no more requests."""
        ...

    def begun(self) -> None:
        """Know that an answer has begun."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes to the caller."""
        ...

    def regulate(self) -> None:
        """Look anew whether the caller may send more."""
        ...

    async def drained(self) -> None:
        """Wait until the caller has taken enough of what was sent."""
        ...


class Exchange:
    """A request that arrives and an answer that goes out.

    ``is_received`` says that the request is whole, ``is_over`` that the answer is, ``is_begun`` that there is no way
    back to another one. ``keeps_open`` is whether the connection can take another request afterwards.
    """

    __slots__ = (
        "_carrier",
        "_changed",
        "_chunks",
        "_expects_continue",
        "_has_no_body",
        "_head",
        "_is_chunked",
        "_is_read",
        "_left",
        "_size",
        "is_begun",
        "is_broken",
        "is_over",
        "is_received",
        "keeps_open",
        "scope",
    )

    def __init__(
        self, carrier: Carrier, scope: MutableMapping[str, Any], *, keeps_open: bool, expects_continue: bool
    ) -> None:
        """Begin with the head of a request.

        Args:
            carrier: the connection.
            scope: what the application is told of the request.
            keeps_open: whether the caller wants to send another request afterwards.
            expects_continue: whether it waits until it is asked for the body (RFC 9110, section 10.1.1).
        """
        self.scope = scope
        self.keeps_open = keeps_open
        self.is_received = False
        self.is_broken = False
        self.is_begun = False
        self.is_over = False
        self._carrier = carrier
        self._expects_continue = expects_continue
        self._chunks: list[bytes] = []
        self._size = 0
        self._is_read = False
        self._changed: asyncio.Event | None = None
        self._head = b""
        self._left: int | None = None
        self._is_chunked = False
        self._has_no_body = False

    @property
    def buffered(self) -> int:
        """Bytes of the request that the application has not taken."""
        return self._size

    def feed(self, chunk: bytes) -> None:
        """Take a part of the request's body; nobody reads it any more when the answer is over."""
        if not self.is_over:
            self._chunks.append(chunk)
            self._size += len(chunk)
            self.wake()

    def wake(self) -> None:
        """Tell who waits in :meth:`receive` that something has changed."""
        if self._changed is not None:
            self._changed.set()

    async def receive(self) -> MutableMapping[str, Any]:
        """The next part of the request, or that the caller is gone or the answer over."""
        carrier = self._carrier
        if not self._is_read:
            if not self._chunks and not self.is_received and self._expects_continue and not self.is_begun:
                self._expects_continue = False
                carrier.write(_CONTINUE)
            while not (self._chunks or self.is_received or self._is_gone):
                await self._change()
            if not self._is_gone:
                body = b"".join(self._chunks)
                self._chunks.clear()
                if self._size:
                    self._size = 0
                    carrier.regulate()
                self._is_read = self.is_received
                return {"type": "http.request", "body": body, "more_body": not self.is_received}
        while not self._is_gone:
            await self._change()
        return {"type": "http.disconnect"}

    @property
    def _is_gone(self) -> bool:
        return self.is_over or self.is_broken or self._carrier.is_lost

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = asyncio.Event()
        self._changed.clear()
        await self._changed.wait()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a part of the answer; what comes after its end, or when the caller is gone, is dropped.

        Raises:
            RuntimeError: the message cannot come now, or the body is not as long as its head says.
            ValueError: a header holds a line break.
        """
        carrier = self._carrier
        if self.is_over or carrier.is_lost:
            return
        kind = message["type"]
        if kind == "http.response.body":
            self._add(message.get("body", b""), is_last=not message.get("more_body", False))
            if carrier.is_clogged:
                await carrier.drained()
        elif kind == "http.response.start" and not self.is_begun:
            self._begin(message["status"], list(message.get("headers", ())))
        else:
            raise RuntimeError(f"an application sent {kind}, which cannot come now")

    def _begin(self, status: int, fields: list[Field]) -> None:
        told = dict(fields)
        method, is_old = self.scope["method"], self.scope["http_version"] == "1.0"
        if b"transfer-encoding" in told:
            fields = [field for field in fields if field[0] != b"transfer-encoding"]
        added = () if b"date" in told else (date_line(),)
        length = told.get(b"content-length")
        self._has_no_body = method == "HEAD" or status in _NO_CONTENT
        if self._has_no_body:
            pass
        elif length is not None:
            self._left = int(length)
        elif is_old:
            self.keeps_open = False
        else:
            self._is_chunked = True
            added = (*added, b"transfer-encoding: chunked")
        # What a caller has not sent by now would have to be read to get to its next request (RFC 9112, section 9.3).
        is_last = not self.is_received or self._carrier.is_ending or told.get(b"connection", b"").lower() == b"close"
        if is_last or not self.keeps_open:
            self.keeps_open = False
            if b"connection" not in told:
                added = (*added, b"connection: close")
        elif is_old:
            added = (*added, b"connection: keep-alive")
        self._head = head_of(status, fields, added)
        self.is_begun = True
        self._carrier.begun()
        if self._is_chunked or (is_old and length is None):
            # A stream: its first part may be long in coming. What has a length goes out with its first part.
            self._carrier.write(self._head)
            self._head = b""

    def _add(self, body: bytes, *, is_last: bool) -> None:
        if not self.is_begun:
            raise RuntimeError("an application sent a body before its head")
        if self._has_no_body:
            body = b""
        elif self._is_chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if is_last else b"")
        elif self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (is_last and self._left):
                raise RuntimeError("the body of an answer is not as long as its head says")
        head, self._head = self._head, b""
        if head and len(body) > _JOINED:
            self._carrier.write(head)
            head = b""
        if head or body:
            self._carrier.write(head + body)
        if is_last:
            self.is_over = True
            self.wake()
