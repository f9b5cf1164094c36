"""One request and its answer on a connection, as the parser tells it.

An answer is collected up to a cap, or handed on as a stream as soon as its headers are there. The connection that
carries the exchange feeds the parser; nothing here opens or reads sockets.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from capably.upstream.reply import Trouble, UpstreamError

HEADER_BYTES = 256 * 1024  # of an answer
_BUFFERED = 256 * 1024  # bytes of a stream that may wait for their reader before the upstream has to wait
_EVENTS = "text/event-stream"
_OK = 200  # statuses below are interim: RFC 9110, section 15.2
_REDIRECTED = 300
_NO_CONTENT = 204
NOT_MODIFIED = 304  # its length is that of the answer it stands for: RFC 9110, section 8.6


class Parser(Protocol):
    """What tells an exchange its answer."""

    def feed_data(self, data: bytes, /) -> None:
        """Take what has arrived."""
        ...

    def get_status_code(self) -> int:
        """The status."""
        ...

    def should_keep_alive(self) -> bool:
        """Whether the connection can be used again."""
        ...


class Carrier(Protocol):
    """The connection, or the part of one that is an exchange's own, as far as an exchange needs it."""

    loop: asyncio.AbstractEventLoop

    def parser(self, exchange: "Exchange", /) -> Parser:
        """What will tell the exchange its answer."""
        ...

    def pause(self) -> None:
        """Let the upstream wait."""
        ...

    def resume(self) -> None:
        """Let it go on."""
        ...

    def abort(self) -> None:
        """Give the exchange up."""
        ...


