"""`capably` as a process of its own, and what it has written so far."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

CAPABLY = Path(sys.executable).with_name("capably")
SHELL = {"PATH": f"{CAPABLY.parent}{os.pathsep}{os.environ['PATH']}"}
"""The environment of a shell that finds `capably`."""


@dataclass(frozen=True)
class Capably:
    """A command that was started; what it writes to stdout and to stderr goes to a file each."""

    popen: "subprocess.Popen[bytes]"
    files: tuple[Path, Path]

    @classmethod
    def start(cls, folder: Path, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Self:
        """Start a command in a folder; `env` is its whole environment, that of the tests when left out."""
        number = time.monotonic_ns()
        files = (folder / f"stdout-{number}", folder / f"stderr-{number}")
        with files[0].open("wb") as out, files[1].open("wb") as err:
            return cls(subprocess.Popen([CAPABLY, *arguments], stdout=out, stderr=err, env=env, cwd=folder), files)

    @property
    def stdout(self) -> str:
        return self.files[0].read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return self.files[1].read_text(encoding="utf-8")

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each server in the table, by its namespace."""
        return dict(re.findall(r"^(?:rest|mcp|skill|control) +(\S+) +(http://\S+)", self.stderr, re.MULTILINE))

    def port(self, namespace: str) -> int:
        """The port of a server in the table."""
        return urlsplit(self.urls[namespace]).port or 80

    def memory(self, what: str) -> int:
        """`VmRSS`, what it has now, or `VmHWM`, the most it ever had: in bytes, as Linux tells it."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text(encoding="ascii")
        (size,) = re.findall(rf"{what}:\s+(\d+) kB", status)
        return int(size) * 1024

    def until(self, words: str) -> Self:
        """Wait until it has written these words to stderr."""
        deadline = time.monotonic() + 30
        while words not in self.stderr:
            assert self.popen.poll() is None or words in self.stderr, self.stderr
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.01)
        return self

    def end(self) -> int:
        """Wait for its end and give its exit code."""
        return self.popen.wait(20)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.popen.send_signal(number)
        return self.end()

    def kill(self) -> None:
        """SIGKILL, if it has not ended."""
        self.popen.kill()
        self.popen.wait()


@contextmanager
def ready(folder: Path, *arguments: str | Path) -> Iterator[Capably]:
    """A command that has started, and that is stopped when the context is left."""
    process = Capably.start(folder, *arguments)
    try:
        yield process.until("ready")
    finally:
        process.stop()


def typed(line: str, folder: Path, environ: Mapping[str, str] = SHELL) -> str:
    """What a shell prints when a line of a page is typed."""
    command = ["bash", "-c", line]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr
