"""Processes of the threads service that are killed and started again, each on one port for all its lives."""

import asyncio
import multiprocessing
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processes import free_port

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

    from capably.threads.settings import ThreadsSettings

FORKS = multiprocessing.get_context("forkserver")
# What is imported once, by the process that the others are forked from.
FORKS.set_forkserver_preload(
    ["capably.cli.threads", "capably.loop", "capably.threads.server", "capably.threads.service", "uvicorn.lifespan.on"]
)


def serve(settings: "ThreadsSettings", port: int | None) -> None:
    """What `capably threads serve` does, or without a port `capably threads work`."""
    # In this process, not in the one that starts it.
    from capably.cli.threads import threads_service  # noqa: PLC0415
    from capably.loop import run_until_signal  # noqa: PLC0415
    from capably.threads.service import Service  # noqa: PLC0415

    async def until(stop: asyncio.Event) -> None:
        if port is None:
            async with Service(settings).open():
                await stop.wait()
        else:
            async with threads_service(settings, port, "--port"):
                await stop.wait()

    run_until_signal(until)


@dataclass(slots=True)
class Victim:
    """A process of the service: one that serves on a port, or only executes runs."""

    settings: "ThreadsSettings"
    port: int | None
    process: "ForkServerProcess | None" = None

    def start(self) -> None:
        """Start it, without waiting for anything."""
        self.process = FORKS.Process(target=serve, args=(self.settings, self.port))
        self.process.start()

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None and self.process.pid is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.join()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after a while."""
        if self.process is not None:
            self.process.terminate()
            self.process.join(20)
            self.process.kill()


def victims(settings: "ThreadsSettings", services: int, workers: int) -> list[Victim]:
    """So many services and workers, not yet started."""
    return [Victim(settings, free_port()) for _ in range(services)] + [Victim(settings, None) for _ in range(workers)]
