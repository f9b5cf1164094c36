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
        """The process and all that it started."""
        found, waiting = [], [self.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            children = Path(f"/proc/{pid}/task/{pid}/children")
            waiting += [int(child) for child in children.read_text(encoding="ascii").split()]
        return found

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU time so far, of all threads and children, in the kernel and outside of it."""
        total = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def memory_mib(self, kind: str = "VmRSS") -> float:
        """Resident memory (``VmHWM``: the most there ever was), of all processes."""
        sizes = (Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in self.pids)
        return sum(int(text.split(f"{kind}:")[1].split()[0]) for text in sizes) / 1024


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
