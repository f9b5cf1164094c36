"""Deleting what is old: the events of ended runs, what the engine recorded of them, and threads nobody uses.

Looked for a few at a time, because the deletes of a file keep its service waiting.
"""

from sqlalchemy import bindparam, delete, func, select

from capably.threads.database import Database
from capably.threads.engine import Engine
from capably.threads.lifecycle import Clock
from capably.threads.objects import ACTIVE
from capably.threads.store.threads import drop_thread
from capably.threads.tables import events, messages, runs, threads

AT_ONCE = 50
# Seconds between two looks for threads: each one reads all that are old.
THREADS_PAUSE = 600

_FIRST_WITH_EVENTS = select(func.min(runs.c.seq)).where(runs.c.id.in_(select(events.c.run_id).distinct()))
_NEXT = (
    select(runs.c.seq, runs.c.id, runs.c.status)
    .where(runs.c.seq > bindparam("after"), runs.c.created_at < bindparam("before"))
    .order_by(runs.c.seq)
    .limit(AT_ONCE)
)
_USED = (
    select(messages.c.id).where(messages.c.thread_id == threads.c.id, messages.c.created_at >= bindparam("before")),
    select(runs.c.id).where(runs.c.thread_id == threads.c.id, runs.c.created_at >= bindparam("before")),
    select(runs.c.id).where(runs.c.thread_id == threads.c.id, runs.c.status.in_(ACTIVE)),
)
_UNUSED = select(threads.c.id).where(threads.c.created_at < bindparam("before")).limit(AT_ONCE)
for _asked in _USED:
    _UNUSED = _UNUSED.where(~_asked.exists())


class Forgetting:
    """What is deleted, and when.

    Args:
        database: where it is.
        engine: has records of its own.
        clock: seconds since the epoch.
        keep_events: seconds for which the events of a run are kept, from its creation.
        keep_threads: seconds for which a thread is kept that gets neither messages nor runs; None for ever.
    """

    def __init__(
        self, database: Database, engine: Engine, clock: Clock, *, keep_events: int, keep_threads: int | None
    ) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._keep_events = keep_events
        self._keep_threads = keep_threads
        self._done_to: int | None = None  # runs up to this one, in order of creation, have no events any more
        self._threads_at = 0.0

    async def look(self) -> None:
        """Delete what is old by now."""
        await self._engine.forget(int(self._clock()) - self._keep_events)
        while await self._forget_events():
            pass
        if self._keep_threads is not None and self._clock() >= self._threads_at:
            while await self._forget_threads(self._keep_threads):
                pass
            self._threads_at = self._clock() + THREADS_PAUSE

    async def _forget_events(self) -> bool:
        """Delete the events of some runs; whether there may be more."""
        async with self._database.read() as connection:
            if self._done_to is None:
                first = (await connection.execute(_FIRST_WITH_EVENTS)).scalar()
                if first is None:
                    return False
                self._done_to = first - 1
            wanted = {"after": self._done_to, "before": int(self._clock()) - self._keep_events}
            found = (await connection.execute(_NEXT, wanted)).all()
        ended = []
        for run in found:
            if run.status in ACTIVE:
                break
            ended.append(run)
        if not ended:
            return False
        async with self._database.write() as connection:
            await connection.execute(delete(events).where(events.c.run_id.in_([run.id for run in ended])))
        self._done_to = ended[-1].seq
        return len(found) == AT_ONCE

    async def _forget_threads(self, keep: int) -> bool:
        """Delete some threads that nobody has used for long; whether there may be more."""
        before = int(self._clock()) - keep
        async with self._database.read() as connection:
            unused = (await connection.execute(_UNUSED, {"before": before})).scalars().all()
        for thread_id in unused:
            async with self._database.write() as connection:
                # Held first, so that nobody uses it between the second look and the end of it.
                await connection.execute(select(threads.c.id).where(threads.c.id == thread_id).with_for_update())
                still = _UNUSED.where(threads.c.id == thread_id)
                if (await connection.execute(still, {"before": before})).first() is not None:
                    await drop_thread(connection, thread_id)
        return len(unused) == AT_ONCE
