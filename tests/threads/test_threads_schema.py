"""Files of older versions are brought to the present one."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, inspect

from capably.threads.backup import back_up
from capably.threads.database import Database, DataDirectoryError, locate
from capably.threads.schema import upgrade
from capably.threads.tables import metadata

if TYPE_CHECKING:
    from tests.threads.conftest import Postgres, Serve, Service

# A file as version 1 of the service left it: a thread with a finished run, and one with a run that was waiting.
FIRST = Path(__file__).parent / "first_version.sql"


def _first_version(data: Path, now: int) -> None:
    data.mkdir(exist_ok=True)
    with closing(sqlite3.connect(data / "threads.db")) as connection:
        connection.executescript(FIRST.read_text().replace("'@soon'", str(now + 600)))


def test_a_file_of_the_first_version_keeps_all_it_had_and_its_runs_go_on(serve: "Serve", tmp_path: Path) -> None:
    (tmp_path / "data" / "threads.db").rename(tmp_path / "keys.db")
    for rest in (tmp_path / "data").glob("threads.db*"):
        rest.unlink()
    _first_version(tmp_path / "data", int(time.time()))
    with (
        closing(sqlite3.connect(tmp_path / "keys.db")) as new,
        closing(sqlite3.connect(tmp_path / "data" / "threads.db")) as old,
    ):
        key = new.execute("SELECT id, name, digest, created_at FROM keys").fetchone()
        old.execute("INSERT INTO keys (id, name, digest, created_at) VALUES (?, ?, ?, ?)", key)
        old.commit()
    service: Service = serve()
    runs = service.client.beta.threads.runs
    done = runs.retrieve("run_done", thread_id="thread_1")
    assert (done.status, done.usage and done.usage.total_tokens) == ("completed", 3)
    step: Any = runs.steps.list("run_done", thread_id="thread_1").data[0]
    assert (step.id, step.status) == ("step_done", "completed")
    assert step.step_details.message_creation.message_id == "msg_2"
    assert service.ended(runs.retrieve("run_left", thread_id="thread_1")).status == "completed"
    texts = [text for _, text in service.texts(service.client.beta.threads.retrieve("thread_1"))]
    assert texts[:2] == ["hi", "hello"]
    assert len(texts) == 3


def _columns(connection: Any) -> dict[str, Any]:
    found = inspect(connection)
    return {
        name: (
            sorted(column["name"] for column in found.get_columns(name)),
            sorted(str(index["name"]) for index in found.get_indexes(name) if not index.get("duplicates_constraint")),
        )
        for name in found.get_table_names()
        if name in metadata.tables
    }


def _declared() -> dict[str, Any]:
    return {
        name: (sorted(column.name for column in table.c), sorted(str(index.name) for index in table.indexes))
        for name, table in metadata.tables.items()
    }


def _migrated(url: str) -> dict[str, Any]:
    """The tables of an empty database after all migrations."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            upgrade(connection)
            return _columns(connection)
    finally:
        engine.dispose()


def test_the_migrations_lead_to_the_tables_that_are_declared(tmp_path: Path) -> None:
    assert _migrated(f"sqlite:///{tmp_path / 'x.db'}") == _declared()


def test_the_migrations_lead_to_the_same_tables_on_postgresql(postgres: "Postgres") -> None:
    url = locate(Path(), postgres.database())
    assert _migrated(url.render_as_string(hide_password=False)) == _declared()


def test_an_empty_database_gets_its_tables_once_however_many_processes_start(postgres: "Postgres") -> None:
    url = locate(Path(), postgres.database())

    async def look() -> Any:
        async with Database(url) as database, database.read() as connection:
            return await connection.run_sync(_columns)

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(look() for _ in range(5)))

    assert asyncio.run(all_at_once()) == [_declared()] * 5


def test_a_copy_made_while_the_service_runs_is_a_whole_database(
    service: "Service", serve: "Serve", tmp_path: Path
) -> None:
    thread = service.thread("kept")
    copied = tmp_path / "copy" / "threads.db"
    assert back_up(service.data, copied) == copied.stat().st_size
    assert copied.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copied)) as copy:
        assert copy.execute("SELECT count(*) FROM threads WHERE id = ?", (thread.id,)).fetchone() == (1,)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with pytest.raises(DataDirectoryError, match="name a new file"):
        back_up(service.data, copied)
    with pytest.raises(DataDirectoryError, match="no database"):
        back_up(tmp_path / "none", tmp_path / "x.db")


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite:///x.db"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(DataDirectoryError, match="postgresql://user@host/name"):
        locate(Path(), url)
