"""The log on stderr: a line for each record, for people or as JSON, with the trace it was made in and without secrets.

A record stays on its line, whatever it holds; only a traceback has several, all of them indented.
"""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TextIO

from capably.telemetry.access import LOGGER as ACCESS
from capably.telemetry.logs import LEVELS, LogRecord, told
from capably.telemetry.redaction import Hide, without_controls

OURS: Final = "capably"

_COLOURS: Final = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[1;31m", "critical": "\x1b[1;31m"}
_RESET: Final = "\x1b[0m"


class LogFormat(StrEnum):
    """How records are written."""

    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, and how: ``level`` is the least severe level of ours that is written (one of ``LEVELS``).

    Other packages are never heard below warnings. ``access`` writes a line for each request.
    """

    format: LogFormat = LogFormat.CONSOLE
    level: str = "warning"
    access: bool = False


def log_to(stream: TextIO, settings: LogSettings, hide: Hide, *, colour: bool = False) -> None:
    """Log to a stream from now on, instead of anywhere else.

    Args:
        stream: standard error.
        settings: what is logged, and how.
        hide: takes secrets out of it.
        colour: whether the stream shows colour.
    """
    handler = logging.StreamHandler(stream)
    form = JsonLines(hide) if settings.format is LogFormat.JSON else ConsoleLines(hide, colour=colour)
    handler.setFormatter(form)
    level = settings.level.upper()
    root = logging.getLogger()
    for before in tuple(root.handlers):
        root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(logging.WARNING if LEVELS.index(settings.level) < LEVELS.index("warning") else level)
    logging.getLogger(OURS).setLevel(level)
    logging.getLogger(ACCESS).setLevel(logging.INFO if settings.access else logging.NOTSET)


class ConsoleLines(logging.Formatter):
    """Lines for people: the time in UTC, the level, the logger, the message, and the trace."""

    def __init__(self, hide: Hide, *, colour: bool) -> None:
        """Know what to hide, and whether to paint."""
        super().__init__()
        self._hide = hide
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        kept = told(record, 0, self._hide)
        level = kept.level.upper()
        if self._colour and kept.level in _COLOURS:
            level = f"{_COLOURS[kept.level]}{level}{_RESET}"
        trace = f"  trace_id={kept.trace_id} span_id={kept.span_id}" if kept.trace_id else ""
        line = f"{_moment(kept.at)} {level} {kept.logger}: {without_controls(kept.message)}{trace}"
        if not kept.exception:
            return line
        return "\n".join([line, *(f"  {without_controls(each)}" for each in kept.exception.rstrip().split("\n"))])


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``, and what more there is."""

    def __init__(self, hide: Hide) -> None:
        """Know what to hide."""
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """One record. Whatever is not ASCII is escaped, so nothing in it can steer a terminal."""
        return json.dumps(_fields(told(record, 0, self._hide), self._hide))


def _fields(kept: LogRecord, hide: Hide) -> dict[str, Any]:
    more = {"trace_id": kept.trace_id, "span_id": kept.span_id, "exception": kept.exception}
    fields = {"time": _moment(kept.at), "level": kept.level, "logger": kept.logger, "message": kept.message}
    fields |= {name: value for name, value in more.items() if value}
    attributes = {name: hide(value) if isinstance(value, str) else value for name, value in kept.attributes.items()}
    return {**attributes, **fields}


def _moment(at: float) -> str:
    """A time as RFC 3339 has it, in UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}.{int(at * 1000) % 1000:03d}Z"
