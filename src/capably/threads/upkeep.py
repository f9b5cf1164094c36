"""Looking after runs: what is overdue expires, what nobody executes is executed, what is old is forgotten.

Everything here is also done elsewhere, at the right moment; this finds what a crash left between two moments.
"""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from sqlalchemy import delete, insert, select, update

from capably.threads.bells import Bells
from capably.threads.database import Database
from capably.threads.endings import Fate
from capably.threads.engine import Engine
from capably.threads.forgetting import Forgetting
from capably.threads.lifecycle import Lifecycle
from capably.threads.objects import ACTIVE, Run
from capably.threads.tables import runs, workers
from capably.threads.thinking import stop_bell

log = logging.getLogger("capably.threads")
# Seconds in which a new run is left to whoever created it.
FRESH = 5
# Seconds an execution has to expire its own run, which keeps what it has said so far.
GRACE = 5
# Seconds after which a process that has said nothing is taken for dead.
DEAD = 20


class Upkeep(AbstractAsyncContextManager["Upkeep"]):
    """Looks around at the start and then every `pause` seconds, while its `async with` is open.

    Args:
        database: where the runs are.
        lifecycle: changes them.
        engine: executes them.
        bells: wake executions that have to stop.
        pause: seconds between two looks.
        forgetting: deletes what is old.
    """

    def __init__(
        self,
        database: Database,
        lifecycle: Lifecycle,
        engine: Engine,
        bells: Bells,
        *,
        pause: float,
        forgetting: Forgetting,
    ) -> None:
        self._database = database
        self._lifecycle = lifecycle
        self._engine = engine
        self._bells = bells
        self._pause = min(pause, DEAD / 4) if engine.shared else pause
        self._forgetting = forgetting
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._look(self._lifecycle.now + 1)
        self._looking = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        if self._engine.shared:
            async with self._database.write() as connection:
                await connection.execute(delete(workers).where(workers.c.id == self._engine.name))

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            try:
                await self._look(self._lifecycle.now - FRESH)
            except Exception:
                log.exception("could not look after the runs; looking again in %g seconds", self._pause)

    async def _look(self, created_before: int) -> None:
        if self._engine.shared:
            await self._count_workers()
        await self._expire()
        await self._restart(created_before)
        await self._free_threads()
        await self._forgetting.look()

    async def _count_workers(self) -> None:
        """Say that this process lives, and take over from those that do not."""
        now = self._lifecycle.now
        async with self._database.write() as connection:
            seen = update(workers).where(workers.c.id == self._engine.name).values(seen_at=now)
            if (await connection.execute(seen)).rowcount == 0:
                await connection.execute(insert(workers).values(id=self._engine.name, seen_at=now))
            await connection.execute(delete(workers).where(workers.c.seen_at < now - 10 * DEAD))
            alive = select(workers.c.id).where(workers.c.seen_at >= now - DEAD)
            living = set((await connection.execute(alive)).scalars())
        dead = await self._engine.executors() - living
        if dead:
            log.warning("taking over the runs of %s", ", ".join(sorted(dead)))
            await self._engine.take_over(sorted(dead))

    async def _expire(self) -> None:
        now = self._lifecycle.now
        overdue = select(runs.c.id, runs.c.status).where(runs.c.status.in_(ACTIVE), runs.c.expires_at <= now)
        late = runs.c.status.in_(("queued", "requires_action")) | (runs.c.expires_at <= now - GRACE)
        async with self._database.read() as connection:
            found = (await connection.execute(overdue.where(late))).all()
        for run in found:
            await self._lifecycle.end(run.id, None, Fate("cancelled" if run.status == "cancelling" else "expired"))
            self._bells.ring(stop_bell(run.id))

    async def _restart(self, created_before: int) -> None:
        executed = runs.c.status.in_(("queued", "in_progress", "cancelling")) & runs.c.waiting.is_(False)
        found = select(runs).where(executed, runs.c.created_at < created_before).order_by(runs.c.seq)
        async with self._database.read() as connection:
            rows = (await connection.execute(found)).mappings().all()
        for run in [Run.model_validate(dict(row)) for row in rows]:
            state = await self._engine.state(run)
            if state == "unknown":
                await self._engine.start(run, ("think", str(run.turn)))
            elif state == "over":
                await self._lifecycle.restart(run)

    async def _free_threads(self) -> None:
        waiting = runs.alias("waiting")
        held = select(runs.c.id).where(
            runs.c.thread_id == waiting.c.thread_id, runs.c.status.in_(ACTIVE), runs.c.waiting.is_(False)
        )
        free = select(waiting.c.thread_id).where(waiting.c.waiting.is_(True), ~held.exists()).distinct()
        async with self._database.read() as connection:
            threads = list((await connection.execute(free)).scalars())
        for thread_id in threads:
            await self._lifecycle.follow(thread_id)
