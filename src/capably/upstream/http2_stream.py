"""One exchange on an HTTP/2 connection: what is sent for it, and what its answer is made of."""

import asyncio
from collections.abc import AsyncIterable
from typing import Final, Literal, Protocol, TypeAlias

from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset

from capably.upstream.connection import Deadline, StaleError
from capably.upstream.exchange import NOT_MODIFIED, Exchange
from capably.upstream.reply import Trouble, UpstreamError

Fields: TypeAlias = list[tuple[bytes, bytes]]

_DIGITS: Final = 3  # of a status: RFC 9110, section 15
_CREDIT: Final = 64 * 1024  # bytes that are given back as window at once


class WrongLength(Event):
    """An answer is not as long as it says, which concerns its stream alone (RFC 9113, section 8.1.1)."""

    def __init__(self, stream_id: int, flow_controlled_length: int, problem: str) -> None:
        """Keep what the frame said that showed it."""
        self.stream_id = stream_id
        self.flow_controlled_length = flow_controlled_length
        self.problem = problem


class Shared(Protocol):
    """The connection, as far as one of its streams needs it."""

    loop: asyncio.AbstractEventLoop
    framing: H2Connection
    uses: int

    def begin(self, stream: "Http2Stream", fields: Fields, *, is_whole: bool) -> int:
        """Send the head of a request; returns the identifier of its stream."""
        ...

    def end(self, stream: "Http2Stream") -> None:
        """The exchange is over."""
        ...

    def reset(self, stream: "Http2Stream") -> None:
        """The answer is no longer wanted."""
        ...

    def credit(self, number: int, size: int) -> None:
        """Let the upstream send so much more."""
        ...

    def flush(self) -> int:
        """Send the frames that are waiting."""
        ...

    async def drained(self) -> None:
        """Wait while the transport holds enough."""
        ...


