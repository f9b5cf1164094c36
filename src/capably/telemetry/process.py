"""What a process uses, under the names that Prometheus' own clients use; read when metrics are collected.

CPU, memory and open files come from ``/proc``, so only Linux tells them. How late the event loop is comes from a timer
that fires ten times a second.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from capably.telemetry.metrics import Instrument, Metrics, Type

CPU: Final = Instrument(
    "process.cpu.time", Type.COUNTER, "CPU time of the process.", unit="s", shown_as="process_cpu_seconds_total"
)
RESIDENT: Final = Instrument(
    "process.memory.usage", Type.GAUGE, "Memory in RAM.", unit="By", shown_as="process_resident_memory_bytes"
)
VIRTUAL: Final = Instrument(
    "process.memory.virtual", Type.GAUGE, "Memory reserved.", unit="By", shown_as="process_virtual_memory_bytes"
)
OPEN_FILES: Final = Instrument(
    "process.unix.file_descriptor.count", Type.GAUGE, "Open file descriptors.", shown_as="process_open_fds"
)
MOST_FILES: Final = Instrument(
    "process.unix.file_descriptor.limit", Type.GAUGE, "File descriptors it may open.", shown_as="process_max_fds"
)
START: Final = Instrument(
    "process.start_time",
    Type.GAUGE,
    "When the process started, in Unix seconds.",
    unit="s",
    shown_as="process_start_time_seconds",
)
LAG: Final = Instrument(
    "ikanos.event_loop.lag.seconds", Type.HISTOGRAM, "How late the event loop ran what was due.", unit="s"
)

PROCESS: Final = (CPU, RESIDENT, VIRTUAL, OPEN_FILES, MOST_FILES, START, LAG)
"""Every metric of the process."""

_EVERY_S: Final = 0.1
_FIELDS_BEFORE_NAME_ENDS: Final = 2
_START_FIELD: Final = 21


def observe_process(metrics: Metrics) -> None:
    """Add what can be read here."""
    metrics.observe(CPU, time.process_time)
    metrics.observe(MOST_FILES, _most_files)
    metrics.observe(RESIDENT, lambda: _pages(1))
    metrics.observe(VIRTUAL, lambda: _pages(0))
    metrics.observe(OPEN_FILES, _open_files)
    started = _started()
    metrics.observe(START, lambda: started)


def _pages(at: int) -> float | None:
    """A field of ``/proc/self/statm``, in bytes (proc_pid_statm(5))."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[at]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _open_files() -> float | None:
    try:
        return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 -- names are enough; one is the listing's own
    except OSError:
        return None


def _most_files() -> float | None:
    if sys.platform == "win32":  # pragma: no cover
        return None
    import resource  # noqa: PLC0415 -- not on Windows

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _started() -> float | None:
    """When the process started: ticks after the machine did (proc_pid_stat(5)); what follows the name is counted."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        ticks = int(fields[_START_FIELD - _FIELDS_BEFORE_NAME_ENDS])
    except OSError:
        return None
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


class LoopLag:
    """Measures how late a loop runs what is due, while it is started."""

    def __init__(self, metrics: Metrics) -> None:
        """Begin to count."""
        self._lag = metrics.histogram(LAG)
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure the running loop."""
        loop = asyncio.get_running_loop()

        def due(at: float) -> None:
            now = loop.time()
            self._lag.record((), max(0.0, now - at))
            again = now + _EVERY_S
            self._next = loop.call_at(again, due, again)

        at = loop.time() + _EVERY_S
        self._next = loop.call_at(at, due, at)

    def stop(self) -> None:
        """Measure no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
