"""Streams of a run's events, read from the log: from any number on, as they come, until the run ends or waits."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from sqlalchemy import bindparam, select

from capably.threads.bells import Bells
from capably.threads.database import Database
from capably.threads.errors import error_body
from capably.threads.events import DONE, Logged, read_after
from capably.threads.objects import ACTIVE
from capably.threads.tables import runs

KEEP_ALIVE = 14.0  # seconds of silence after which a comment is sent, so that proxies keep the connection
_WORDS = "The service had to leave this run for now. It is kept and goes on later; read it by its id."
INTERRUPTED = f"event: error\ndata: {json.dumps(error_body(500, _WORDS, code='run_interrupted'))}\n\n".encode()
_STATUS = select(runs.c.status).where(runs.c.id == bindparam("run"))


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
                if found:
                    after = found[-1].number
                    yield b"".join(event.encode() for event in found) + (DONE if over else b"")
                elif over:
                    yield DONE
                if over:
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

    async def _look(self, run_id: str, after: int) -> tuple[bool, list[Logged]]:
        """What is new, and whether nothing more comes for now."""
        found = await self._after(run_id, after)
        if found:
            return found[-1].pause, found
        async with self._database.glance() as connection:
            status = (await connection.execute(_STATUS, {"run": run_id})).scalar()
        if status in ACTIVE and status != "requires_action":
            return False, found
        # It may have come to this after the first look at the log.
        found = await self._after(run_id, after)
        return not found or found[-1].pause, found

    async def _after(self, run_id: str, number: int) -> list[Logged]:
        async with self._database.glance() as connection:
            return await read_after(connection, run_id, number)
