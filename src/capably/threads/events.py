"""The events of runs, kept in their order: what a stream says is read from here, however late and however often.

Numbers grow by one within a run and are never given twice, so a reader who knows the last number it has seen misses
nothing. A turn of the model that a crash cut is withdrawn and told again under new numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update

from capably.threads.database import Connection
from capably.threads.objects import Json
from capably.threads.tables import events, runs

DONE = b"event: done\ndata: [DONE]\n\n"
MOST = 500  # events read at once

# Made once, see `rows`.
_COUNT = (
    update(runs)
    .where(runs.c.id == bindparam("counted_id"))
    .values(logged=runs.c.logged + bindparam("more"))
    .returning(runs.c.logged, runs.c.tenant)
)
_INSERT = insert(events)
_WITHDRAW = delete(events).where(events.c.run_id == bindparam("run_id"), events.c.turn == bindparam("turn"))
_LATER = (
    select(events.c.number, events.c.name, events.c.data, events.c.pause)
    .where(events.c.run_id == bindparam("run_id"), events.c.number > bindparam("after"))
    .order_by(events.c.number)
    .limit(MOST)
)
_DELTAS = (
    select(events.c.data)
    .where(
        events.c.run_id == bindparam("run_id"),
        events.c.turn == bindparam("turn"),
        events.c.name == "thread.message.delta",
    )
    .order_by(events.c.number)
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run: its name, its JSON data, and whether a stream ends with it."""

    name: str
    data: Json
    pause: bool = False


@dataclass(frozen=True, slots=True)
class Logged:
    """An event as it is kept; `data` is JSON."""

    number: int
    name: str
    data: str
    pause: bool

    def encode(self) -> bytes:
        """The event on the wire (HTML standard, server-sent events)."""
        return f"event: {self.name}\nid: {self.number}\ndata: {self.data}\n\n".encode()


async def append(connection: Connection, run_id: str, found: Sequence[Event], *, turn: int | None = None) -> None:
    """Add events to a run's log, in the open transaction.

    Args:
        connection: a writing transaction.
        run_id: whose they are.
        found: the events in their order.
        turn: the turn they belong to; None for events of the run itself, which are never withdrawn.
    """
    if found:
        row = (await connection.execute(_COUNT, {"counted_id": run_id, "more": len(found)})).one()
        await insert_rows(connection, rows_of(run_id, row.tenant, row.logged, found, turn))


def rows_of(run_id: str, tenant: str, last: int, found: Sequence[Event], turn: int | None) -> list[dict[str, Any]]:
    """The rows of events, of which the newest has a number."""
    first = last - len(found) + 1
    return [
        {
            "run_id": run_id,
            "number": first + place,
            "tenant": tenant,
            "turn": turn,
            "name": event.name,
            "data": msgspec.json.encode(event.data).decode(),
            "pause": event.pause,
        }
        for place, event in enumerate(found)
    ]


async def insert_rows(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows of events whose numbers have been counted, in the open transaction."""
    if rows:
        await connection.execute(_INSERT, rows)


async def withdraw(connection: Connection, run_id: str, turn: int) -> None:
    """Take back the events of a turn that is begun again."""
    await connection.execute(_WITHDRAW, {"run_id": run_id, "turn": turn})


async def read_after(connection: Connection, run_id: str, number: int) -> list[Logged]:
    """The events of a run after a number, oldest first, `MOST` of them at most."""
    rows = await connection.execute(_LATER, {"run_id": run_id, "after": number})
    return [Logged(row.number, row.name, row.data, row.pause) for row in rows]


async def text_of(connection: Connection, run_id: str, turn: int) -> str:
    """The text a turn has said so far, out of its deltas."""
    rows = await connection.execute(_DELTAS, {"run_id": run_id, "turn": turn})
    told = [msgspec.json.decode(data)["delta"] for data in rows.scalars()]
    return "".join(delta["content"][0]["text"].get("value", "") for delta in told)
