"""Bringing a database to the tables of this version. Safe when several processes start at once.

An empty database gets the tables as they are declared; an older one is led there by the migrations. Alembic is
imported only for that: a start without it is shorter by a quarter.
"""

import sys
from pathlib import Path

from sqlalchemy import Connection, text

from capably.threads.tables import metadata

HEAD = "0002"
# Files of the first version have no version table; they say their format in the file's own header.
FIRST_FORMAT = 1
# Any number that nobody else uses as a lock on the same server.
_LOCK = 0x636170626C79


class NewerDatabaseError(Exception):
    """The database was written by a newer version of this program."""


def migrate(connection: Connection) -> None:
    """Bring the database to `HEAD`, inside the open transaction of a connection.

    On SQLite the transaction has to have begun as a writer; on PostgreSQL processes wait for each other here.

    Raises:
        NewerDatabaseError: if the database is ahead of this version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    found = _version(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise NewerDatabaseError(f"format {found}, this one knows {HEAD}")
    if found is not None:
        upgrade(connection)
    elif _is_first(connection):
        upgrade(connection, stamped="0001")
    else:
        _create(connection)


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _version(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _is_first(connection: Connection) -> bool:
    if connection.dialect.name != "sqlite":
        return False
    found = connection.execute(text("PRAGMA user_version")).scalar_one()
    if found > FIRST_FORMAT:
        raise NewerDatabaseError(f"format {found}, this one knows {HEAD}")
    return bool(found == FIRST_FORMAT)


def upgrade(connection: Connection, stamped: str | None = None) -> None:
    """Run the migrations a database lacks, in its open transaction; `stamped` is where one without a mark stands."""
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    if stamped is not None:
        command.stamp(config, stamped)
    command.upgrade(config, "head")
    # Alembic puts its environment into the import path under a name of its own; nobody else should find it.
    sys.modules.pop("env_py", None)
