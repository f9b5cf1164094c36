"""How a run's row changes while it is executed: queued, in_progress, and one of the ends.

Each change names the states it may come from, so a run that has ended stays as it ended, and a run executed
twice, after a crash, still leaves one message. Times are unix seconds.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from capably.threads.database import Database
from capably.threads.objects import ACTIVE, LastError, Message, Run, Usage
from capably.threads.tables import messages, runs

Ending = Literal["completed", "incomplete", "failed", "expired"]


@dataclass(frozen=True)
class Outcome:
    """How an execution ended; `message` is the reply, whole or cut, if there is any text."""

    status: Ending
    message: Message | None = None
    error: LastError | None = None
    usage: Usage | None = None


@dataclass(frozen=True)
class Work:
    """A run to execute and all messages of its thread, oldest first."""

    run: Run
    messages: tuple[Message, ...]


class Lifecycle:
    """The changes of runs in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, run_id: str, now: int) -> Work | None:
        """Move a run to in_progress, or back to it after a crash; None if it has ended."""
        async with self._database.write() as connection:
            begun = {"status": "in_progress", "started_at": func.coalesce(runs.c.started_at, now)}
            run = await _change(connection, run_id, ("queued", "in_progress"), begun)
            if run is None:
                return None
            order = (messages.c.created_at, messages.c.seq)
            asked = select(messages).where(messages.c.thread_id == run.thread_id).order_by(*order)
            rows = (await connection.execute(asked)).mappings()
            return Work(run, tuple(Message.model_validate(dict(row)) for row in rows))

    async def finish(self, run_id: str, outcome: Outcome, now: int) -> tuple[Run, Message | None]:
        """End a run and add its message in one transaction; a run that has ended is returned as it is."""
        async with self._database.write() as connection:
            run = await _change(connection, run_id, ACTIVE, _ended(outcome, now))
            if run is None:
                found = select(runs).where(runs.c.id == run_id)
                row = (await connection.execute(found)).mappings().one()
                return Run.model_validate(dict(row)), None
            if outcome.message is not None:
                await connection.execute(insert(messages).values(**_row(outcome.message)))
            return run, outcome.message

    async def expire_overdue(self, now: int) -> list[str]:
        """End every run whose time is over; their ids."""
        async with self._database.write() as connection:
            overdue = runs.c.status.in_(ACTIVE) & (runs.c.expires_at <= now)
            change = update(runs).where(overdue).values(status="expired").returning(runs.c.id)
            return list((await connection.execute(change)).scalars())

    async def unfinished(self, created_before: int) -> list[Run]:
        """Runs to execute, oldest first: those waiting, and those a crash left in progress."""
        open_runs = runs.c.status.in_(("queued", "in_progress")) & (runs.c.created_at < created_before)
        async with self._database.read() as connection:
            rows = (await connection.execute(select(runs).where(open_runs).order_by(runs.c.seq))).mappings()
            return [Run.model_validate(dict(row)) for row in rows]


async def _change(
    connection: AsyncConnection, run_id: str, allowed: tuple[str, ...], values: dict[str, Any]
) -> Run | None:
    change = update(runs).where(runs.c.id == run_id, runs.c.status.in_(allowed)).values(**values).returning(runs)
    row = (await connection.execute(change)).mappings().first()
    return None if row is None else Run.model_validate(dict(row))


def _row(message: Message) -> dict[str, Any]:
    return message.model_dump(mode="json", exclude={"object"})


def _ended(outcome: Outcome, now: int) -> dict[str, Any]:
    """The columns an end sets; `expires_at` is null once a run has ended, unless that is how it ended."""
    values: dict[str, Any] = {
        "status": outcome.status,
        "usage": outcome.usage.model_dump() if outcome.usage else None,
        "last_error": outcome.error.model_dump() if outcome.error else None,
    }
    stamps: dict[Ending, dict[str, Any]] = {
        "completed": {"completed_at": now, "expires_at": None},
        "incomplete": {
            "completed_at": now,
            "expires_at": None,
            "incomplete_details": {"reason": "max_completion_tokens"},
        },
        "failed": {"failed_at": now, "expires_at": None},
        "expired": {},
    }
    return values | stamps[outcome.status]
