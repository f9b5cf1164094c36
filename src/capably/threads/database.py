"""One SQLite file in a data directory: opened, prepared, and read or written in transactions.

A transaction that has returned is on the disk (write-ahead log, synchronous=FULL). Writers wait for each other.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import event, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from capably.threads.tables import SCHEMA_VERSION, metadata

FILE = "threads.db"
BUSY_MS = 10_000
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_MS}",
)


class DataDirectoryError(Exception):
    """The data directory cannot be used; the message says why and names it."""


class Database(AbstractAsyncContextManager["Database"]):
    """The open database of a data directory, for the length of an `async with`.

    Raises:
        DataDirectoryError: on entry, if the directory or the file in it cannot be used.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._engine: AsyncEngine | None = None
        # Writers of this process queue here, in order; SQLite makes those of other processes poll.
        self._writing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        path = _prepare(self._data)
        self._engine = _engine(path)
        try:
            await self._migrate(path)
        except DatabaseError as failure:
            await self._engine.dispose()
            reason = str(failure.orig)
            raise DataDirectoryError(f"{path} cannot be used as the threads database: {reason}") from failure
        except DataDirectoryError:
            await self._engine.dispose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._engine is not None:
            await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view of the database."""
        async with self._open.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: all of it is on the disk when this ends, or none of it if it raises."""
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

    async def _migrate(self, path: Path) -> None:
        async with self.write() as connection:
            found = (await connection.execute(text("PRAGMA user_version"))).scalar_one()
            if found > SCHEMA_VERSION:
                raise DataDirectoryError(
                    f"{path} was written by a newer version of capably (format {found}, this one knows"
                    f" {SCHEMA_VERSION}); upgrade capably or choose another --data directory"
                )
            await connection.run_sync(metadata.create_all)
            await connection.execute(text(f"PRAGMA user_version={SCHEMA_VERSION}"))


def _prepare(data: Path) -> Path:
    """An existing, if empty, database file that only its owner may read: conversations are private."""
    path = data / FILE
    os.close(_open_private(path))
    return path


def _open_private(path: Path) -> int:
    """Open a file of the data directory, made with its directory if missing, and return the descriptor."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as failure:
        reason = failure.strerror or str(failure)
        raise DataDirectoryError(f"cannot keep threads in the directory {path.parent}: {reason}") from failure


def _engine(path: Path) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=8, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by its own rules; `_begin` does it instead (SQLAlchemy, SQLite dialect).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Any) -> None:
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

            self._file = _open_private(self._data / "serve.lock")
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
