"""Streams of a run's events, read from the log: from any number on, as they come, until the run ends or waits."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from sqlalchemy import select

from capably.threads.bells import Bells
from capably.threads.database import Database
from capably.threads.errors import error_body
from capably.threads.events import DONE, read_after
from capably.threads.objects import ACTIVE
from capably.threads.tables import runs

KEEP_ALIVE = 15.0  # seconds of silence after which a comment is sent, so that proxies keep the connection
_WORDS = "The service had to leave this run for now. It is kept and goes on later; read it by its id."
INTERRUPTED = f"event: error\ndata: {json.dumps(error_body(500, _WORDS, code='run_interrupted'))}\n\n".encode()


class Streams:
    """Gives streams until the service stops.

    Args:
        database: where the log is.
        bells: rung when a log has grown.
    """

    def __init__(self, database: Database, bells: Bells) -> None:
        self._database = database
        self._bells = bells
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all streams; their readers are told that the run goes on later."""
        self._stopping.set()
        self._bells.ring_all()

    async def read(self, run_id: str, after: int) -> AsyncIterator[bytes]:
        """The events of a run after a number, on the wire, and `[DONE]` when the run has ended or waits."""
        silent_since = time.monotonic()
        with self._bells.listen(run_id) as bell:
            while True:
                over, found = await self._look(run_id, after)
                for number, data in found:
                    yield data
                    after = number
                if over:
                    yield DONE
                    return
                if self._stopping.is_set():
                    yield INTERRUPTED
                    yield DONE
                    return
                if found:
                    silent_since = time.monotonic()
                elif time.monotonic() - silent_since > KEEP_ALIVE:
                    silent_since = time.monotonic()
                    yield b": the run goes on\n\n"
                await bell.wait()

    async def _look(self, run_id: str, after: int) -> tuple[bool, list[tuple[int, bytes]]]:
        """What is new, and whether nothing more comes for now."""
        async with self._database.read() as connection:
            found = await read_after(connection, run_id, after)
            if found:
                over = found[-1].pause
            else:
                asked = select(runs.c.status).where(runs.c.id == run_id)
                status = (await connection.execute(asked)).scalar()
                over = status not in ACTIVE or status == "requires_action"
        return over, [(event.number, event.encode()) for event in found]
