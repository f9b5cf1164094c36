"""A private PostgreSQL server on loopback, Debian's, for as long as something is measured or tried on it."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from processes import Server


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that runs: its process, and its address without a database."""

    server: Server
    url: str

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"bench_{secrets.token_hex(4)}"
        with psycopg.connect(f"{self.url}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{self.url}/{name}"


def binaries() -> Path | None:
    """The folder of the server's programs; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server with an empty cluster, gone afterwards. It does not sync: what dies here is never PostgreSQL."""
    programs = binaries()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed here: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="capably-postgres-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        probe.close()
        home, data = Path(folder), Path(folder) / "data"
        _run(home, programs / "initdb", "-D", data, *["-A", "trust", "-U", "capably", "-N", "-E", "UTF8", "--locale=C"])
        options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=300"
        _run(home, programs / "pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", options, "start")
        try:
            pid = int((data / "postmaster.pid").read_text(encoding="ascii").split()[0])
            yield Postgres(Server(pid, port, 0.0), f"postgresql://capably@127.0.0.1:{port}")
        finally:
            _run(home, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _run(home: Path, *command: str | Path) -> None:
    root = os.geteuid() == 0  # as whom the server refuses to run
    if root:
        shutil.chown(home, "nobody", "nogroup")
    subprocess.run(
        [str(word) for word in command],
        check=True,
        cwd=home,
        user="nobody" if root else None,
        group="nogroup" if root else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
