"""A connection of a caller, whose requests are answered one after the other, in their order."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from capably.inbound.caps import Caps
from capably.inbound.exchange import Exchange
from capably.inbound.head import refusal
from capably.inbound.reader import Reader
from capably.plan.outcome import Fault
from capably.servers.http import DISCONNECT, LASTING, Application, Receive, Scope, Send, StreamBrokenError, problem_body

_log = logging.getLogger("capably.inbound")

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


class Host(Protocol):
    """The server, as far as a connection needs it. ``now`` is the loop's time, to the second.

    ``unanswered`` counts the requests whose answer has not begun.
    """

    app: Application
    caps: Caps
    scheme: str
    now: float
    is_ending: bool
    unanswered: int

    def opened(self, connection: "Connection") -> bool:
        """Take a connection in; false when there are too many."""
        ...

    def closed(self, connection: "Connection") -> None:
        """Forget a connection that has ended, with all that it did."""
        ...


class Connection(asyncio.Protocol):
    """One connection. Its requests are answered by one task, so they share a context (``contextvars``).

    It is *lost* when it has ended, *clogged* while the caller does not take what is sent, *lingering* when all is said
    and the caller gets the time to see it.
    """

    def __init__(self, host: Host) -> None:
        """Wait to be connected."""
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._caps = host.caps
        self._leave: set[Callable[[], object]] = set()
        self._waiting: deque[Exchange] = deque()  # the first is being answered
        self._task: asyncio.Task[None] | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._answered: asyncio.Future[None] | None = None  # of the first that waits, when somebody asks
        self._writable: asyncio.Future[None] | None = None
        self._is_answering = False
        self._lasting: set[object] = set()
        self._refused = 0  # the status of what cannot be taken, told after the answers that are due
        self._is_lingering = False
        self._is_paused = False
        self._since = 0.0  # when the caller was last waited for
        self.is_lost = False
        self.is_clogged = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self._since = self._host.now
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "scheme": self._host.scheme,
            "server": _address(transport, "sockname"),
            "client": _address(transport, "peername"),
            "root_path": "",
            "extensions": {DISCONNECT: self._leave, LASTING: self._lasting},
        }
        self._reader = Reader(self, scope, self._caps.head_bytes)
        if not self._host.opened(self):
            self._reader.is_deaf = True
            self.refuse(503)

    def data_received(self, data: bytes) -> None:
        """Part of ``asyncio.Protocol``."""
        reader = self._reader
        if reader.is_deaf:
            return
        was_in_head = reader.is_in_head
        reader.feed(data)
        if not was_in_head:  # a head has its time from its first byte, however its bytes drip
            self._since = self._host.now

    def eof_received(self) -> None:
        """Part of ``asyncio.Protocol``: a caller that stops sending is gone."""

    def pause_writing(self) -> None:
        """Part of ``asyncio.Protocol``."""
        self.is_clogged = True
        self._since = self._host.now
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Part of ``asyncio.Protocol``."""
        self.is_clogged = False
        self._since = self._host.now
        _finish(self._writable)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Part of ``asyncio.Protocol``: tell those who wait for the caller's leaving."""
        self.is_lost = self._reader.is_deaf = True
        self.is_clogged = False
        _finish(self._writable)
        for exchange in self._waiting:
            exchange.wake()
        for leave in tuple(self._leave):
            leave()
        _finish(self._arrival)
        if self._task is None:
            self._host.closed(self)

    # What a reader and an exchange ask for.

    @property
    def is_ending(self) -> bool:
        """Whether the server takes no more requests."""
        return self._host.is_ending

    def take(self, exchange: Exchange) -> None:
        """Take a request whose head is whole."""
        self._waiting.append(exchange)
        if self._task is None:
            self._task = self._loop.create_task(self._serve())
        elif len(self._waiting) > 1:
            self.regulate()
        else:
            _finish(self._arrival)

    def refuse(self, status: int) -> None:
        """Take nothing more, and say so when all that came before is answered."""
        self._refused = status
        half = self._reader.receiving
        if half is not None:
            half.is_broken = True
            half.keeps_open = False
            half.wake()
        if self._task is None:
            self._tell_refusal()
        else:
            _finish(self._arrival)

    def begun(self) -> None:
        """Know that the answer to the request that is worked on has begun."""
        self._host.unanswered -= 1

    def write(self, data: bytes) -> None:
        """Send bytes to the caller."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the caller has taken enough of what was sent."""
        if self._writable is not None:
            await asyncio.shield(self._writable)

    def regulate(self) -> None:
        """Let the caller send while there is room: not when requests wait, nor when a body does."""
        arriving = self._reader.receiving
        is_full = arriving is not None and arriving.buffered > self._caps.buffered_bytes
        wants_pause = (is_full or len(self._waiting) > 1) and not self._is_lingering
        if wants_pause != self._is_paused and not self._transport.is_closing():
            self._is_paused = wants_pause
            self._since = self._host.now
            if wants_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # What becomes of the requests.

    async def _serve(self) -> None:
        """Answer requests until there are no more to come."""
        waiting = self._waiting
        try:
            while not self.is_lost:
                if waiting:
                    exchange = waiting[0]
                    self._is_answering = True
                    await self._answer(exchange)
                    self._is_answering = False
                    waiting.popleft()
                    self._since = self._host.now
                    if self._answered is not None:
                        self._tell_answered()
                    if not exchange.keeps_open:
                        self._end(is_whole=exchange.is_received)
                        return
                    if self._is_paused:
                        self.regulate()
                elif self._refused:
                    self._tell_refusal()
                    return
                elif self._host.is_ending:
                    self._end(is_whole=True)
                    return
                else:
                    self._arrival = self._loop.create_future()
                    await self._arrival
        finally:
            self._task = None
            self._tell_answered()
            if not self._is_lingering:
                self._transport.close()
            if self.is_lost:
                self._host.closed(self)

    async def _answer(self, exchange: Exchange) -> None:
        """Have one request answered; an application that gives no whole answer cannot keep its connection."""
        scope, host = exchange.scope, self._host
        is_too_much = host.unanswered >= host.caps.concurrency
        host.unanswered += 1
        try:
            await (_put_off if is_too_much else host.app)(scope, exchange.receive, exchange.send)
        except StreamBrokenError:
            pass  # told by who raised it
        except Exception:  # noqa: BLE001 -- whatever happens, the caller gets an answer or is cut off
            _log.exception("%s %s failed", scope["method"], scope["path"])
        finally:
            if not exchange.is_begun:
                host.unanswered -= 1
        if exchange.is_over or self.is_lost:
            return
        exchange.keeps_open = False
        if exchange.is_begun:
            self._transport.abort()  # the caller must not take what it has for all there is
        else:
            self._refused = self._refused or 500
            self._tell_refusal()

    def _tell_answered(self) -> None:
        _finish(self._answered)
        self._answered = None

    def _tell_refusal(self) -> None:
        self.write(refusal(self._refused))
        self._end(is_whole=False)

    def _end(self, *, is_whole: bool) -> None:
        """Close after what was written; a caller that still sends gets the time to see it (RFC 9112, section 9.6)."""
        self._reader.is_deaf = True
        transport = self._transport
        if transport.is_closing() or self._is_lingering:
            return
        if is_whole or not transport.can_write_eof():
            transport.close()
        else:
            self._is_lingering = True
            transport.write_eof()
            self.regulate()
            self._since = self._host.now

    # What the server asks for.

    @property
    def open_request(self) -> asyncio.Future[None] | None:
        """Done when the request that is answered just now has been answered; ``None`` when there is none.

        One that has arrived and that no application knows yet is none; nor is one that only listens.
        """
        if not self._is_answering or self._lasting:
            return None
        if self._answered is None:
            self._answered = self._loop.create_future()
        return self._answered

    def finish(self) -> None:
        """Take no more requests: close now, or after the answers that are due."""
        if self._task is not None:
            _finish(self._arrival)
        elif not self._is_lingering:
            self._end(is_whole=True)

    def abort(self) -> None:
        """End at once, whatever is being done."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    def check_patience(self) -> None:
        """Act when the caller has taken too long; called about every second."""
        caps, reader = self._caps, self._reader
        waited = self._host.now - self._since
        if self._is_lingering or self.is_clogged:
            if waited > (caps.linger_s if self._is_lingering else caps.stalled_s):
                self._transport.abort()
        elif reader.receiving is not None:
            if waited > caps.body_s and not self._is_paused:
                reader.is_deaf = True
                self.refuse(408)
        elif reader.is_in_head:
            if waited > caps.head_s:
                reader.is_deaf = True
                self.refuse(408)
        elif not self._waiting and waited > caps.idle_s:
            self._end(is_whole=True)


async def _put_off(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Ask the caller to come again (RFC 9110, section 15.6.4); its connection stays, for another costs more."""
    await send({"type": "http.response.start", "status": 503, "headers": _BUSY_HEADERS})
    await send({"type": "http.response.body", "body": _BUSY})


_BUSY: Final = problem_body(
    Fault(503, "busy", "The server is busy", "it works on as many requests as it may; try again in a second")
)
_BUSY_HEADERS: Final = (
    (b"retry-after", b"1"),
    (b"content-type", b"application/problem+json"),
    (b"content-length", b"%d" % len(_BUSY)),
)


def _finish(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


def _address(transport: asyncio.BaseTransport, name: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
