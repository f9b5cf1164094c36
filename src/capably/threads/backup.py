"""Copying the database file, also while a service writes to it (SQLite's online backup)."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from capably.threads.database import FILE, DataDirectoryError, open_private


def back_up(data: Path, target: Path) -> int:
    """Copy the database of a data directory into a new file and give its size in bytes.

    Raises:
        DataDirectoryError: if there is no database, the file exists, or it cannot be written.
    """
    source = data / FILE
    if not source.exists():
        raise DataDirectoryError(f"there is no database in the directory {data}")
    if target.exists():
        raise DataDirectoryError(f"{target} exists; name a new file")
    os.close(open_private(target))
    try:
        with closing(sqlite3.connect(source)) as found, closing(sqlite3.connect(target)) as copy:
            found.backup(copy)
    except sqlite3.Error as failure:
        target.unlink(missing_ok=True)
        raise DataDirectoryError(f"{source} cannot be copied to {target}: {failure}") from failure
    return target.stat().st_size
