"""One database, SQLite or PostgreSQL: opened, migrated, and read or written in transactions.

A transaction that has returned is on the disk. On SQLite (write-ahead log, synchronous=FULL) the writers of this
process wait for each other in order; on PostgreSQL rows are locked where two of them could meet.

Statements on the file run in the event loop: each takes microseconds, a thread to run it in would cost more. What
waits for the disk or for another writer, the commit and sometimes the beginning, is left to a thread.
"""

import asyncio
import os
import select
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy import URL, CursorResult, Executable, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from capably.threads.schema import NewerDatabaseError, migrate

FILE = "threads.db"
BUSY_MS = 30_000
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_MS}",
)
POSTGRESQL = ("postgresql", "postgres")
Result = TypeVar("Result")
_JSON: dict[str, Any] = {
    "json_serializer": lambda value: msgspec.json.encode(value).decode(),
    "json_deserializer": msgspec.json.decode,
}


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


class Connection(Protocol):
    """An open transaction."""

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]:
        """What a statement gives, all of it."""

    async def run_sync(self, work: Callable[[sa.Connection], Result], /) -> Result:
        """What a function gives that works on a connection without waiting."""


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
        self._file: _File | None = None
        self._server: AsyncEngine | None = None

    @property
    def name(self) -> str:
        """The database as it may be shown: without a password."""
        return str(self.url.database) if self.is_sqlite else self.url.render_as_string(hide_password=True)

    async def __aenter__(self) -> Self:
        if self.is_sqlite:
            _make_private(Path(str(self.url.database)))
            self._file = _File(self.url)
        else:
            self._server = create_async_engine(self.url, pool_size=10, max_overflow=10, **_JSON)
            event.listen(self._server.sync_engine, "checkout", notice_a_lost_connection)
        try:
            async with self.write() as connection:
                await connection.run_sync(migrate)
        except NewerDatabaseError as failure:
            message = f"{self.name} was written by a newer version of capably ({failure}); upgrade capably"
            message += " or choose another --data directory" if self.is_sqlite else " or choose another --database"
            raise await self._unusable(message) from failure
        except (DBAPIError, sqlite3.Error) as failure:
            reason = " ".join(str(failure.orig if isinstance(failure, DBAPIError) else failure).split())
            raise await self._unusable(f"{self.name} cannot be used as the threads database: {reason}") from failure
        return self

    async def _unusable(self, message: str) -> DataDirectoryError:
        await self._close()
        return DataDirectoryError(message)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._server is not None:
            await self._server.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """One consistent view of the database."""
        if self._file is not None:
            with self._file.read() as found:
                yield found
            return
        async with self._open.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[Connection]:
        """For one reading statement, which is consistent by itself; it costs less than a transaction."""
        if self._file is not None:
            with self._file.glance() as found:
                yield found
            return
        async with self._open.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """One transaction: all of it is on the disk when this ends, or none of it if it raises."""
        if self._file is not None:
            async with self._file.write() as held:
                yield held
            return
        async with self._open.begin() as connection:
            yield connection

    @property
    def _open(self) -> AsyncEngine:
        if self._server is None:
            raise RuntimeError("the database is not open")
        return self._server


class _Here:
    """A transaction of a file, executed where it is asked for."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    async def run_sync(self, work: Callable[[sa.Connection], Result], /) -> Result:
        return work(self._connection)


class _File:
    """A SQLite file with its connections: one writes at a time, any number read meanwhile."""

    def __init__(self, url: URL) -> None:
        # A reader may be interrupted by another one, so there are as many connections as it takes.
        self._engine = sa.create_engine(url, max_overflow=-1, connect_args={"check_same_thread": False}, **_JSON)
        event.listen(self._engine, "connect", configure)
        self._disk = ThreadPoolExecutor(1, "threads-disk")
        self._writing = asyncio.Lock()
        self._writer: sa.Connection | None = None

    def close(self) -> None:
        self._disk.shutdown()
        if self._writer is not None:
            self._writer.close()
        self._engine.dispose()

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield _Here(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield _Here(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        async with self._writing:
            if self._writer is None:
                self._writer = self._engine.connect()
            driver: Any = self._writer.connection.driver_connection
            with self._writer.begin():
                await self._begin(driver)
                yield _Here(self._writer)
                await self._waited_for(driver.commit)

    async def _begin(self, driver: sqlite3.Connection) -> None:
        # The lock is taken at the start: a reader that turns writer half-way cannot wait, it can only fail.
        driver.execute("PRAGMA busy_timeout=0")
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as failure:
            if failure.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            driver.execute(f"PRAGMA busy_timeout={BUSY_MS}")
            await self._waited_for(lambda: driver.execute("BEGIN IMMEDIATE"))

    async def _waited_for(self, work: Callable[[], object]) -> None:
        """Do what waits for the disk or for others. It is not left half-way, whoever is cancelled meanwhile."""
        done = asyncio.get_running_loop().run_in_executor(self._disk, work)
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise


def notice_a_lost_connection(_connection: Any, record: Any, _proxy: Any) -> None:
    """Take a new connection instead of one that the server has closed, which can be read from: the end of it.

    To ask the server each time would be one more round trip for every transaction.

    Raises:
        DisconnectionError: to make the pool take another connection.
    """
    poll = select.poll()
    poll.register(record.dbapi_connection.driver_connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError


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


def configure(connection: Any, _record: Any) -> None:
    """Prepare a new SQLite connection."""
    # The driver would begin transactions by its own rules; they are begun by hand (SQLAlchemy, SQLite dialect).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


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
