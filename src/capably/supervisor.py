"""Starts workers, starts those again that end, and ends them all.

A worker is this program once more, with the same arguments and a seat. Each binds the same addresses by itself
(``SO_REUSEPORT``), and the system spreads connections over them. A worker whose standard input ends has lost its
supervisor, and ends as well.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from capably.errors import CommandError
from capably.listening import bind
from capably.seat import Seat

_log = logging.getLogger("capably.workers")

_STEADY_S: Final = 5.0
"""A worker that served for so long is started again at once."""
_LONGEST_PAUSE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server of the documents listens; ``what`` names it in messages, ``option`` moves it."""

    namespace: str
    host: str
    port: int
    what: str
    option: str


class Supervisor:
    """So many workers; an async context manager that ends them."""

    def __init__(
        self, count: int, places: Sequence[Place], arguments: Sequence[str], environ: Mapping[str, str] = os.environ
    ) -> None:
        """Prepare.

        Args:
            count: how many workers.
            places: the addresses they will listen on.
            arguments: those of the command line.
            environ: what workers find in their environment, beside their seat.
        """
        self._places = places
        self._count = count
        self._arguments = tuple(arguments)
        self._environ = environ
        self._held = contextlib.ExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._children: dict[int, asyncio.subprocess.Process] = {}
        self._doors: tuple[int, ...] = ()
        self.ports: dict[str, int] = {}
        self.is_stopping = False

    async def __aenter__(self) -> Self:
        """Reserve the addresses and start every worker.

        Raises:
            CommandError: an address is taken, or a worker cannot serve.
        """
        try:
            self.ports = {place.namespace: self._reserved(place) for place in self._places}
            self._doors = tuple(self._reserved(_door()) for _ in range(self._count))
            started = [asyncio.get_running_loop().create_future() for _ in range(self._count)]
            self._tasks = [
                asyncio.create_task(self._keep(number, told)) for number, told in enumerate(started, start=1)
            ]
            await asyncio.gather(*started)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Tell every worker to end, and wait until all have."""
        self.is_stopping = True
        self.tell(signal.SIGTERM)
        for task in self._tasks:
            if not self._children:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._held.close()

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to every worker."""
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)

    def _reserved(self, place: Place) -> int:
        """The port of an address that nobody else uses, kept for the workers.

        A socket that is bound and does not listen gets no connections, but keeps the address.
        """
        with bind(place.host, place.port, place.what, place.option) as alone:
            family, address = alone.family, alone.getsockname()
        sock = self._held.enter_context(socket.socket(family, socket.SOCK_STREAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of before may not be over for all
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        port: int = address[1]
        return port

    async def _keep(self, number: int, started: "asyncio.Future[None]") -> None:
        """Keep one worker running."""
        clock = asyncio.get_running_loop().time
        pause = 0.5
        while True:
            began = clock()
            try:
                how = _how(await self._run(number, started))
            except OSError as problem:
                how = str(problem)
            if self.is_stopping:
                return
            if not started.done():
                started.set_exception(CommandError("a worker could not serve", "what it printed says why"))
                return
            pause = 0.5 if clock() - began > _STEADY_S else min(pause * 2, _LONGEST_PAUSE_S)
            _log.error("worker %d ended (%s); it is started again in %g s", number, how, pause)
            await asyncio.sleep(pause)

    async def _run(self, number: int, started: "asyncio.Future[None]") -> int:
        """Run one worker to its end; its exit code."""
        reading, writing = os.pipe()
        try:
            free = {place.namespace: self.ports[place.namespace] for place in self._places if not place.port}
            seat = Seat(number, self._doors, free, writing)
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "capably", *self._arguments),
                stdin=asyncio.subprocess.PIPE,
                env={**self._environ, **seat.environment()},
                pass_fds=(writing,),
                start_new_session=True,  # signals of a terminal are for the supervisor, which passes them on
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._children[number] = child
        waiting = asyncio.create_task(_ready(reading, started))
        if self.is_stopping:
            child.terminate()
        try:
            return await child.wait()
        finally:
            waiting.cancel()
            del self._children[number]


def _door() -> Place:
    return Place("", "127.0.0.1", 0, "a worker", "--workers 1")


async def _ready(reading: int, started: "asyncio.Future[None]") -> None:
    """Wait until a worker has written to its pipe."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(reading, arrived.set)
    try:
        await arrived.wait()
        if os.read(reading, 1) and not started.done():
            started.set_result(None)
    finally:
        loop.remove_reader(reading)
        os.close(reading)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
