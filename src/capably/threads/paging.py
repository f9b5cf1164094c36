"""One page of a table, with ids as cursors (Assistants API v2, list parameters)."""

from typing import Any

from sqlalchemy import ColumnElement, Table, select, tuple_

from capably.threads.bodies import ListQuery
from capably.threads.database import Connection
from capably.threads.errors import unknown_cursor
from capably.threads.objects import Item, Page


async def page(
    connection: Connection, kind: type[Item], table: Table, within: ColumnElement[bool], query: ListQuery
) -> Page[Item]:
    """The page a query asks for.

    `after` gives what follows an object in the chosen order. `before` alone gives what directly precedes it, so
    that one can walk back; `has_more` is about the direction walked.

    Args:
        connection: an open transaction.
        kind: what the rows are.
        table: where they are, with `id`, `created_at` and `seq`.
        within: which rows belong to the list.
        query: limit, order and cursors.

    Raises:
        ApiError: 400, if a cursor names no object of the list.
    """
    place = tuple_(table.c.created_at, table.c.seq)
    ascending = query.order == "asc"
    back = bool(query.before) and not query.after
    wanted = select(table).where(within)
    for param, identity, later in (("after", query.after, ascending), ("before", query.before, not ascending)):
        if identity:
            cursor = tuple_(*await _place(connection, table, within, param, identity))
            wanted = wanted.where(place > cursor if later else place < cursor)
    columns = (table.c.created_at, table.c.seq)
    ordered = [column.asc() if ascending != back else column.desc() for column in columns]
    rows = (await connection.execute(wanted.order_by(*ordered).limit(query.limit + 1))).mappings().all()
    items = [kind.model_validate(dict(row)) for row in rows[: query.limit]]
    if back:
        items.reverse()
    ids = [getattr(item, "id", None) for item in items]
    more = len(rows) > query.limit
    return Page[kind](  # type: ignore[valid-type]  # the class is chosen by the caller
        data=items, first_id=ids[0] if ids else None, last_id=ids[-1] if ids else None, has_more=more
    )


async def _place(
    connection: Connection, table: Table, within: ColumnElement[bool], param: str, identity: str
) -> tuple[Any, ...]:
    found = select(table.c.created_at, table.c.seq).where(within, table.c.id == identity)
    row = (await connection.execute(found)).first()
    if row is None:
        raise unknown_cursor(param, identity)
    return tuple(row)
