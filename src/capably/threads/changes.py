"""Changing a run together with the event that tells it: one statement for the run, one for its log."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, update

from capably.threads import events
from capably.threads.database import Connection
from capably.threads.events import Event
from capably.threads.narration import run_event
from capably.threads.objects import Run
from capably.threads.tables import runs

_CHANGE: Any = (
    update(runs)
    .where(runs.c.id == bindparam("changed_id"))
    .values(logged=runs.c.logged + bindparam("more"))
    .returning(runs)
)


async def change_run(connection: Connection, run_id: str, values: dict[str, Any], told: Sequence[Event] = ()) -> Run:
    """Change a run, and tell first what led to it, then the status it has now, in the open transaction.

    Args:
        connection: a writing transaction.
        run_id: which run, which is there.
        values: its new columns.
        told: what is told before the run's own event; none of it is withdrawn any more.
    """
    parameters = {"changed_id": run_id, "more": len(told) + 1, **values}
    run = Run.model_validate(dict((await connection.execute(_CHANGE, parameters)).mappings().one()))
    rows = events.rows_of(run.id, run.tenant, run.logged, [*told, run_event(run)], None)
    await events.insert_rows(connection, rows)
    return run
