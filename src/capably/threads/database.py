"""One database, SQLite or PostgreSQL: opened, migrated, and read or written in transactions.

A transaction that has returned is on the disk. On SQLite (write-ahead log, synchronous=FULL) the writers of this
process wait for each other in order; on PostgreSQL rows are locked where two of them could meet.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from capably.threads.schema import NewerDatabaseError, migrate

FILE = "threads.db"
BUSY_MS = 30_000
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_MS}",
)
POSTGRESQL = ("postgresql", "postgres")


class DataDirectoryError(Exception):
    """The database cannot be used; the message says why and names it."""


def locate(data: Path, url: str | None) -> URL:
    """Where the database is: a file of the data directory, or what a URL says.

    Raises:
        DataDirectoryError: if the URL is not one of PostgreSQL.
    """
    if url is None:
        return URL.create("sqlite", database=str(data / FILE))
    try:
        found = make_url(url)
    except ArgumentError:
        raise DataDirectoryError("the database URL cannot be read; write postgresql://user@host/name") from None
    if found.drivername.partition("+")[0] not in POSTGRESQL:
        raise DataDirectoryError(f"'{found.drivername}' is not known; write postgresql://user@host/name")
    return found.set(drivername="postgresql+psycopg")


class Database(AbstractAsyncContextManager["Database"]):
    """The open database, for the length of an `async with`.

    Args:
        url: as `locate` gives it.

    Raises:
        DataDirectoryError: on entry, if the directory or the database in it cannot be used.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.is_sqlite = url.drivername == "sqlite"
        self._engine: AsyncEngine | None = None
        self._writing = asyncio.Lock()

    @property
    def name(self) -> str:
        """The database as it may be shown: without a password."""
        return str(self.url.database) if self.is_sqlite else self.url.render_as_string(hide_password=True)

    async def __aenter__(self) -> Self:
        if self.is_sqlite:
            _make_private(Path(str(self.url.database)))
        self._engine = _engine(self.url, sqlite=self.is_sqlite)
        try:
            async with self.write() as connection:
                await connection.run_sync(migrate)
        except NewerDatabaseError as failure:
            message = f"{self.name} was written by a newer version of capably ({failure}); upgrade capably"
            message += " or choose another --data directory" if self.is_sqlite else " or choose another --database"
            raise await self._unusable(message) from failure
        except DBAPIError as failure:
            reason = " ".join(str(failure.orig).split())
            raise await self._unusable(f"{self.name} cannot be used as the threads database: {reason}") from failure
        return self

    async def _unusable(self, message: str) -> DataDirectoryError:
        await self._open.dispose()
        return DataDirectoryError(message)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._engine is not None:
            await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view of the database."""
        async with self._open.connect() as connection:
            if not self.is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: all of it is on the disk when this ends, or none of it if it raises."""
        if not self.is_sqlite:
            async with self._open.begin() as connection:
                yield connection
            return
        async with self._writing, self._open.connect() as connection:
            # The lock is taken at the start: a reader that turns writer half-way cannot wait, it can only fail.
            await connection.execution_options(begin="BEGIN IMMEDIATE")
            async with connection.begin():
                yield connection

    @property
    def _open(self) -> AsyncEngine:
        if self._engine is None:
            raise RuntimeError("the database is not open")
        return self._engine


def open_private(path: Path) -> int:
    """Open a file of the data directory, made with its directory if missing, that only its owner may read.

    Raises:
        DataDirectoryError: if it cannot be.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as failure:
        reason = failure.strerror or str(failure)
        raise DataDirectoryError(f"cannot keep threads in the directory {path.parent}: {reason}") from failure


def _make_private(path: Path) -> None:
    """Make an empty database file, unless there is one.

    One that is there is never opened here: closing it would drop the locks that this process's connections to it
    hold (POSIX, fcntl), and the next process to look would take the database for unused.
    """
    if not path.exists():
        os.close(open_private(path))


def _engine(url: URL, *, sqlite: bool) -> AsyncEngine:
    if not sqlite:
        return create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True)
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"), pool_size=8, max_overflow=0)
    event.listen(engine.sync_engine, "connect", configure)
    event.listen(engine.sync_engine, "begin", begin)
    return engine


def configure(connection: Any, _record: Any) -> None:
    """Prepare a new SQLite connection."""
    # The driver would begin transactions by its own rules; `begin` does it instead (SQLAlchemy, SQLite dialect).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def begin(connection: Any) -> None:
    """Begin a SQLite transaction, as a writer where that was asked for."""
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


class DirectoryLock:
    """Keeps a second service off a data directory: it would execute the first one's runs again.

    The operating system drops the lock when the process ends, however it ends. Windows has no such lock.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file: int | None = None

    def __enter__(self) -> Self:
        if sys.platform != "win32":
            import fcntl  # noqa: PLC0415 - exists on POSIX only

            self._file = open_private(self._data / "serve.lock")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as failure:
                os.close(self._file)
                message = (
                    f"another threads service is using the directory {self._data}; stop it or choose another --data"
                )
                raise DataDirectoryError(message) from failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
