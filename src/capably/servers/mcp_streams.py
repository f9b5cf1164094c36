"""Event streams: messages to a client in order, each once, kept for a client that lost its connection.

A stream of a session outlives the connection it is sent on: its latest events are kept, and a client that comes back
with ``Last-Event-ID`` gets what it missed (MCP 2025-11-25, Transports: Resumability and Redelivery). What is kept is
bounded, and who sends waits for a client that reads slowly.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from capably.servers.mcp_messages import on_one_line

KEEP_ALIVE_S: Final = 15.0
"""How long a stream is silent before a comment keeps its connection open."""

EVENT_STREAM: Final = "text/event-stream"
STREAM_HEADERS: Final = (("cache-control", "no-cache, no-transform"), ("x-accel-buffering", "no"))
"""Nothing on the way may hold events back (MCP 2026-07-28, Streamable HTTP: Receiving Messages)."""

_COMMENT: Final = b":\n\n"


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How many events, and how many bytes of them, a stream keeps."""

    events: int = 256
    size: int = 4 * 1024 * 1024


class Stream:
    """One event stream.

    Args:
        key: names it within its session; an empty one is never resumed, and its events have no ids.
        is_primed: begin with an empty event, so that the client has an id to come back with (MCP 2025-11-25).
    """

    def __init__(self, key: str = "", *, is_primed: bool = False, limits: StreamLimits | None = None) -> None:
        """Begin without events."""
        self.key = key
        self._limits = limits or StreamLimits()
        self._events: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._last = 0
        self._read = 0  # how far the present reader is
        self._reader = 0  # which reader is the present one; 0 when nobody reads
        self._readers = 0
        self._ended = False
        self._moved: asyncio.Future[None] | None = None
        if is_primed and key:
            self._keep(b"")

    @property
    def is_read(self) -> bool:
        """Whether somebody reads it now."""
        return self._reader != 0

    @property
    def seen(self) -> int:
        """The number of the last event that somebody read."""
        return self._read

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self._ended

    async def send(self, message: bytes) -> None:
        """Add a message; waits while a reader is far behind."""
        while self.is_read and self._last - self._read >= self._limits.events and not self._ended:
            await self._movement()
        self.offer(message)

    def offer(self, message: bytes) -> None:
        """Add a message at once; the oldest ones are let go of when there are too many."""
        if self._ended:
            return
        self._keep(on_one_line(message))

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._wake()

    async def read(self, after: int = 0) -> AsyncGenerator[bytes, None]:
        """The events after one, as they are written on the wire, until the stream ends or somebody else reads it."""
        self._readers += 1
        me = self._reader = self._readers
        self._read = after
        self._wake()
        try:
            while self._reader == me:
                event = next((item for item in self._events if item[0] > self._read), None)
                if event is not None:
                    self._read = event[0]
                    if not self.key:
                        self._drop()  # nobody will ask for it again
                    self._wake()
                    yield self._written(*event)
                elif self._ended:
                    return
                else:
                    try:
                        async with asyncio.timeout(KEEP_ALIVE_S):
                            await self._movement()
                    except TimeoutError:
                        yield _COMMENT
        finally:
            if self._reader == me:
                self._reader = 0
                self._wake()

    def _written(self, number: int, message: bytes) -> bytes:
        """An event (HTML, section 9.2.6): its id, if it has one, and a message on one line."""
        if not self.key:
            return b"event: message\ndata: " + message + b"\n\n"
        head = f"id: {self.key}-{number}\n".encode()
        return head + (b"event: message\ndata: " + message if message else b"data:") + b"\n\n"

    def _keep(self, message: bytes) -> None:
        self._last += 1
        self._events.append((self._last, message))
        self._size += len(message)
        while len(self._events) > 1 and (len(self._events) > self._limits.events or self._size > self._limits.size):
            self._drop()
        self._wake()

    def _drop(self) -> None:
        _number, message = self._events.popleft()
        self._size -= len(message)

    def _movement(self) -> "asyncio.Future[None]":
        if self._moved is None:
            self._moved = asyncio.get_running_loop().create_future()
        return asyncio.shield(self._moved)

    def _wake(self) -> None:
        moved, self._moved = self._moved, None
        if moved is not None and not moved.done():
            moved.set_result(None)


def event_id(text: str | None) -> tuple[str, int] | None:
    """The stream and the number that an event id names, ``None`` when it is none of ours."""
    key, _, number = (text or "").rpartition("-")
    return (key, int(number)) if key and number.isascii() and number.isdigit() else None
