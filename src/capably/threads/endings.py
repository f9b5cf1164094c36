"""How runs end: what is open is closed, the end is told, and the next run of the thread gets its turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import bindparam, select

from capably.threads import events
from capably.threads.changes import change_run
from capably.threads.database import Connection
from capably.threads.events import Event
from capably.threads.narration import message_event, step_event
from capably.threads.objects import LastError, Message, MessageFault, Run, RunStep, text_part
from capably.threads.rows import change_row, insert_rows
from capably.threads.tables import messages, runs, steps

Ending = Literal["completed", "incomplete", "failed", "expired", "cancelled"]


@dataclass(frozen=True, slots=True)
class Fate:
    """How a run ends.

    Attributes:
        status: its last status.
        error: why it failed.
        limit: which limit left it incomplete.
        fault: why a message it was writing stops early.
    """

    status: Ending
    error: LastError | None = None
    limit: Literal["max_completion_tokens", "max_prompt_tokens"] | None = None
    fault: MessageFault | None = None


# What an end says about a message it cuts, unless the fate says it closer.
FAULTS: dict[Ending, MessageFault] = {
    "incomplete": "max_tokens",
    "failed": "run_failed",
    "expired": "run_expired",
    "cancelled": "run_cancelled",
}


_OPEN_MESSAGES = select(messages.c.id, messages.c.turn).where(
    messages.c.run_id == bindparam("run"), messages.c.status == "in_progress"
)
_OPEN_STEPS = (
    select(steps.c.id).where(steps.c.run_id == bindparam("run"), steps.c.status == "in_progress").order_by(steps.c.seq)
)
_FIRST_WAITING = (
    select(runs)
    .where(runs.c.thread_id == bindparam("thread"), runs.c.waiting.is_(True))
    .order_by(runs.c.seq)
    .limit(1)
    .with_for_update()
)


async def end_run(connection: Connection, run: Run, fate: Fate, now: int, told: Sequence[Event] = ()) -> Run | None:
    """End an unfinished run, in the open transaction; the run that waited for its thread, if any, is given.

    Args:
        connection: a writing transaction.
        run: as it is, but for `turn` and `spent`, which are recorded with the end.
        fate: how it ends.
        now: unix seconds.
        told: what its last turn has to tell before; one that completes a run has closed all that was open.
    """
    closed = [] if fate.status == "completed" else await _close(connection, run, fate, now)
    await change_run(connection, run.id, _values(run, fate, now), [*told, *closed])
    return None if run.waiting else await next_in_line(connection, run.thread_id, now)


async def _close(connection: Connection, run: Run, fate: Fate, now: int) -> list[Event]:
    """Close the messages and steps that are open: a message first, then the step that wrote it."""
    told: list[Event] = []
    for row in (await connection.execute(_OPEN_MESSAGES, {"run": run.id})).all():
        text = await events.text_of(connection, run.id, row.turn)
        cut: dict[str, Any] = {
            "status": "incomplete",
            "incomplete_at": now,
            "incomplete_details": {"reason": fate.fault or FAULTS.get(fate.status, "run_failed")},
            "content": [text_part(text)] if text else [],
        }
        message = await change_row(connection, Message, messages, row.id, cut)
        told.append(message_event(message))
    for step_id in (await connection.execute(_OPEN_STEPS, {"run": run.id})).scalars().all():
        status = "completed" if fate.status == "incomplete" else fate.status
        closed: dict[str, Any] = {"status": status, f"{status}_at": now}
        if fate.error:
            closed["last_error"] = fate.error.model_dump()
        told.append(step_event(await change_row(connection, RunStep, steps, step_id, closed)))
    return told


def _values(run: Run, fate: Fate, now: int) -> dict[str, Any]:
    """The columns an end sets; `expires_at` is null once a run has ended, unless that is how it ended."""
    stamps: dict[Ending, dict[str, Any]] = {
        "completed": {"completed_at": now, "expires_at": None},
        "incomplete": {"completed_at": now, "expires_at": None, "incomplete_details": {"reason": fate.limit}},
        "failed": {"failed_at": now, "expires_at": None},
        "cancelled": {"cancelled_at": now, "expires_at": None},
        "expired": {},
    }
    return {
        "status": fate.status,
        "required_action": None,
        "waiting": False,
        "turn": run.turn,
        "spent": run.spent.model_dump() if run.spent else None,
        "usage": run.spent.model_dump() if run.spent else None,
        "last_error": fate.error.model_dump() if fate.error else None,
        "held": None,
        **stamps[fate.status],
    }


async def next_in_line(connection: Connection, thread_id: str, now: int) -> Run | None:
    """Give a free thread to the run that has waited longest, with the messages it brings."""
    row = (await connection.execute(_FIRST_WAITING, {"thread": thread_id})).mappings().first()
    if row is None:
        return None
    following = Run.model_validate(dict(row))
    if following.held:
        added = [{"attachments": None, **values, "created_at": now, "completed_at": now} for values in following.held]
        await insert_rows(connection, messages, added)
    lifetime = (following.expires_at or now) - following.created_at
    values = {"waiting": False, "held": None, "expires_at": now + lifetime}
    return await change_row(connection, Run, runs, following.id, values)
