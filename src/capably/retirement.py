"""Retirement: what generations leave behind is closed when the last request that needs it has been answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from capably.collecting import settle_again
from capably.generation import Backing
from capably.succession import Left

_QUIET_S: Final = 2.0
"""How long after the last retirement memory is looked through, which takes a moment in which nobody is answered."""


class Retirement:
    """Owns what is served no longer, until nobody needs it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._backings: set[Backing] = set()
        self._settling: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._backings)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to be done."""
        return not self._tasks

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside what is served, at the latest until the process ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def take(self, left: Left, patience_s: float) -> None:
        """Drain servers that went, and close backings when their requests are answered, or after so many seconds."""
        for listening in left.listenings:
            self.begin(listening.aclose())
        if left.backings:
            self._backings.update(left.backings)
            self.begin(self._close(left, patience_s))

    async def _close(self, left: Left, patience_s: float) -> None:
        if left.requests:
            await asyncio.wait(left.requests, timeout=patience_s)
        for backing in left.backings:
            await backing.__aexit__(None, None, None)
            self._backings.discard(backing)
        if self._settling is not None:
            self._settling.cancel()
        self._settling = asyncio.get_running_loop().call_later(_QUIET_S, settle_again)

    async def aclose(self) -> None:
        """Wait for nobody any longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._settling is not None:
            self._settling.cancel()
        for backing in self._backings:
            await backing.__aexit__(None, None, None)
