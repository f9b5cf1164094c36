"""What scripts print goes to the operator's log, so much of it and no more."""

import logging

from capably.telemetry.redaction import without_controls

_log = logging.getLogger("capably.scripts")

MAX_LINES = 100
MAX_LINE = 1000


class OperatorLog:
    """The log of one run of a script."""

    def __init__(self, script: str) -> None:
        """Know whose lines they are: the name of the main file."""
        self._script = script
        self._lines = 0
        self._left_out = 0
        self._pending = ""

    def write(self, text: str) -> None:
        """Text as it comes, in pieces: each line is logged when it is complete."""
        *lines, rest = (self._pending + text).split("\n")
        for line in lines:
            self.line(line)
        self._pending = rest[: MAX_LINE + 1]

    def line(self, text: str, level: str = "log") -> None:
        """Log one message; ``level`` is the word of the console: error, warn, info, log or debug."""
        if self._lines >= MAX_LINES:
            self._left_out += 1
            return
        self._lines += 1
        shown = text[:MAX_LINE] + ("…" if len(text) > MAX_LINE else "")
        _log.log(_LEVELS.get(level, logging.INFO), "%s: %s", self._script, without_controls(shown))

    def close(self) -> None:
        """Log what is pending, and how much was left out."""
        if self._pending:
            self.line(self._pending)
            self._pending = ""
        if self._left_out:
            _log.info("%s: %d more lines are not logged", self._script, self._left_out)


_LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "debug": logging.DEBUG}
