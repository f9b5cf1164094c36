"""What changes while the page is open: generation, reloads, and numbers of calls."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from capably.servers.console.hiding import hidden, hide_of
from capably.servers.console.overview import moment
from capably.servers.console.shown import Shown
from capably.servers.console.sources import secrets_of, verdict_json
from capably.servers.desk import Desk, Verdict

Object: TypeAlias = dict[str, Any]

_MOST_RELOADS: Final = 20


@dataclass(frozen=True, slots=True)
class Heard:
    """A reload that was heard of; ``number`` counts them from 1."""

    number: int
    at: datetime
    verdict: Verdict


class Reloads:
    """The reloads of late, heard at the desk."""

    def __init__(self, desk: Desk) -> None:
        """Begin to listen."""
        self._kept: deque[Heard] = deque(maxlen=_MOST_RELOADS)
        self._count = 0
        self.close = desk.join(self._hear)

    def _hear(self, verdict: Verdict) -> None:
        self._count += 1
        self._kept.append(Heard(self._count, datetime.now(UTC), verdict))

    @property
    def count(self) -> int:
        """How many there were."""
        return self._count

    @property
    def latest(self) -> Heard | None:
        """The one before now."""
        return self._kept[-1] if self._kept else None

    def told(self, desk: Desk) -> Object:
        """All of them, the newest first."""
        hide, secrets = hide_of(desk.documents), secrets_of(desk)
        told = [
            {"number": item.number, "at": moment(item.at), **verdict_json(item.verdict, secrets)}
            for item in reversed(self._kept)
        ]
        return {"generation": desk.generation, "reloads": hidden(told, hide)}


async def pulse(desk: Desk, reloads: Reloads, shown: Shown) -> Object:
    """What a page that is open asks every few seconds: small, and cheap to make."""
    latest = reloads.latest
    return {
        "now": moment(datetime.now(UTC)),
        "generation": desk.generation,
        "is_stopping": desk.is_stopping,
        "reloads": reloads.count,
        "is_refused": latest is not None and latest.verdict.is_refused,
        "servers": {item.namespace: item.is_started for item in desk.listeners},
        "numbers": await shown.numbers_json(),
    }
