"""Log records of late, kept for whoever looks, sent to whoever listens; levels by logger, changed at run time."""

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from capably.telemetry.current import current
from capably.telemetry.redaction import Hide

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
"""Names of levels, the least severe first."""

_MOST_QUEUED: Final = 1000
ROOT: Final = "root"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One thing that was logged. ``at`` is in Unix seconds, ``level`` one of ``LEVELS``.

    ``trace_id`` and ``span_id`` are those of the request it was logged in, or empty. ``exception`` is its traceback.
    ``number`` grows by one from record to record. ``worker`` is the number of the worker that logged it, where there
    are several.
    """

    number: int
    at: float
    level: str
    logger: str
    message: str
    trace_id: str = ""
    span_id: str = ""
    exception: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    worker: int = 0


class TooManyListenersError(Exception):
    """As many listen as may."""


class Logs:
    """A ring of the newest log records.

    Args:
        capacity: how many records are kept.
        hide: takes secrets out of them.
    """

    def __init__(self, capacity: int, hide: Hide) -> None:
        """Begin with none; :meth:`handler` is what has to be told."""
        self.hide = hide
        self._kept: deque[LogRecord] = deque(maxlen=capacity)
        self._listeners: set[Listener] = set()
        self._changed: dict[str, int] = {}
        self._number = 0
        self.sink: Callable[[LogRecord], None] | None = None

    def recent(self, level: str = "debug", logger: str = "") -> list[LogRecord]:
        """The records, oldest first.

        Args:
            level: the least severe level that is wanted.
            logger: the logger that is wanted, with those below it.
        """
        least = LEVELS.index(level)
        return [
            record
            for record in list(self._kept)
            if LEVELS.index(record.level) >= least and _is_below(record.logger, logger)
        ]

    def keep(self, record: logging.LogRecord) -> LogRecord:
        """Keep what was logged, and tell those who listen. May be called in any thread."""
        self._number += 1
        kept = told(record, self._number, self.hide)
        self._kept.append(kept)
        for listener in tuple(self._listeners):
            listener.tell(kept)
        if self.sink is not None:
            self.sink(kept)
        return kept

    def levels(self) -> dict[str, str]:
        """The level in force of each logger of ours that is known, and of ``root``."""
        names = [name for name in logging.root.manager.loggerDict if _is_below(name, "capably")]
        loggers = {name: logging.getLogger(name) for name in sorted({*names, *self._changed} - {ROOT})}
        return {ROOT: level_name(logging.root.level)} | {
            name: level_name(logger.getEffectiveLevel()) for name, logger in loggers.items()
        }

    def set_level(self, logger: str, level: str) -> None:
        """Log from now on what is at least of that level, one of ``LEVELS``.

        Raises:
            ValueError: there is no such level.
        """
        if level not in LEVELS:
            raise ValueError(f"`{level}` is no level: there are {', '.join(LEVELS)}")
        found = _logger(logger)
        self._changed.setdefault(logger, found.level)
        found.setLevel(level.upper())

    def reset(self, logger: str | None = None) -> None:
        """Log again what was logged before :meth:`set_level`; without a name for every logger."""
        for name in [logger] if logger is not None else list(self._changed):
            if name in self._changed:
                _logger(name).setLevel(self._changed.pop(name))

    @property
    def changed(self) -> tuple[str, ...]:
        """The loggers whose level was changed and not reset."""
        return tuple(self._changed)

    @contextmanager
    def listening(self, most: int = 5) -> Iterator["Listener"]:
        """Hear of every record from now on, while the context lasts.

        Raises:
            TooManyListenersError: ``most`` listen already.
        """
        if len(self._listeners) >= most:
            raise TooManyListenersError(f"{most} listen already")
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def handler(self) -> logging.Handler:
        """A handler for the root logger that keeps what it is told."""
        return _Handler(self)


class Listener:
    """One who hears of records, in order; who is too slow misses the oldest, and ``missed`` counts them."""

    def __init__(self) -> None:
        """Begin with nothing to hear."""
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[LogRecord] = deque()
        self._more = asyncio.Event()
        self.missed = 0

    def tell(self, record: LogRecord) -> None:
        """Hear of a record. May be called in any thread."""
        if len(self._waiting) >= _MOST_QUEUED:
            self._waiting.popleft()
            self.missed += 1
        self._waiting.append(record)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._more.set)

    async def __aiter__(self) -> AsyncIterator[LogRecord]:
        """The records as they come; there is no end."""
        while True:
            self._more.clear()
            while self._waiting:
                yield self._waiting.popleft()
            await self._more.wait()


class _Handler(logging.Handler):
    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._logs.keep(record)
        except Exception:  # noqa: BLE001 -- logging never fails whoever logs
            self.handleError(record)


def told(record: logging.LogRecord, number: int, hide: Hide) -> LogRecord:
    """What a record of the standard library says, without secrets, with the trace it was logged in."""
    span = current.get()
    exception = ""
    if record.exc_info and record.exc_info[0] is not None:
        exception = "".join(traceback.format_exception(*record.exc_info))
    return LogRecord(
        number=number,
        at=record.created,
        level=level_name(record.levelno),
        logger=record.name,
        message=hide(record.getMessage()),
        trace_id=span.trace_id if span is not None else "",
        span_id=f"{span.span_id:016x}" if span is not None else "",
        exception=hide(exception),
        attributes=getattr(record, "attributes", {}),
    )


def level_name(number: int) -> str:
    """The name of a level, or of the next one below it."""
    for name in reversed(LEVELS):
        if number >= getattr(logging, name.upper()):
            return name
    return LEVELS[0]


def _logger(name: str) -> logging.Logger:
    return logging.root if name == ROOT else logging.getLogger(name)


def _is_below(name: str, above: str) -> bool:
    return not above or name == above or name.startswith(f"{above}.")
