"""Rows as objects: inserted, changed, and read for changing."""

from typing import Any, TypeVar

from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from capably.threads.objects import Json, Run, Wire
from capably.threads.tables import runs

Kind = TypeVar("Kind", bound=Wire)


async def insert_row(connection: AsyncConnection, kind: type[Kind], table: Table, values: Json) -> Kind:
    """Insert a row and give it as an object."""
    known = {name: value for name, value in values.items() if name in table.c}
    row = (await connection.execute(insert(table).values(**known).returning(table))).mappings().one()
    return kind.model_validate(dict(row))


async def change_row(
    connection: AsyncConnection, kind: type[Kind], table: Table, identity: str, values: dict[str, Any]
) -> Kind:
    """Change the row of an id, which is there, and give it as an object."""
    changed = update(table).where(table.c.id == identity).values(**values).returning(table)
    return kind.model_validate(dict((await connection.execute(changed)).mappings().one()))


async def run_row(connection: AsyncConnection, run_id: str) -> Run | None:
    """A run, held for this transaction: on PostgreSQL no other one changes it before this one has ended."""
    found = select(runs).where(runs.c.id == run_id).with_for_update()
    row = (await connection.execute(found)).mappings().first()
    return None if row is None else Run.model_validate(dict(row))