class Body:
    """The body of an answer that is handed on while it arrives (a ``ByteStream``)."""

    def __init__(self, carrier: Carrier, idle_s: float) -> None:
        self._carrier = carrier
        self._idle_s = idle_s
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._is_paused = False
        self._is_over = False
        self._problem: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, chunk: bytes) -> None:
        """Take what has arrived."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > _BUFFERED and not self._is_paused:
            self._is_paused = True
            self._carrier.pause()
        self._wake()

    def end(self, problem: UpstreamError | None = None) -> None:
        """Nothing more will arrive."""
        if not self._is_over:
            self._is_over = True
            self._problem = problem
            if self._is_paused:  # the connection may be another exchange's from now on
                self._is_paused = False
                self._carrier.resume()
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._size -= len(chunk)
                if self._is_paused and self._size <= _BUFFERED // 2:
                    self._is_paused = False
                    self._carrier.resume()
                yield chunk
            if self._is_over:
                break
            await self._more()
        if self._problem is not None:
            raise self._problem

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._idle_s):
                await self._waiter
        except TimeoutError as problem:
            self._carrier.abort()
            raise UpstreamError(Trouble.TIMEOUT, f"nothing came within {self._idle_s:g} s") from problem
        finally:
            self._waiter = None

    async def aclose(self) -> None:
        """Stop reading; the call is cancelled when it has not ended."""
        self._chunks.clear()
        self._size = 0
        if not self._is_over:
            self.end()
            self._carrier.abort()


class Most(msgspec.Struct, frozen=True):
    """Bytes of an answer: how many are taken, and after how many a success is a stream; the longest pause in that."""

    taken: int
    collected: int | None
    idle_s: float


class Exchange:
    """What is known of an answer so far; the parser calls its ``on_`` methods.

    ``answered`` is done when the answer can be handed on: with its whole body, or with ``stream``. ``wordless`` counts
    what arrived since the last part of a body: headers and trailers that nobody has been told yet.
    """

    __slots__ = (
        "_carrier",
        "_header_bytes",
        "_is_chunked",
        "_is_events",
        "_is_headless",
        "_length",
        "_most",
        "_size",
        "_streams_late",
        "answered",
        "chunks",
        "ends_with_connection",
        "has_begun",
        "has_headers",
        "headers",
        "is_complete",
        "is_kept_alive",
        "parser",
        "status",
        "stream",
        "streams_all",
        "wordless",
    )

    def __init__(self, carrier: Carrier, method: str, most: Most, *, streams_all: bool) -> None:
        """Wait for the answer to a request.

        Args:
            carrier: the connection.
            method: the request's method: the answer to HEAD has no body, whatever its headers say.
            most: how much is taken, and how much of that is collected.
            streams_all: hand every body on as a stream, not event streams alone.
        """
        self._carrier = carrier
        self._most = most
        self._streams_late = False
        self._is_headless = method in {"HEAD", "CONNECT"}
        self._is_chunked = False
        self._is_events = False
        self._length: int | None = None
        self._size = 0
        self._header_bytes = 0
        self.streams_all = streams_all
        self.answered: asyncio.Future[None] = carrier.loop.create_future()
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []
        self.stream: Body | None = None
        self.has_begun = False
        self.has_headers = False
        self.is_complete = False
        self.is_kept_alive = False
        self.ends_with_connection = False
        self.wordless = 0
        self.parser = carrier.parser(self)

    def header(self, name: str) -> str | None:
        """The first header of that lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def fail(self, problem: UpstreamError) -> None:
        """Tell whoever waits, or whoever reads the stream."""
        if self.stream is not None:
            self.stream.end(problem)
        elif not self.answered.done():
            self.answered.set_exception(problem)

    def on_message_begin(self) -> None:
        """An answer begins; one after the end of ours answers nothing that was asked."""
        if self.is_complete:
            self.is_kept_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers are left out."""
        if self.has_headers:
            return
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_BYTES:
            raise ValueError("its headers are too large")
        key, text = name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape")
        self.headers.append((key, text))
        if key == "content-length":
            self._length = int(text)
        elif key == "transfer-encoding":
            self._is_chunked = True
        elif key == "content-type":
            self._is_events = text.lower().startswith(_EVENTS)

    def on_headers_complete(self) -> None:
        """The headers are there: decide what becomes of the body."""
        if self.is_complete:
            return
        self.status = self.parser.get_status_code()
        if self.status < _OK:
            self.headers.clear()
            self._length, self._is_chunked, self._is_events = None, False, False
            return
        self.has_headers = True
        if self.streams_all or self._is_events:
            self._hand_on()
        if self._is_headless:
            self._complete(is_kept_alive=self.parser.should_keep_alive())
            return
        self.ends_with_connection = self._length is None and not self._is_chunked
        is_too_long = self._length is not None and self._length > self._most.taken
        if is_too_long and self.stream is None and self.status != NOT_MODIFIED:
            self._too_large(f"{self._length} bytes")
        elif self._most.collected is not None and self.stream is None:
            is_success = self.status < _REDIRECTED
            self._streams_late = is_success and self.header("content-encoding") is None

    @property
    def lacks_body(self) -> bool:
        """Whether a body is to come, by what the headers say."""
        return not self.is_complete and bool(self._length) and self.status not in {_NO_CONTENT, NOT_MODIFIED}

    def on_body(self, chunk: bytes) -> None:
        """A part of the body."""
        self.wordless = 0
        if self.is_complete:  # there is none: what is left of it could be taken for the next answer
            self.is_kept_alive = False
            return
        if self.stream is not None and not self._streams_late:
            self.stream.feed(chunk)
            return
        self._size += len(chunk)
        if self._size > self._most.taken:
            self._too_large(f"more than {self._most.taken} bytes")
        elif self.stream is not None:
            self.stream.feed(chunk)
        else:
            self.chunks.append(chunk)
            if self._streams_late and self._size > (self._most.collected or 0):
                self._hand_on()

    def _hand_on(self) -> None:
        """What has arrived and what will is a stream from now on."""
        self.stream = Body(self._carrier, self._most.idle_s)
        for chunk in self.chunks:
            self.stream.feed(chunk)
        self.chunks.clear()
        if not self.answered.done():
            self.answered.set_result(None)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self.has_headers and not self.is_complete:
            self._complete(is_kept_alive=self.parser.should_keep_alive())

    def end_of_connection(self) -> bool:
        """The connection ended; whether that is how this answer ends (RFC 9112, section 6.3)."""
        if self.has_headers and self.ends_with_connection and not self.is_complete:
            self._complete(is_kept_alive=False)
        return self.is_complete

    def _complete(self, *, is_kept_alive: bool) -> None:
        self.is_complete = True
        self.is_kept_alive = is_kept_alive
        if self.stream is not None:
            self.stream.end()
        elif not self.answered.done():
            self.answered.set_result(None)

    def _too_large(self, size: str) -> None:
        self.fail(UpstreamError(Trouble.TOO_LARGE, size))
        self._carrier.abort()
