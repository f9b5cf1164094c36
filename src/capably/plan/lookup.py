"""Lookups: the entries of an earlier result that have a key."""

from typing import Any

from capably.expr.source import as_text
from capably.plan.steps import LookupTask


def look_up(task: LookupTask, index: Any, key: Any) -> Any:
    """What a lookup finds, ``None`` when that is nothing.

    Args:
        task: which field is matched and which fields are wanted.
        index: a list of objects, one object, or an object of columns, whose ``match`` is a list.
        key: what to find, or a list of that. Keys and fields are compared as text.

    Returns:
        One entry; for a list of keys the list of entries found, those that are not found left out. Of columns an
        object of fields; for a list of keys an object of lists, with null for each key that is not found.
    """
    if isinstance(index, dict) and isinstance(column := task.match.find(index), list):
        return _in_columns(task, index, column, key)
    table: dict[str, Any] = {}
    for entry in index if isinstance(index, list) else [index]:
        if isinstance(entry, dict) and (value := task.match.find(entry)) is not None:
            table.setdefault(as_text(value), entry)
    if isinstance(key, list):
        return [_fields(task, table[text]) for item in key if (text := as_text(item)) in table]
    found = table.get(as_text(key))
    return None if found is None else _fields(task, found)


def _fields(task: LookupTask, entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry.get(name) for name in task.fields} if task.fields else entry


def _in_columns(task: LookupTask, index: dict[str, Any], column: list[Any], key: Any) -> Any:
    rows: dict[str, int] = {}
    for row, value in enumerate(column):
        rows.setdefault(as_text(value), row)
    names = task.fields or tuple(index)

    def cell(name: str, row: int | None) -> Any:
        values = index.get(name)
        return values[row] if row is not None and isinstance(values, list) and row < len(values) else None

    if isinstance(key, list):
        places = [rows.get(as_text(item)) for item in key]
        return {name: [cell(name, row) for row in places] for name in names}
    place = rows.get(as_text(key))
    return None if place is None else {name: cell(name, place) for name in names}
