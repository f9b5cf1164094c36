"""When documents are reloaded: on SIGHUP, and when files change if somebody wants that."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from capably.cli.console import hint
from capably.cli.serving import show_verdict

if TYPE_CHECKING:
    from capably.app import Service
    from capably.sources import Sources


@asynccontextmanager
async def reloading(
    service: "Service", sources: "Sources", stop: asyncio.Event, *, watched_since: float | None, tells: bool
) -> AsyncIterator[None]:
    """Reload when there is reason to, while the context lasts.

    Args:
        service: what serves.
        sources: the documents.
        stop: set when the command shall end, as a terminal that has gone says.
        watched_since: reload when files change, and have changed since this moment, in seconds since 1970.
        tells: whether people are told what becomes of it.
    """
    from capably.loop import on_hangup
    from capably.watching import watch

    tasks: set[asyncio.Task[Any]] = set()

    def begin(work: Coroutine[Any, Any, object]) -> None:
        tasks.add(task := asyncio.create_task(work))
        task.add_done_callback(tasks.discard)

    async def asked() -> None:
        verdict = await service.reload()
        if tells and verdict.standing.value == "unchanged":  # a changed file that says the same is no news
            hint(f"nothing to reload: generation {verdict.generation} is what the documents say")

    if tells:
        service.join(lambda verdict: show_verdict(verdict, service))
    if watched_since is not None:
        begin(watch(lambda: {*service.files(), *sources.candidates()}, service.reload, watched_since))
    try:
        with on_hangup(lambda: begin(asked()), stop):
            yield
    finally:
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
