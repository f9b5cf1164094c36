"""Levels of loggers that are changed for a while, and go back by themselves."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from capably.servers.control.moments import written
from capably.telemetry.logs import Logs


@dataclass(frozen=True, slots=True)
class _Change:
    until: datetime
    timer: asyncio.TimerHandle


class Levels:
    """The levels an operator has changed; :meth:`close` takes all changes back."""

    def __init__(self, logs: Logs) -> None:
        """Begin with none changed."""
        self.logs = logs
        self._changes: dict[str, _Change] = {}

    def change(self, logger: str, level: str, seconds: float) -> None:
        """Log what is at least of that level, for so long.

        Raises:
            ValueError: there is no such level.
        """
        self.logs.set_level(logger, level)
        self._forget(logger)
        timer = asyncio.get_running_loop().call_later(seconds, self.reset, logger)
        self._changes[logger] = _Change(datetime.now(UTC) + timedelta(seconds=seconds), timer)

    def reset(self, logger: str) -> None:
        """Log again what was logged before."""
        self._forget(logger)
        self.logs.reset(logger)

    def close(self) -> None:
        """Take back whatever is changed."""
        for logger in tuple(self._changes):
            self.reset(logger)

    def _forget(self, logger: str) -> None:
        change = self._changes.pop(logger, None)
        if change is not None:
            change.timer.cancel()

    def shown(self, logger: str, level: str) -> dict[str, Any]:
        """A logger's level, and until when, where it is changed."""
        change = self._changes.get(logger)
        until = {"until": written(change.until)} if change is not None else {}
        return {"logger": logger, "level": level, **until}
