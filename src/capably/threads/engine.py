"""Runs as durable workflows: DBOS records what is to be executed and takes it up again after a crash.

A leg of a run, from queued to its end or to `requires_action`, is one workflow named `<run id>.<leg>`. It has no steps
of its own: each move is recorded in the run's rows, by transactions that are safe to do again (`lifecycle`). A leg that
is executed again passes the moves that are done, since each of them only gives the next one.

DBOS is one per process, so is this engine.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy import URL, event
from sqlalchemy.exc import SQLAlchemyError

from capably.threads.database import BUSY_MS
from capably.threads.moves import Move
from capably.threads.objects import Run
from capably.threads.thinking import Thinker

log = logging.getLogger("capably.threads")

QUEUE = "runs"
POLL = 0.1  # seconds between two looks of a process into the shared queue
FORGOTTEN_AT_ONCE = 100  # records deleted in one transaction
THREADS = 16  # that write what DBOS records
VERSION = "1"  # of the arguments below; executions of another version are left to processes of that version
NAME = "capably-threads"
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each further attempt at a move whose database failed

_thinker: Thinker | None = None
_working: set["asyncio.Task[Any]"] = set()


class EngineBusyError(Exception):
    """Another service of this process has the engine."""


def _current() -> Thinker:
    if _thinker is None:
        raise RuntimeError("the engine is not running")
    return _thinker


async def _next(run_id: str, leg: int, move: Move) -> Move | None:
    """Execute a move and give the one after it."""
    for pause in PAUSES:
        try:
            return await _execute(run_id, leg, move)
        except SQLAlchemyError:
            log.warning("%s cannot go on for now; trying again in %g seconds", run_id, pause, exc_info=True)
            await asyncio.sleep(pause)
    return await _execute(run_id, leg, move)


async def _execute(run_id: str, leg: int, move: Move) -> Move | None:
    kind, what = move
    thinker = _current()
    return await (thinker.think(run_id, leg, int(what)) if kind == "think" else thinker.act(run_id, leg, what))


@DBOS.workflow(name="run", max_recovery_attempts=1000)
async def _leg(run_id: str, leg: int, move: Move | None) -> None:
    task = asyncio.current_task()
    if task is not None:
        _working.add(task)
        task.add_done_callback(_working.discard)
    while move is not None:
        move = await _next(run_id, leg, move)


class Engine:
    """Starts the legs of runs, once each however often it is asked.

    Args:
        name: this process among those that execute runs.
        shared: whether other processes take runs from the same queue.
    """

    def __init__(self, name: str, *, shared: bool) -> None:
        self.name = name
        self.shared = shared
        self._stopping = False
        self._starting: set[asyncio.Task[None]] = set()

    async def start(self, run: Run, move: Move) -> None:
        """Execute a leg of a run soon, beginning with a move; one that comes after `stop` is left to the next start."""
        if self._stopping:
            return
        # Perhaps asked for by another run, whose end let this one have its thread: to DBOS it is nobody's child. And
        # whatever stops whoever asked, this is not left half done: recorded, so that nobody else starts it, and never
        # executed.
        starting = asyncio.create_task(self._start(run, move), context=Context())
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        await asyncio.shield(starting)

    async def _start(self, run: Run, move: Move) -> None:
        with SetWorkflowID(f"{run.id}.{run.leg}"):
            if self.shared:
                await DBOS.enqueue_workflow_async(QUEUE, _leg, run.id, run.leg, move)
            else:
                await DBOS.start_workflow_async(_leg, run.id, run.leg, move)

    async def state(self, run: Run) -> Literal["known", "over", "unknown"]:
        """Whether the current leg of a run is executed or waits for it, has ended, or was never started."""
        found = await DBOS.list_workflows_async(
            workflow_ids=[f"{run.id}.{run.leg}"], load_input=False, load_output=False
        )
        if not found:
            return "unknown"
        return "known" if found[0].status in ("PENDING", "ENQUEUED", "DELAYED") else "over"

    async def take_over(self, dead: list[str]) -> None:
        """Put what processes that are gone were executing back into the queue."""
        await asyncio.to_thread(DBOS._recover_pending_workflows, dead)  # noqa: SLF001 - the way its own admin page has

    async def executors(self) -> set[str]:
        """The processes that are executing something, by name."""
        found = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
        return {str(status.executor_id) for status in found}

    async def stop(self, seconds: float) -> None:
        """Start nothing more, and wait so long for the moves that are being executed; doing it twice is harmless."""
        self._stopping = True
        if self._starting:
            await asyncio.wait(self._starting)
        await _drain(seconds)

    async def forget(self, before: int) -> None:
        """Delete the records of what ended before a time, in unix seconds."""
        until = datetime.fromtimestamp(before, UTC).isoformat()
        while found := await DBOS.list_workflows_async(
            completed_before=until, limit=FORGOTTEN_AT_ONCE, load_input=False, load_output=False
        ):
            await DBOS.delete_workflows_async([status.workflow_id for status in found])


@asynccontextmanager
async def running_engine(url: URL, make: Callable[[Engine], Thinker], *, at_once: int) -> AsyncIterator[Engine]:
    """The engine of this process on a database, for the length of an `async with`.

    Leaving it stops what is being executed; that goes on at the next start, or in another process.

    Raises:
        EngineBusyError: if this process has one already.
    """
    global _thinker  # noqa: PLW0603 - DBOS registers functions, which find what they work with here
    if _thinker is not None:
        raise EngineBusyError("one process runs one threads service; start the second one as a process of its own")
    shared = url.drivername != "sqlite"
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}" if shared else "local"
    engine = Engine(name, shared=shared)
    _thinker = make(engine)
    try:
        _launch(url, name)
        if shared:
            await DBOS.register_queue_async(
                QUEUE, worker_concurrency=at_once, polling_interval_sec=POLL, on_conflict="always_update"
            )
        yield engine
    finally:
        await engine.stop(0)
        await asyncio.to_thread(DBOS.destroy)
        _thinker = None


async def _drain(seconds: float) -> None:
    """Wait for what is executed, then stop it where it is: nothing of it is recorded, so it is done again."""
    if _working and seconds > 0:
        await asyncio.wait(_working, timeout=seconds)
    left = set(_working)
    for task in left:
        task.cancel()
    if left:
        log.info("stopping with %d runs unfinished; they go on at the next start", len(left))
        await asyncio.wait(left)


def _launch(url: URL, name: str) -> None:
    config: DBOSConfig = {
        "name": NAME,
        "application_version": VERSION,
        "executor_id": name,
        "log_level": "CRITICAL",
        "max_executor_threads": THREADS,
        "sys_db_pool_size": 8,
        "scheduler_polling_interval_sec": 3600.0,  # nothing is scheduled
        "system_database_url": url.set(drivername="postgresql").render_as_string(hide_password=False)
        if url.drivername != "sqlite"
        else f"sqlite:///{url.database}",
    }
    if url.drivername == "sqlite":
        config["system_database_engine"] = _sqlite_engine(url)
    DBOS(config=config)
    DBOS.launch()


def _sqlite_engine(url: URL) -> sa.Engine:
    """DBOS on the file of the threads: one file to copy, one log in which what it records comes after what it did.

    `synchronous=NORMAL`: after a power failure the last of its records may be missing, then a step is done again.
    """
    engine = sa.create_engine(url)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_MS}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
