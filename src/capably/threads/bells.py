"""Telling whoever waits for a run that something about it is new: its log has grown, or it shall stop.

A bell only wakes; what is new is read from the database. Within a process it rings at once. Between processes that
share PostgreSQL it rings by NOTIFY, gathered for some milliseconds. When the connection that carries rings was lost,
everybody is woken once there is one again, and rings that could not be told are told then.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import URL

log = logging.getLogger("capably.threads")

CHANNEL = "capably_threads"
GATHER = 0.01  # seconds
RECONNECT = 1.0  # seconds
LOOK_AGAIN = 15.0  # seconds after which a waiter looks by itself, though nothing should be lost


class Bells:
    """Who waits for which run."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._told: set[str] = set()
        self._news = asyncio.Event()

    @contextmanager
    def listen(self, run_id: str) -> Iterator["Listening"]:
        """Something to wait on, for the length of a `with`."""
        event = asyncio.Event()
        self._waiting.setdefault(run_id, set()).add(event)
        try:
            yield Listening(event)
        finally:
            self._waiting[run_id].discard(event)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    def ring(self, run_id: str) -> None:
        """Wake who waits for a run, here and in the other processes."""
        self.ring_here(run_id)
        self._told.add(run_id)
        self._news.set()

    def ring_here(self, run_id: str) -> None:
        """Wake who waits for a run in this process."""
        for event in self._waiting.get(run_id, ()):
            event.set()

    def ring_all(self) -> None:
        """Wake everybody: the service stops, or rings may have been missed."""
        for run_id in list(self._waiting):
            self.ring_here(run_id)

    async def next_told(self) -> list[str]:
        """The runs rung for since the last time."""
        await self._news.wait()
        await asyncio.sleep(GATHER)
        self._news.clear()
        told, self._told = list(self._told), set()
        return told

    def tell_again(self, runs: list[str]) -> None:
        """Tell the other processes what they could not be told."""
        self._told.update(runs)
        self._news.set()


class Listening:
    """One waiter's bell."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    async def wait(self) -> None:
        """Until the bell has rung since the last time, or it is time to look anyway."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), LOOK_AGAIN)
        self._event.clear()


@contextlib.asynccontextmanager
async def connected(bells: Bells, url: URL) -> AsyncIterator[None]:
    """Carry rings between the processes that share a PostgreSQL database, for the length of an `async with`."""
    tasks = [asyncio.create_task(_hear(bells, url)), asyncio.create_task(_tell(bells, url))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _hear(bells: Bells, url: URL) -> None:
    import psycopg  # noqa: PLC0415 - only PostgreSQL needs it

    async def listen() -> None:
        async with await psycopg.AsyncConnection.connect(_conninfo(url), autocommit=True) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            bells.ring_all()  # for what was told while nobody listened
            async for notice in connection.notifies():
                bells.ring_here(notice.payload)

    await _keep(listen)


async def _tell(bells: Bells, url: URL) -> None:
    import psycopg  # noqa: PLC0415

    async def notify() -> None:
        async with await psycopg.AsyncConnection.connect(_conninfo(url), autocommit=True) as connection:
            while True:
                told = await bells.next_told()
                try:
                    await connection.execute(
                        "SELECT pg_notify(%s, run) FROM unnest(%s::text[]) AS run", (CHANNEL, told), prepare=True
                    )
                except psycopg.Error:
                    bells.tell_again(told)
                    raise

    await _keep(notify)


async def _keep(work: Callable[[], Awaitable[None]]) -> None:
    import psycopg  # noqa: PLC0415

    while True:
        try:
            await work()
        except psycopg.Error as failure:
            log.warning("lost the connection that carries events between processes: %s", failure)
        await asyncio.sleep(RECONNECT)


def _conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
