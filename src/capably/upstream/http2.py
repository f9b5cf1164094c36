"""HTTP/2 connections to upstreams (RFC 9113), on which many exchanges go on at once; they need ``capably[http2]``.

The state of frames and header compression is h2's, with its limits. What the reader of an answer has not taken is not
given back to the upstream as window, so that one slow reader makes its own stream wait and no other.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Literal, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import InvalidBodyLengthError, ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame, Frame, GoAwayFrame

from capably.upstream.connection import CLIENT_CLOSED, StaleError
from capably.upstream.exchange import HEADER_BYTES
from capably.upstream.http2_stream import Fields, Http2Stream, WrongLength
from capably.upstream.reply import Trouble, UpstreamError

_STREAM_WINDOW: Final = 256 * 1024
_WINDOW: Final = 1024 * 1024  # of the connection: more than one stream may be on its way
_MOST_RESETS: Final = 500  # of either side; a connection with more is used no longer
_MOST_UNREAD: Final = 1024 * 1024  # bytes that the upstream made us say and does not read
_SILENCE_S: Final = 1.0
_MOST_STREAMS: Final = 1_000_000  # identifiers end at 2**31 (RFC 9113, section 5.1.1)


class _Framing(H2Connection):
    """h2, which would take GOAWAY for the end of streams that the upstream still answers (RFC 9113, section 6.8).

    It would end the connection for one answer that is not as long as it says, too.
    """

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        event = ConnectionTerminated()
        event.error_code = frame.error_code
        event.last_stream_id = frame.last_stream_id
        return [], [event]

    def _receive_data_frame(self, frame: DataFrame) -> tuple[list[Frame], list[Event]]:
        try:
            return super()._receive_data_frame(frame)
        except InvalidBodyLengthError as problem:
            return [], [WrongLength(frame.stream_id, frame.flow_controlled_length, str(problem))]


class Http2Connection(asyncio.Protocol):
    """One connection; :meth:`stream` makes what carries an exchange on it."""

    is_multiplexed: Literal[True] = True

    def __init__(
        self, on_free: "Callable[[Http2Connection], None]", on_lost: "Callable[[Http2Connection], None]"
    ) -> None:
        """Wait to be connected.

        Args:
            on_free: called when the last exchange is over.
            on_lost: called when the connection has ended.
        """
        self.loop = asyncio.get_running_loop()
        self._on_free = on_free
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self.framing: H2Connection = _Framing(H2Configuration(client_side=True, header_encoding=None))
        self._streams: dict[int, Http2Stream] = {}
        self._reserved = 0
        self._debt = 0
        self._resets = 0
        self._unread = 0
        self._heard_at = 0.0
        self._is_leaving = False
        self._writable: asyncio.Future[None] | None = None
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self.uses = 0
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether frames may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_busy(self) -> bool:
        """Whether it carries exchanges."""
        return bool(self._reserved)

    @property
    def most(self) -> int:
        """How many exchanges the upstream takes at once (RFC 9113, section 5.1.2)."""
        return self.framing.remote_settings.max_concurrent_streams

    @property
    def has_room(self) -> bool:
        """Whether one more exchange may begin."""
        return not self._is_leaving and self.is_open and self._reserved < self.most

    @property
    def transport(self) -> asyncio.Transport:
        """The transport of a connection that is made."""
        if self._transport is None:
            raise RuntimeError("the connection is not made")
        return self._transport

    def stream(self) -> Http2Stream:
        """What carries one exchange; its place is taken until it is over."""
        self._reserved += 1
        self.uses += 1
        if self.uses >= _MOST_STREAMS:
            self._is_leaving = True
        return Http2Stream(self)

    def begin(self, stream: Http2Stream, fields: Fields, *, is_whole: bool) -> int:
        """Send the head of a request; returns the identifier of its stream.

        Raises:
            StaleError: the upstream takes no more requests here, and has not seen this one.
            UpstreamError: a field cannot be sent.
        """
        if self._is_leaving or not self.is_open:
            raise StaleError(is_unseen=True)
        number = self.framing.get_next_available_stream_id()
        try:
            self.framing.send_headers(number, fields, end_stream=is_whole)
        except ProtocolError as problem:
            self._is_leaving = True
            raise UpstreamError(Trouble.BROKEN, f"it cannot be sent over HTTP/2: {problem}") from problem
        self._streams[number] = stream
        return number

    def end(self, stream: Http2Stream) -> None:
        """An exchange is over; another may take its place."""
        self._reserved -= 1
        self._streams.pop(stream.number, None)
        if self._reserved:
            return
        if self._is_leaving:
            self.close()
        else:
            self._on_free(self)

    def reset(self, stream: Http2Stream) -> None:
        """Tell the upstream that an answer is no longer wanted.

        Where nothing at all came since it was asked for, there may be nobody any more: others are asked elsewhere.
        """
        if self.is_open:
            self._count_reset()
            if self._heard_at <= stream.began < self.loop.time() - _SILENCE_S:
                self._is_leaving = True
            with contextlib.suppress(ProtocolError):  # the end of it has come with what is being read
                self.framing.reset_stream(stream.number, ErrorCodes.CANCEL)
            self.flush()

    def _count_reset(self) -> None:
        self._resets += 1
        if self._resets >= _MOST_RESETS:
            self._is_leaving = True

    def credit(self, number: int, size: int) -> None:
        """Let the upstream send so much more on a stream."""
        if self.is_open and number in self._streams:
            with contextlib.suppress(ProtocolError, KeyError):  # likewise; h2 may have forgotten the stream
                self.framing.increment_flow_control_window(size, number)
            self.flush()

    def flush(self) -> int:
        """Send the frames that are waiting; returns how many bytes they are."""
        data = self.framing.data_to_send()
        if data and self.is_open:
            self.transport.write(data)
        return len(data)

    async def drained(self) -> None:
        """Wait while the transport holds enough.

        Raises:
            UpstreamError: the connection is closed.
        """
        if self._writable is not None:
            await asyncio.shield(self._writable)
        if not self.is_open:
            raise UpstreamError(Trouble.BROKEN, "the connection was closed while the body was sent")

    def close(self) -> None:
        """Say that nothing more will be asked, and close."""
        if self.is_open:
            self.framing.close_connection()
            self.flush()
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def give_up(self, user: object) -> None:
        """End the exchanges of this user; the others go on."""
        for stream in tuple(self._streams.values()):
            if stream.user is user:
                stream.fail(UpstreamError(Trouble.BROKEN, CLIENT_CLOSED))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)
        self.framing.local_settings.update(
            {
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEADER_BYTES,
            }
        )
        self.framing.local_settings.acknowledge()
        self.framing.decoder.max_header_list_size = HEADER_BYTES
        self.framing.initiate_connection()
        self.framing.increment_flow_control_window(_WINDOW)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Part of ``asyncio.Protocol``."""
        self._heard_at = self.loop.time()
        try:
            for event in self.framing.receive_data(data):
                self._take(event)
        except ProtocolError as problem:
            self.flush()
            self._fail(UpstreamError(Trouble.BROKEN, f"not an HTTP/2 answer: {problem}"))
            self.abort()
            return
        if self._debt > _WINDOW // 2:
            self.framing.increment_flow_control_window(self._debt)
            self._debt = 0
        said = self.flush()
        if self._writable is not None:
            self._unread += said
            if self._unread > _MOST_UNREAD:
                self._fail(UpstreamError(Trouble.BROKEN, "the upstream asks without reading what it is told"))
                self.abort()

    def _take(self, event: Event) -> None:
        if isinstance(event, (DataReceived, WrongLength)):
            self._debt += event.flow_controlled_length
        if isinstance(event, (DataReceived, ResponseReceived, StreamEnded, StreamReset, WrongLength)):
            if isinstance(event, StreamReset):
                self._count_reset()
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.take(event)
        elif isinstance(event, WindowUpdated):
            self._open_windows(event.stream_id)
        elif isinstance(event, RemoteSettingsChanged):
            self._open_windows(0)
            if not self.ready.done():
                self.ready.set_result(None)
        elif isinstance(event, ConnectionTerminated):
            self._leave(event.last_stream_id or 0)

    def _open_windows(self, number: int) -> None:
        for stream in tuple(self._streams.values()) if number == 0 else (self._streams.get(number),):
            if stream is not None:
                stream.open_window()

    def _leave(self, last: int) -> None:
        """The upstream takes no more requests: those after ``last`` it has not seen (RFC 9113, section 6.8)."""
        self._is_leaving = True
        for number, stream in tuple(self._streams.items()):
            if number > last:
                stream.fail(StaleError(is_unseen=True))
        if not self._reserved:
            self.close()

    def _fail(self, problem: UpstreamError | StaleError) -> None:
        for stream in tuple(self._streams.values()):
            stream.fail(problem)

    def pause_writing(self) -> None:
        """Part of ``asyncio.Protocol``."""
        self._writable = self.loop.create_future()
        self._unread = 0

    def resume_writing(self) -> None:
        """Part of ``asyncio.Protocol``."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of ``asyncio.Protocol``."""
        self._is_leaving = True
        self.resume_writing()
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("the upstream closed the connection"))
        reason = str(exc) if exc is not None else "the connection was closed before the answer was whole"
        for stream in tuple(self._streams.values()):
            stream.lose(UpstreamError(Trouble.BROKEN, reason))
        self._on_lost(self)
