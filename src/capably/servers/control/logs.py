"""What was logged of late, levels changed for a while, and the log as it is written."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from capably.diagnostics import did_you_mean
from capably.plan.durations import seconds_of
from capably.plan.outcome import Fault
from capably.servers.control.asked import Answer, Asked, EventStream, Room, answer, refused
from capably.servers.control.levels import Levels
from capably.servers.control.moments import of_seconds
from capably.servers.control.traces import recorded
from capably.telemetry.logs import LEVELS, LogRecord, TooManyListenersError

_SHOWN: Final = 100
_MOST_SHOWN: Final = 1000
_WHILE: Final = "10m"
_LONGEST_S: Final = 24 * 3600.0
_QUIET_S: Final = 15.0  # a comment is sent after so long without a record, so that proxies keep the connection


async def recent(room: Room, asked: Asked) -> Answer:
    """The newest records, oldest first, and the levels in force."""
    levels, kept = _levels(room), recorded(room)
    query = asked.query("level", "logger", "limit")
    limit = query.get("limit", str(_SHOWN))
    if not limit.isascii() or not limit.isdigit() or not 0 <= int(limit) <= _MOST_SHOWN:
        raise refused("invalid-parameter", f"`limit` must be 0 to {_MOST_SHOWN}")
    records = await kept.logs(_level(query.get("level", LEVELS[0])), query.get("logger", ""))
    shown = records[len(records) - min(len(records), int(limit)) :]
    return answer({"levels": _in_force(levels), "records": [_record(item) for item in shown]})


async def changed(room: Room, asked: Asked) -> Answer:
    """Set the level of a logger for a while: `{"level": "debug", "duration": "10m"}`."""
    levels, logger = _levels(room), _logger(room, asked.name)
    asked.query()
    wanted = await asked.object()
    for key in wanted:
        if key not in {"level", "duration"}:
            raise refused("invalid-setting", f"`{key[:100]}` is not known here: there is `level` and `duration`")
    level, duration = wanted.get("level"), wanted.get("duration", _WHILE)
    if not isinstance(level, str):
        raise refused("invalid-setting", f"`level` must be one of {', '.join(LEVELS)}")
    seconds = seconds_of(str(duration)) if isinstance(duration, str | int | float) else None
    if seconds is None or seconds > _LONGEST_S:
        raise refused("invalid-setting", "`duration` must be a time such as 30s, 10m or 1h, at most 24h")
    levels.change(logger, _level(level), seconds)
    return answer(levels.shown(logger, levels.logs.levels()[logger]))


async def reset(room: Room, asked: Asked) -> Answer:
    """Give a logger back the level it had."""
    levels, logger = _levels(room), _logger(room, asked.name)
    asked.query()
    levels.reset(logger)
    return answer(levels.shown(logger, levels.logs.levels()[logger]))


async def stream(room: Room, asked: Asked) -> EventStream:
    """Every record from now on, as server-sent events; those since `Last-Event-ID` first."""
    kept = recorded(room)
    query = asked.query("level", "logger")
    level, logger = _level(query.get("level", LEVELS[0])), query.get("logger", "")
    stack = contextlib.ExitStack()
    try:
        records = stack.enter_context(kept.following(room.control.subscribers))
    except TooManyListenersError:
        detail = f"{room.control.subscribers} follow the log already (`max-subscribers`)"
        raise Fault(429, "too-many-subscribers", "Too many follow the log", detail, headers=RETRY) from None
    seen = asked.header(b"last-event-id") or ""
    known = await kept.logs(level, logger) if seen.isdecimal() else []
    missed = [item for item in known if item.number > int(seen) and not item.worker]
    return EventStream(_events(records, missed, level, logger), stack.close)


RETRY: Final = (("retry-after", "10"),)


def _is_wanted(record: LogRecord, level: str, logger: str) -> bool:
    is_below = not logger or record.logger == logger or record.logger.startswith(f"{logger}.")
    return is_below and LEVELS.index(record.level) >= LEVELS.index(level)


async def _events(
    records: AsyncIterator[LogRecord], missed: list[LogRecord], level: str, logger: str
) -> AsyncIterator[bytes]:
    yield b": following the log\n\n"
    for record in missed:
        yield _event(record)
    coming: asyncio.Future[LogRecord] | None = None
    last = missed[-1].number if missed else 0
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(records))
            await asyncio.wait({coming}, timeout=_QUIET_S)
            if not coming.done():
                yield b":\n\n"
                continue
            record, coming = coming.result(), None
            if record.number > last and _is_wanted(record, level, logger):
                yield _event(record)
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})


def _event(record: LogRecord) -> bytes:
    data = msgspec.json.encode(_record(record), enc_hook=str)
    # Each worker numbers its own: a number says where to go on only where there is one.
    place = b"" if record.worker else b"id: %d\n" % record.number
    return place + b"event: log\ndata: %s\n\n" % data


def _levels(room: Room) -> Levels:
    """The levels of what keeps the log.

    Raises:
        Fault: status 503, nothing does.
    """
    if room.levels is None:
        raise refused("nothing-recorded", "nothing is recorded: `observability.enabled` is false", 503)
    return room.levels


def _level(written: str) -> str:
    level = written.strip().lower()
    level = {"warn": "warning", "fatal": "critical", "trace": "debug"}.get(level, level)
    if level not in LEVELS:
        raise refused("invalid-setting", f"`{written[:100]}` is no level: there is {', '.join(LEVELS)}")
    return level


def _logger(room: Room, name: str) -> str:
    """The name of a logger there is.

    Raises:
        Fault: status 404, there is no such logger.
    """
    known = _levels(room).logs.levels()
    if name not in known:
        advice = (did_you_mean(name[:100], known) or ("see /logs for those there are",))[0]
        raise refused("no-logger", f"no logger is named `{name[:100]}`: {advice}", 404)
    return name


def _in_force(levels: Levels) -> list[dict[str, Any]]:
    return [levels.shown(logger, level) for logger, level in levels.logs.levels().items()]


def _record(record: LogRecord) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "number": record.number,
        "timestamp": of_seconds(record.at),
        "level": record.level,
        "logger": record.logger,
        "message": record.message,
    }
    shown |= {"worker": record.worker} if record.worker else {}
    shown |= {"traceId": record.trace_id, "spanId": record.span_id} if record.trace_id else {}
    shown |= {"exception": record.exception} if record.exception else {}
    return {**shown, **({"attributes": record.attributes} if record.attributes else {})}
