"""Runs scripts: one owner of the threads and processes they run in."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from capably.plan.outcome import Fault
from capably.plan.steps import Script
from capably.scripts.failure import Failure, ScriptError
from capably.scripts.operator_log import OperatorLog
from capably.scripts.switchboard import Switchboard

if TYPE_CHECKING:
    from pydantic_monty import AsyncMonty

_log = logging.getLogger("capably.scripts")


def _at_once() -> int:
    """How many scripts of a language compute at the same time; more wait for their turn."""
    return max(2, os.cpu_count() or 2)


class Sandboxes:
    """Runs scripts off the event loop, so many at a time; an async context manager.

    Nothing is started before the first script of a language runs.
    """

    def __init__(self, switchboard: Switchboard | None = None) -> None:
        """Prepare; nothing is started."""
        self.switchboard = switchboard or Switchboard()
        self._stack = AsyncExitStack()
        self._turns = {language: asyncio.Semaphore(_at_once()) for language in ("javascript", "python")}
        self._threads: ThreadPoolExecutor | None = None
        self._pool: asyncio.Task[AsyncMonty] | None = None

    async def __aenter__(self) -> Self:
        """Be ready."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """End threads and processes; scripts that still run are stopped."""
        if self._pool is not None:
            await asyncio.wait([self._pool])
        await self._stack.aclose()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def execute(self, script: Script, context: Mapping[str, Any]) -> Any:
        """Run a script with a copy of ``context``; the JSON value it leaves in ``result``, ``ABSENT`` when it has none.

        Cancelling stops the script. Time is counted from its turn on.

        Raises:
            ScriptError: it failed, or ran out of time, statements or memory.
        """
        log = OperatorLog(script.main.name)
        run = {"javascript": self._javascript, "python": self._python}[script.language]
        try:
            async with self._turns[script.language]:
                return await self._counted(run(self.switchboard.admitted(script), context, log))
        except ScriptError as problem:
            _log.warning("%s: %s", script.main.name, problem)
            raise
        finally:
            log.close()

    async def _counted(self, running: Awaitable[Any]) -> Any:
        began, failed = time.perf_counter(), True
        try:
            result = await running
            failed = False
            return result
        finally:
            self.switchboard.statistics.count(time.perf_counter() - began, failed=failed)

    async def run_script(self, script: Script, context: Mapping[str, Any]) -> Any:
        """Run the script of a step, as :meth:`execute` does, for whoever drives a flow.

        Raises:
            Fault: it gave no result; the detail names the step, what happened, and file and line.
        """
        try:
            return await self.execute(script, context)
        except ScriptError as problem:
            status, title = _FAULTS[problem.failure]
            verb = "" if problem.failure in _TOLD_WHOLE else "failed: "
            detail = f"Script step '{script.step or script.main.name}' {verb}{problem}"
            raise Fault(status, problem.failure.value, title, detail) from problem

    async def _javascript(self, script: Script, context: Mapping[str, Any], log: OperatorLog) -> Any:
        from capably.scripts import javascript  # noqa: PLC0415 -- an extra, and slow to import
        from capably.scripts.quickjs import Watch  # noqa: PLC0415

        if self._threads is None:
            self._threads = ThreadPoolExecutor(_at_once(), "capably-script")
        watch = Watch(script.limits.statements, lambda level, text: log.line(text, level))
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, javascript.run, script, context, watch)
            running.add_done_callback(_take)
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            watch.is_cancelled.set()
            raise

    async def _python(self, script: Script, context: Mapping[str, Any], log: OperatorLog) -> Any:
        from capably.scripts import python  # noqa: PLC0415 -- an extra, and slow to import

        return await python.run(await self._processes(), script, context, log.write)

    async def _processes(self) -> "AsyncMonty":
        """The pool, started once, however many ask for it first."""
        if self._pool is None:
            self._pool = asyncio.create_task(self._start())
        return await asyncio.shield(self._pool)

    async def _start(self) -> "AsyncMonty":
        from pydantic_monty import AsyncMonty  # noqa: PLC0415 -- an extra, and slow to import

        return await self._stack.enter_async_context(AsyncMonty(max_processes=_at_once()))


_TOLD_WHOLE = frozenset({Failure.TIME, Failure.STATEMENTS, Failure.MEMORY, Failure.STACK, Failure.OFF})
_FAULTS: dict[Failure, tuple[int, str]] = {
    Failure.THREW: (400, "A script failed"),  # the published status: scripts refuse what they are given
    Failure.SYNTAX: (500, "A script cannot be understood"),
    Failure.TIME: (504, "A script took too long"),
    Failure.STATEMENTS: (500, "A script did too much"),
    Failure.MEMORY: (500, "A script needed too much memory"),
    Failure.STACK: (500, "A script called too deep"),
    Failure.RESULT: (500, "A script's result cannot be told"),
    Failure.BROKEN: (500, "A script broke its sandbox"),
    Failure.OFF: (503, "Scripts are switched off"),
}


def _take(ended: "asyncio.Future[Any]") -> None:
    """Take the end of a run that may have been cancelled, so that nobody misses it."""
    if not ended.cancelled():
        ended.exception()