class Http2Stream:
    """Stands where an HTTP/1.1 connection stands for its exchange: carries it, lets it wait, gives it up.

    To the exchange it is the parser of its answer, too.
    """

    __slots__ = (
        "_connection",
        "_debt",
        "_exchange",
        "_is_over",
        "_is_paused",
        "_is_sent",
        "_status",
        "_uploading",
        "_window",
        "began",
        "loop",
        "number",
        "user",
    )

    is_multiplexed: Literal[True] = True

    def __init__(self, connection: Shared) -> None:
        """Keep the connection; nothing is sent yet."""
        self.loop = connection.loop
        self.number = 0
        self.began = 0.0
        self.user: object = None
        self._connection = connection
        self._exchange: Exchange | None = None
        self._status = 0
        self._debt = 0
        self._is_paused = False
        self._is_sent = False
        self._is_over = False
        self._uploading: asyncio.Future[None] | None = None
        self._window: asyncio.Future[None] | None = None

    async def carry(
        self,
        exchange: Exchange,
        fields: Fields,
        body: AsyncIterable[bytes] | bytes | None,
        deadline: Deadline | None,
    ) -> None:
        """Send a request and wait until its answer can be handed on.

        Args:
            exchange: what waits for the answer.
            fields: the head of the request.
            body: the body.
            deadline: when to give up; never when ``None``.

        Raises:
            StaleError: the request can be sent again on another connection.
            UpstreamError: there is no answer.
        """
        self._exchange = exchange
        timer = None if deadline is None else self.loop.call_at(deadline.at, self._time_out, deadline)
        try:
            self._is_sent = not body
            self.began = self.loop.time()
            self.number = self._connection.begin(self, fields, is_whole=self._is_sent)
            if isinstance(body, bytes):
                body = self._send_now(body)
            if body:
                self._uploading = asyncio.ensure_future(self._upload(exchange, body))
            self._connection.flush()
            await exchange.answered
        except BaseException:
            self.abort()
            await self._end_upload()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _time_out(self, deadline: Deadline) -> None:
        self.fail(deadline.problem)

    def _room(self) -> int:
        framing = self._connection.framing
        return min(framing.local_flow_control_window(self.number), framing.max_outbound_frame_size)

    def _send_now(self, body: bytes) -> bytes:
        """Send as much of a whole body as the upstream's window takes; returns the rest."""
        begin, framing = 0, self._connection.framing
        while begin < len(body):
            room = self._room()
            if room <= 0:
                return body[begin:]
            end = min(begin + room, len(body))
            framing.send_data(self.number, body[begin:end], end_stream=end == len(body))
            begin = end
        self._is_sent = True
        return b""

    async def _upload(self, exchange: Exchange, body: AsyncIterable[bytes] | bytes) -> None:
        try:
            if isinstance(body, bytes):
                await self._send(body)
            else:
                async for chunk in body:
                    await self._send(chunk)
            self._is_sent = True
            self._connection.framing.end_stream(self.number)
            self._connection.flush()
        except Exception as problem:  # noqa: BLE001 -- whoever waits for the answer is told, as it is
            if not self._is_over and not exchange.answered.done():
                exchange.answered.set_exception(problem)
            exchange.fail(UpstreamError(Trouble.BROKEN, "the body of the request could not be sent"))
            self.abort()

    async def _send(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            await self._connection.drained()
            room = self._room()
            if room <= 0:
                self._window = self.loop.create_future()
                await self._window
                continue
            self._connection.framing.send_data(self.number, bytes(rest[:room]))
            self._connection.flush()
            rest = rest[room:]

    def open_window(self) -> None:
        """More may be sent."""
        if self._window is not None and not self._window.done():
            self._window.set_result(None)

    async def _end_upload(self) -> None:
        uploading, self._uploading = self._uploading, None
        if uploading is not None:
            uploading.cancel()
            await asyncio.gather(uploading, return_exceptions=True)

    def take(self, event: ResponseReceived | DataReceived | StreamEnded | StreamReset | WrongLength) -> None:
        """What the upstream sent."""
        exchange = self._exchange
        if exchange is None or self._is_over:
            return
        exchange.has_begun = True
        if isinstance(event, DataReceived):
            self._debt += event.flow_controlled_length
            self.feed_data(event.data)
            self._give_back()
        elif isinstance(event, ResponseReceived):
            self._take_head(exchange, event)
        elif isinstance(event, StreamEnded):
            exchange.on_message_complete()
            if self._is_sent:
                self._leave()
            else:
                self.abort()  # what is left of the request nobody reads: RFC 9113, section 8.1
        elif isinstance(event, WrongLength):
            if self._status == NOT_MODIFIED:
                exchange.on_message_complete()
            self.fail(UpstreamError(Trouble.BROKEN, f"not an HTTP/2 answer: {event.problem}"))
        elif event.error_code == ErrorCodes.REFUSED_STREAM:
            self._lost(StaleError(is_unseen=True))
        else:
            name = getattr(event.error_code, "name", event.error_code)
            self._lost(UpstreamError(Trouble.BROKEN, f"the upstream reset the stream: {name}"))

    def _take_head(self, exchange: Exchange, event: ResponseReceived) -> None:
        try:
            for name, value in event.headers or ():
                if name == b":status":
                    self._status = _final(value)
                else:
                    exchange.on_header(name, value)
        except ValueError as problem:
            self.fail(UpstreamError(Trouble.BROKEN, f"not an HTTP answer: {problem}"))
            return
        exchange.on_headers_complete()
        if event.stream_ended is not None and exchange.lacks_body:  # h2 counts what comes in DATA frames alone
            self.fail(UpstreamError(Trouble.BROKEN, "the answer ended before its body came"))

    def _give_back(self) -> None:
        if not self._is_paused and not self._is_over and self._debt >= _CREDIT:
            self._connection.credit(self.number, self._debt)
            self._debt = 0

    def _leave(self) -> None:
        self._is_over = True
        if self._uploading is not None and not self._is_sent:
            self._uploading.cancel()
        self._connection.end(self)
        self._exchange = None

    def _lost(self, problem: UpstreamError | StaleError) -> None:
        """Tell the exchange that the upstream has ended the stream."""
        exchange = self._exchange
        if exchange is None or self._is_over:
            return
        self._leave()
        _tell(exchange, problem)

    def fail(self, problem: UpstreamError | StaleError) -> None:
        """Give the exchange up, and tell it why."""
        exchange = self._exchange
        self.abort()
        if exchange is not None:
            _tell(exchange, problem)

    def lose(self, problem: UpstreamError) -> None:
        """The connection has ended: what was asked on one that carried other requests may be asked again."""
        exchange = self._exchange
        if exchange is not None and self._connection.uses > 1 and not exchange.has_begun:
            self._lost(StaleError())
        else:
            self._lost(problem)

    def abort(self) -> None:
        """Give the exchange up; the connection goes on."""
        if self._is_over:
            return
        if self.number:
            self._connection.reset(self)
        self._leave()

    def pause(self) -> None:
        """Let the upstream wait, once its window is used up."""
        self._is_paused = True

    def resume(self) -> None:
        """Let it go on."""
        self._is_paused = False
        self._give_back()

    def parser(self, _exchange: Exchange) -> "Http2Stream":
        """What the exchange asks about its answer."""
        return self

    def feed_data(self, data: bytes) -> None:
        """A part of the body."""
        if self._exchange is not None:
            self._exchange.on_body(data)

    def get_status_code(self) -> int:
        """As the parser of HTTP/1.1 has it."""
        return self._status

    def should_keep_alive(self) -> bool:
        """As the parser of HTTP/1.1 has it."""
        return True


def _final(status: bytes) -> int:
    """A status that ends an answer: h2 takes those that begin with 1 for interim ones, and any text for another."""
    if len(status) != _DIGITS or not status.isdigit() or status < b"200":
        raise ValueError(f"{status!r} is no status")
    return int(status)


def _tell(exchange: Exchange, problem: UpstreamError | StaleError) -> None:
    if isinstance(problem, UpstreamError):
        exchange.fail(problem)
    elif not exchange.answered.done():
        exchange.answered.set_exception(problem)
    else:
        exchange.fail(UpstreamError(Trouble.BROKEN, "the upstream gave the answer up"))
