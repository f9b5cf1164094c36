"""What became of the last reload, whoever asked for it."""

from datetime import UTC, datetime
from typing import Any

from capably.servers.control.moments import written
from capably.servers.desk import Desk, Verdict


class LastReload:
    """Remembers the last reload; :meth:`close` ends that."""

    def __init__(self, desk: Desk) -> None:
        """Hear of every reload from now on."""
        self._verdict: Verdict | None = None
        self._at = datetime.now(UTC)
        self._leave = desk.join(self._hear)

    def _hear(self, verdict: Verdict) -> None:
        self._verdict, self._at = verdict, datetime.now(UTC)

    def close(self) -> None:
        """Hear no more."""
        self._leave()

    def shown(self) -> dict[str, Any]:
        """What became of it, and when; empty when there was none."""
        verdict = self._verdict
        if verdict is None:
            return {}
        shown = {"status": verdict.standing.value, "at": written(self._at)}
        if verdict.is_refused:
            shown |= {"reason": verdict.reason}
        return {"lastReload": shown}
