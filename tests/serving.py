"""Documents that are served in a thread, beside the test that calls them, until it has done so."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from capably.app import Service, open_documents
from capably.loop import _loop_factory
from capably.servers.desk import Listener
from capably.settings import Settings


@dataclass(frozen=True)
class Serving:
    """What is served, the loop that serves it, and how to begin its end early."""

    service: Service
    loop: asyncio.AbstractEventLoop
    stop: Callable[[], None]

    @property
    def by_kind(self) -> dict[str, Listener]:
        """The servers that run; of several of a kind, the last."""
        return {item.kind.value: item for item in self.service.listeners}


@contextmanager
def serving(settings: Settings, *files: Path) -> Iterator[Serving]:
    """Serve documents while the context lasts; what keeps them from starting is raised here."""
    begun: Future[Serving] = Future()

    async def main() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def stop() -> None:
            with suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(ended.set)

        async with Service(await open_documents(files, settings), settings) as service:
            begun.set_result(Serving(service, loop, stop))
            await ended.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(main())
        except BaseException as problem:
            if begun.done():
                raise
            begun.set_exception(problem)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        running = begun.result(20)
        try:
            yield running
        finally:
            running.stop()
    finally:
        begun.cancel()  # what starts too late ends at once
        thread.join()
