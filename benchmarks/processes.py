"""Processes that are measured: started, waited for, and asked what they cost."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""What programs find in their environment; compiled modules are kept, as where they are installed."""
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, with its children, and the seconds until it listened."""

    pid: int
    port: int
    ready_s: float

    @property
    def pids(self) -> list[int]:
        """The process and all that it started and that still run."""
        found, waiting = [], [self.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting += [int(child) for child in _told(f"/proc/{pid}/task/{pid}/children").split()]
        return found

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU time so far, of all threads and children, in the kernel and outside of it.

        What children that have ended took is in the figures of who started them.
        """
        told = (_told(f"/proc/{pid}/stat").rpartition(")")[2].split() for pid in self.pids)
        return sum(int(field) for fields in told for field in fields[11:15]) / _TICKS

    def memory_mib(self, kind: str = "VmRSS") -> float:
        """Resident memory (``VmHWM``: the most there ever was), of all processes."""
        sizes = (_told(f"/proc/{pid}/status").partition(f"{kind}:")[2].split() for pid in self.pids)
        return sum(int(words[0]) for words in sizes if words) / 1024


def _told(file: str) -> str:
    """What the system says of a process; nothing once it has ended."""
    try:
        return Path(file).read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextmanager
def running(command: Sequence[str | Path], port: int, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server while it runs; it is ready when it listens on its port."""
    start = time.perf_counter()
    with subprocess.Popen(
        [str(word) for word in command],
        env=_ENVIRONMENT | dict(environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if child.poll() is not None:
                        raise SystemExit(f"{command[0]} ended with {child.returncode}") from None
                    time.sleep(0.002)
            yield Server(child.pid, port, time.perf_counter() - start)
        finally:
            child.terminate()


def program(name: str) -> str | None:
    """Where a program is; Debian keeps some where only root looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
