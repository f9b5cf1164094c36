"""The events of runs, kept in their order: what a stream says is read from here, however late and however often.

Numbers grow by one within a run and are never given twice, so a reader who knows the last number it has seen misses
nothing. A turn of the model that a crash cut is withdrawn and told again under new numbers.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from capably.threads.objects import Json
from capably.threads.tables import events, runs

DONE = b"event: done\ndata: [DONE]\n\n"


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


async def append(connection: AsyncConnection, run_id: str, found: Sequence[Event], *, turn: int | None = None) -> None:
    """Add events to a run's log, in the open transaction.

    Args:
        connection: a writing transaction.
        run_id: whose they are.
        found: the events in their order.
        turn: the turn they belong to; None for events of the run itself, which are never withdrawn.
    """
    if not found:
        return
    count = update(runs).where(runs.c.id == run_id).values(logged=runs.c.logged + len(found))
    row = (await connection.execute(count.returning(runs.c.logged, runs.c.tenant))).one()
    first = row.logged - len(found) + 1
    rows = [
        {
            "run_id": run_id,
            "number": first + place,
            "tenant": row.tenant,
            "turn": turn,
            "name": event.name,
            "data": json.dumps(event.data, ensure_ascii=False),
            "pause": event.pause,
        }
        for place, event in enumerate(found)
    ]
    await connection.execute(insert(events), rows)


async def withdraw(connection: AsyncConnection, run_id: str, turn: int) -> None:
    """Take back the events of a turn that is begun again."""
    await connection.execute(delete(events).where(events.c.run_id == run_id, events.c.turn == turn))


async def read_after(connection: AsyncConnection, run_id: str, number: int, limit: int = 500) -> list[Logged]:
    """The events of a run after a number, oldest first."""
    columns = (events.c.number, events.c.name, events.c.data, events.c.pause)
    later = select(*columns).where(events.c.run_id == run_id, events.c.number > number)
    rows = await connection.execute(later.order_by(events.c.number).limit(limit))
    return [Logged(row.number, row.name, row.data, row.pause) for row in rows]


async def text_of(connection: AsyncConnection, run_id: str, turn: int) -> str:
    """The text a turn has said so far, out of its deltas."""
    told = select(events.c.data).where(
        events.c.run_id == run_id, events.c.turn == turn, events.c.name == "thread.message.delta"
    )
    rows = await connection.execute(told.order_by(events.c.number))
    return "".join(json.loads(data)["delta"]["content"][0]["text"].get("value", "") for data in rows.scalars())
