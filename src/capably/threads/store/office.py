"""What every store works with, and how it finds what it was asked for."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, select

from capably.threads.database import Connection, Database
from capably.threads.errors import not_found
from capably.threads.objects import ACTIVE, Thread, new_id
from capably.threads.rows import Kind
from capably.threads.tables import runs, threads

NUL = "\0"


@dataclass(frozen=True, slots=True)
class Office:
    """The database as one tenant sees it.

    Attributes:
        database: open for as long as this is used.
        tenant: whose objects there are, as far as this goes.
        run_lifetime: seconds a run may take.
        identify: makes the id of a new object from the prefix of its kind.
        clock: seconds since the epoch.
    """

    database: Database
    tenant: str
    run_lifetime: int = 600
    identify: Callable[[str], str] = new_id
    clock: Callable[[], float] = time.time

    @property
    def now(self) -> int:
        """The time in whole seconds."""
        return int(self.clock())

    def owned(self, table: Table) -> ColumnElement[bool]:
        """Which rows of a table belong to the tenant."""
        return table.c.tenant == self.tenant

    async def find(
        self,
        connection: Connection,
        kind: type[Kind],
        table: Table,
        identity: str,
        *within: ColumnElement[bool],
        word: str,
        hold: bool = False,
    ) -> Kind:
        """An object by its id.

        Args:
            connection: an open transaction.
            kind: what it is.
            table: where it is.
            identity: its id.
            within: what else has to be true of it, such as its thread.
            word: what an error calls it.
            hold: keep other transactions from changing it until this one ends.

        Raises:
            ApiError: 404, if the tenant has no such object.
        """
        asked = select(table).where(table.c.id == identity, self.owned(table), *within)
        if NUL in identity:  # PostgreSQL does not even take the question
            raise not_found(word, identity)
        row = (await connection.execute(asked.with_for_update() if hold else asked)).mappings().first()
        if row is None:
            raise not_found(word, identity)
        return kind.model_validate(dict(row))

    async def thread(self, connection: Connection, identity: str, *, hold: bool = False) -> Thread:
        """A thread by its id; held, nobody else adds messages or runs to it meanwhile."""
        return await self.find(connection, Thread, threads, identity, word="thread", hold=hold)


async def active_run(connection: Connection, thread_id: str) -> str | None:
    """The run that holds a thread, or waits for it, if there is one."""
    active = select(runs.c.id).where(runs.c.thread_id == thread_id, runs.c.status.in_(ACTIVE))
    return (await connection.execute(active.order_by(runs.c.waiting, runs.c.seq))).scalar()
