"""Rows as objects: inserted, changed, and read for changing."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Insert, Table, Update, bindparam, insert, select, update

from capably.threads.database import Connection
from capably.threads.objects import Json, Run, Wire
from capably.threads.tables import runs

Kind = TypeVar("Kind", bound=Wire)
# Statements are made once: making one, and finding what it was compiled to, costs more than SQLite's work.
_RUN = select(runs).where(runs.c.id == bindparam("run_id")).with_for_update()


@cache
def _insertion(table: Table) -> Insert:
    return insert(table)


@cache
def _insertion_of_one(table: Table) -> Any:
    return insert(table).returning(table)


@cache
def _change(table: Table) -> Update:
    return update(table).where(table.c.id == bindparam("changed_id"))


@cache
def _change_of_one(table: Table) -> Any:
    return _change(table).returning(table)


async def insert_row(connection: Connection, kind: type[Kind], table: Table, values: Json) -> Kind:
    """Insert a row and give it as an object."""
    known = {name: value for name, value in values.items() if name in table.c}
    row = (await connection.execute(_insertion_of_one(table), known)).mappings().one()
    return kind.model_validate(dict(row))


async def insert_rows(connection: Connection, table: Table, rows: Sequence[Json]) -> None:
    """Insert rows that have the same columns."""
    if rows:
        await connection.execute(_insertion(table), rows)


async def change_row(
    connection: Connection, kind: type[Kind], table: Table, identity: str, values: dict[str, Any]
) -> Kind:
    """Change the row of an id, which is there, and give it as an object."""
    row = (await connection.execute(_change_of_one(table), {"changed_id": identity, **values})).mappings().one()
    return kind.model_validate(dict(row))


async def run_row(connection: Connection, run_id: str) -> Run | None:
    """A run, held for this transaction: on PostgreSQL no other one changes it before this one has ended."""
    row = (await connection.execute(_RUN, {"run_id": run_id})).mappings().first()
    return None if row is None else Run.model_validate(dict(row))
