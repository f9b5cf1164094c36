"""The live events of runs: the executor publishes, a streaming answer listens.

A listener gets every event from the moment it listens, in order; a run never waits for a listener.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from capably.threads.objects import Json

KEEP_ALIVE = 15.0  # seconds of silence after which a comment is sent, so that proxies keep the connection


@dataclass(frozen=True)
class Event:
    """One server-sent event: its name and its JSON data."""

    name: str
    data: Json

    def encode(self) -> bytes:
        """The event on the wire (HTML standard, server-sent events)."""
        return f"event: {self.name}\ndata: {json.dumps(self.data, ensure_ascii=False)}\n\n".encode()


DONE = b"event: done\ndata: [DONE]\n\n"
Queue = asyncio.Queue[Event | None]


class Broadcast:
    """Who listens to which run."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Queue]] = {}

    @contextmanager
    def listen(self, run_id: str) -> Iterator[Queue]:
        """A queue of a run's events, ended by None."""
        queue: Queue = asyncio.Queue()
        self._listeners.setdefault(run_id, []).append(queue)
        try:
            yield queue
        finally:
            self._listeners[run_id].remove(queue)
            if not self._listeners[run_id]:
                del self._listeners[run_id]

    def publish(self, run_id: str, *events: Event) -> None:
        """Hand events to whoever listens now."""
        for queue in self._listeners.get(run_id, ()):
            for event in events:
                queue.put_nowait(event)

    def end(self, run_id: str) -> None:
        """Say that no further event of a run will come."""
        for queue in self._listeners.get(run_id, ()):
            queue.put_nowait(None)


async def server_sent(queue: Queue) -> AsyncIterator[bytes]:
    """The bytes of a stream: each event, comments in long silences, and `[DONE]` after the last event."""
    while True:
        try:
            event = await asyncio.wait_for(queue.get(), KEEP_ALIVE)
        except TimeoutError:
            yield b": the run goes on\n\n"
            continue
        if event is None:
            yield DONE
            return
        yield event.encode()
