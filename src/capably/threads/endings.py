"""How runs end: what is open is closed, the end is told, and the next run of the thread gets its turn."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from capably.threads import events
from capably.threads.narration import message_event, run_event, step_event
from capably.threads.objects import LastError, Message, MessageFault, Run, RunStep, text_part
from capably.threads.rows import change_row
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


async def end_run(connection: AsyncConnection, run: Run, fate: Fate, now: int) -> Run | None:
    """End an unfinished run, in the open transaction; the run that waited for its thread, if any, is given."""
    await _close(connection, run, fate, now)
    ended = await change_row(connection, Run, runs, run.id, _values(run, fate, now))
    await events.append(connection, run.id, [run_event(ended)])
    return None if run.waiting else await next_in_line(connection, run.thread_id, now)


async def _close(connection: AsyncConnection, run: Run, fate: Fate, now: int) -> None:
    """Close the messages and steps that are open: a message first, then the step that wrote it."""
    open_messages = select(messages.c.id, messages.c.turn).where(
        messages.c.run_id == run.id, messages.c.status == "in_progress"
    )
    for row in (await connection.execute(open_messages)).all():
        text = await events.text_of(connection, run.id, row.turn)
        cut: dict[str, Any] = {
            "status": "incomplete",
            "incomplete_at": now,
            "incomplete_details": {"reason": fate.fault or FAULTS.get(fate.status, "run_failed")},
            "content": [text_part(text)] if text else [],
        }
        message = await change_row(connection, Message, messages, row.id, cut)
        await events.append(connection, run.id, [message_event(message)])
    open_steps = select(steps.c.id).where(steps.c.run_id == run.id, steps.c.status == "in_progress")
    for step_id in (await connection.execute(open_steps.order_by(steps.c.seq))).scalars().all():
        status = "completed" if fate.status == "incomplete" else fate.status
        closed: dict[str, Any] = {"status": status, f"{status}_at": now}
        if fate.error:
            closed["last_error"] = fate.error.model_dump()
        step = await change_row(connection, RunStep, steps, step_id, closed)
        await events.append(connection, run.id, [step_event(step)])


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
        "usage": run.spent.model_dump() if run.spent else None,
        "last_error": fate.error.model_dump() if fate.error else None,
        "held": None,
        **stamps[fate.status],
    }


async def next_in_line(connection: AsyncConnection, thread_id: str, now: int) -> Run | None:
    """Give a free thread to the run that has waited longest, with the messages it brings."""
    waiting = select(runs).where(runs.c.thread_id == thread_id, runs.c.waiting.is_(True)).order_by(runs.c.seq)
    row = (await connection.execute(waiting.limit(1).with_for_update())).mappings().first()
    if row is None:
        return None
    following = Run.model_validate(dict(row))
    if following.held:
        added = [{"attachments": None, **values, "created_at": now, "completed_at": now} for values in following.held]
        await connection.execute(insert(messages), added)
    lifetime = (following.expires_at or now) - following.created_at
    values = {"waiting": False, "held": None, "expires_at": now + lifetime}
    return await change_row(connection, Run, runs, following.id, values)
