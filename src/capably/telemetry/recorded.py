"""What was recorded, for whoever shows it: in this process, or by all workers that serve together."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from capably.telemetry.logs import LogRecord
from capably.telemetry.metrics import Family
from capably.telemetry.records import Trace
from capably.telemetry.telemetry import Telemetry


class Recorded(Protocol):
    """What was recorded."""

    @property
    def capacity(self) -> int:
        """How many traces are kept."""
        ...

    async def metrics(self) -> Sequence[Family]:
        """All numbers as they are now."""
        ...

    async def traces(self) -> list[Trace]:
        """The traces, newest first, without their spans."""
        ...

    async def trace(self, trace_id: str) -> Trace | None:
        """One trace with its spans."""
        ...

    async def logs(self, level: str = "debug", logger: str = "") -> list[LogRecord]:
        """The log records of late, oldest first; arguments as for :meth:`Logs.recent`."""
        ...

    @contextmanager
    def following(self, most: int) -> Iterator[AsyncIterator[LogRecord]]:
        """Every log record from now on, while the context lasts.

        Raises:
            TooManyListenersError: ``most`` listen already.
        """
        ...


@dataclass(frozen=True, slots=True)
class RecordedHere:
    """What this process recorded."""

    telemetry: Telemetry

    @property
    def capacity(self) -> int:
        """See :class:`Recorded`."""
        return self.telemetry.traces.capacity

    async def metrics(self) -> Sequence[Family]:
        """See :class:`Recorded`."""
        return self.telemetry.metrics.collect()

    async def traces(self) -> list[Trace]:
        """See :class:`Recorded`."""
        return list(self.telemetry.traces.recent())

    async def trace(self, trace_id: str) -> Trace | None:
        """See :class:`Recorded`."""
        return self.telemetry.traces.find(trace_id)

    async def logs(self, level: str = "debug", logger: str = "") -> list[LogRecord]:
        """See :class:`Recorded`."""
        return self.telemetry.logs.recent(level, logger)

    @contextmanager
    def following(self, most: int) -> Iterator[AsyncIterator[LogRecord]]:
        """See :class:`Recorded`."""
        with self.telemetry.logs.listening(most) as listener:
            yield aiter(listener)
