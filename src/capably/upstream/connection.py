"""A connection to an upstream: bytes go out, what comes back is fed to the exchange that waits for it."""

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import Final, Literal, Self, cast

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from capably.upstream.exchange import HEADER_BYTES, Exchange
from capably.upstream.reply import Trouble, UpstreamError


class Deadline(msgspec.Struct, frozen=True):
    """When to give up, by the loop's clock, and after how many seconds that is."""

    at: float
    seconds: float

    @classmethod
    def within(cls, seconds: float) -> Self:
        """So many seconds from now."""
        return cls(asyncio.get_running_loop().time() + seconds, seconds)

    @property
    def problem(self) -> UpstreamError:
        """What to tell."""
        return UpstreamError(Trouble.TIMEOUT, f"no answer within {self.seconds:g} s")


CLIENT_CLOSED: Final = "the client was closed"
_SOON_S: Final = 0.001
"""Loops count milliseconds."""


class StaleError(Exception):
    """A connection that had been kept was closed before it answered anything.

    ``is_unseen`` says that the upstream has not processed the request, so that any may be sent again (RFC 9113,
    section 8.7).
    """

    def __init__(self, *, is_unseen: bool = False) -> None:
        """Keep what is known."""
        super().__init__()
        self.is_unseen = is_unseen


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection, which carries one exchange at a time."""

    is_multiplexed: Literal[False] = False
    parser = staticmethod(HttpResponseParser)

    def __init__(
        self,
        on_free: "Callable[[Connection], None]",
        on_spent: "Callable[[Connection], None]",
        on_lost: "Callable[[Connection], None]",
    ) -> None:
        """Wait to be connected.

        Args:
            on_free: called when an exchange is over and the next may begin.
            on_spent: called when one is over and no other may begin, before the connection is closed.
            on_lost: called when the connection has ended.
        """
        self.loop = asyncio.get_running_loop()
        self._on_free = on_free
        self._on_spent = on_spent
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._is_sent = True
        self._is_aborted = False
        self._uploading: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._deadline: Deadline | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.uses = 0
        self.user: object = None
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether a request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def transport(self) -> asyncio.Transport:
        """The transport of a connection that is made."""
        if self._transport is None:
            raise RuntimeError("the connection is not made")
        return self._transport

    async def carry(
        self,
        exchange: Exchange,
        head: bytes,
        body: AsyncIterable[bytes] | bytes | None,
        deadline: Deadline | None,
        *,
        chunked: bool = False,
    ) -> None:
        """Send a request and wait until its answer can be handed on.

        Args:
            exchange: what waits for the answer.
            head: the request line and headers, with the empty line.
            body: the body.
            deadline: when to give up; never when ``None``.
            chunked: whether a body that is still arriving goes out in chunks (RFC 9112, section 7.1).

        Raises:
            StaleError: the connection had been kept, and was closed without an answer.
            UpstreamError: there is no answer.
        """
        self.uses += 1
        self._exchange = exchange
        self._deadline = deadline
        if deadline is not None and (self._timer is None or self._timer_at > deadline.at):
            self._arm(deadline.at)
        if body is None or isinstance(body, bytes):
            self.transport.write(head + body if body else head)
        else:
            self._is_sent = False
            self.transport.write(head)
            self._uploading = asyncio.ensure_future(self._upload(exchange, body, chunked=chunked))
        try:
            await exchange.answered
        except BaseException:
            if not exchange.is_complete:  # else the connection is free, or another's by now
                self.abort()
                await self._end_upload()
            raise
        finally:
            if self._deadline is deadline:
                self._deadline = None

    def _arm(self, at: float) -> None:
        """Look at the deadline when it is time; the timer stays when the deadline goes, and serves the next one."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self.loop.call_at(at, self._look), at

    def _look(self) -> None:
        self._timer, deadline = None, self._deadline
        if deadline is None:
            return
        if deadline.at - self.loop.time() > _SOON_S:
            self._arm(deadline.at)
        else:
            self._fail(deadline.problem)

    async def _upload(self, exchange: Exchange, body: AsyncIterable[bytes], *, chunked: bool) -> None:
        try:
            async for chunk in body:
                if chunk:
                    self.transport.writelines((b"%x\r\n" % len(chunk), chunk, b"\r\n") if chunked else (chunk,))
                await self._drained()
            if chunked:
                self.transport.write(b"0\r\n\r\n")
            self._is_sent = True
        except Exception as problem:  # noqa: BLE001 -- whoever waits for the answer is told, as it is
            if not exchange.answered.done():
                exchange.answered.set_exception(problem)
            self.abort()

    async def _end_upload(self) -> None:
        uploading, self._uploading = self._uploading, None
        if uploading is not None:
            uploading.cancel()
            await asyncio.gather(uploading, return_exceptions=True)

    async def _drained(self) -> None:
        if not self.is_open:
            raise UpstreamError(Trouble.BROKEN, "the connection was closed while the body was sent")
        if self._writable is not None:
            await self._writable

    def _fail(self, problem: UpstreamError) -> None:
        if self._exchange is not None:
            self._exchange.fail(problem)
        self.abort()

    def abort(self) -> None:
        """Close at once: the upstream sees that its answer is no longer wanted."""
        self._is_aborted = True
        if self._transport is not None:
            self._transport.abort()

    def give_up(self, user: object) -> None:
        """Close, if an exchange is under way for this user."""
        if self.user is user and self._exchange is not None:
            self._fail(UpstreamError(Trouble.BROKEN, CLIENT_CLOSED))

    def pause(self) -> None:
        """Let the upstream wait."""
        if self.is_open:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Let it go on."""
        if self.is_open:
            self.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of ``asyncio.Protocol``."""
        exchange = self._exchange
        if exchange is None:
            self.abort()  # nobody asked: what comes next could not be told from an answer
            return
        exchange.has_begun = True
        exchange.wordless += len(data)
        try:
            exchange.parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as problem:
            if not exchange.is_complete:
                reason = str(problem.__context__ or problem)
                exchange.fail(UpstreamError(Trouble.BROKEN, f"not an HTTP answer: {reason}"))
            self.abort()
            return
        if exchange.is_complete:
            del exchange.parser  # they hold each other, and would wait for the collector
            self._free(exchange)
        elif exchange.wordless > HEADER_BYTES:  # the parser keeps a header until it is whole
            self._fail(UpstreamError(Trouble.BROKEN, "not an HTTP answer: its headers are too large"))

    def _free(self, exchange: Exchange) -> None:
        self._exchange = None
        if exchange.is_kept_alive and self._is_sent and self._writable is None and self.is_open:
            self._on_free(self)
        else:
            if self.is_open:
                self._on_spent(self)
            self.abort()

    def pause_writing(self) -> None:
        """Part of ``asyncio.Protocol``."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Part of ``asyncio.Protocol``."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of ``asyncio.Protocol``."""
        self.resume_writing()
        if self._timer is not None:
            self._timer.cancel()
        if self._uploading is not None:
            self._uploading.cancel()
        exchange, self._exchange = self._exchange, None
        is_ended = exc is None and not self._is_aborted  # by the upstream, which may be how its answer ends
        if exchange is not None and not (is_ended and exchange.end_of_connection()):
            if self.uses > 1 and not exchange.has_begun and not exchange.answered.done():
                exchange.answered.set_exception(StaleError())
            else:
                reason = str(exc) if exc is not None else "the connection was closed before the answer was whole"
                exchange.fail(UpstreamError(Trouble.BROKEN, reason))
        self._on_lost(self)
