"""How many requests a key may make in a minute (a token bucket per key, in this process)."""

import time
from collections.abc import Callable

SECONDS = 60.0
MOST_KEYS = 10_000


class Rates:
    """Counts the requests of keys.

    Args:
        limit: requests in a minute, also at once after a quiet minute; None means any number.
        clock: seconds that only grow.
    """

    def __init__(self, limit: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> float:
        """Count a request; 0 if it may be made, else the seconds after which one may."""
        if self._limit is None:
            return 0.0
        now = self._clock()
        left, since = self._left.pop(key, (float(self._limit), now))
        left = min(float(self._limit), left + (now - since) * self._limit / SECONDS)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left, now)
        if len(self._left) > MOST_KEYS:
            del self._left[next(iter(self._left))]
        return 0.0 if allowed else (1 - left) * SECONDS / self._limit
