"""Drives a flow: starts the effects it asks for, tells it what has ended, and leaves nothing running behind.

What the caller waits for is the flow's outcome; a caller that goes away cancels the driver, which cancels whatever it
started and waits until that has stopped.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias

from capably.plan.caller import Caller, InputRequiredError, Question
from capably.plan.effects import End, Ended, Note, Progress, Start, Turn
from capably.plan.outcome import Fault, Outcome

Perform: TypeAlias = Callable[[Start], Awaitable[Any]]
"""Performs an effect that is no question. Raises :class:`Fault`."""

Turns: TypeAlias = Generator[Turn, Ended | None, Outcome]


async def drive(
    turns: Turns, perform: Perform, caller: Caller, total: int, told: Callable[[Progress], None] | None = None
) -> Outcome:
    """Drive a flow to its outcome.

    Args:
        turns: the flow.
        perform: performs calls and scripts.
        caller: is asked, is told how far the flow is, and keeps the journal.
        total: how many steps the flow has.
        told: hears of every step that has ended.

    Raises:
        Fault: a step failed without an answer of an upstream.
        InputRequiredError: the caller has to come again; what was in flight has ended and stands in the journal.
    """
    driver = _Driver(perform, caller, total, told)
    try:
        turn = next(turns)
        while True:
            turn = turns.send(await driver.next(turn))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    finally:
        await driver.stop()
        turns.close()


class _Driver:
    def __init__(self, perform: Perform, caller: Caller, total: int, told: Callable[[Progress], None] | None) -> None:
        self._perform = perform
        self._told = told
        self._caller = caller
        self._total = total
        self._done = 0
        self._running: dict[asyncio.Task[list[Ended]], None] = {}
        self._arrived: list[Ended] = []
        self._required: InputRequiredError | None = None

    async def next(self, turn: Turn) -> Ended | None:
        """Do what a turn says, and wait for one effect to end; ``None`` when there is none."""
        await self._tell(turn)
        if self._required is None:
            jobs = self._jobs(turn)
            if len(jobs) == 1 and not self._running and not self._arrived:
                self._arrive(await self._guarded(jobs[0]))  # nothing else runs: no task is needed
            else:
                self._running |= dict.fromkeys(asyncio.ensure_future(self._guarded(job)) for job in jobs)
        while not self._arrived and self._running:
            done, _pending = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in self._running if task in done]:
                del self._running[task]
                self._arrive(task.result())
        if self._arrived:
            return self._arrived.pop(0)
        if self._required is not None:
            raise self._required
        return None

    async def stop(self) -> None:
        """Cancel what still runs, and wait until it has stopped."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
            self._running.clear()

    def _jobs(self, turn: Turn) -> list[Awaitable[list[Ended]]]:
        questions = [(start.key, start.effect) for start in turn.starts if isinstance(start.effect, Question)]
        jobs: list[Awaitable[list[Ended]]] = [
            self._one(start) for start in turn.starts if not isinstance(start.effect, Question)
        ]
        return [*jobs, self._asked(questions)] if questions else jobs

    async def _guarded(self, job: Awaitable[list[Ended]]) -> list[Ended]:
        try:
            return await job
        except InputRequiredError as required:
            self._required = required
            return []

    def _arrive(self, ended: list[Ended]) -> None:
        self._arrived += ended

    async def _one(self, start: Start) -> list[Ended]:
        if isinstance(start.effect, Note):
            await self._caller.log(start.effect.level, start.effect.text)
            return [Ended(start.key, None)]
        try:
            return [Ended(start.key, await self._perform(start))]
        except Fault as fault:
            return [Ended(start.key, fault)]

    async def _asked(self, questions: list[tuple[str, Question]]) -> list[Ended]:
        """Questions that do not depend on each other are asked together."""
        try:
            responses = await self._caller.ask_all([question for _key, question in questions])
        except Fault as fault:
            return [Ended(key, fault) for key, _question in questions]
        return [Ended(key, response) for (key, _question), response in zip(questions, responses, strict=True)]

    async def _tell(self, turn: Turn) -> None:
        self._caller.journal.update(turn.kept)
        for progress in turn.ended:
            self._done += 1
            if self._told is not None:
                self._told(progress)
            await self._caller.progress(self._done, self._total, f"step `{progress.step.name}`: {progress.end.value}")
            if progress.fault:
                level = "error" if progress.end is End.FAILED else "warning"
                await self._caller.log(level, f"step `{progress.step.name}` failed: {progress.fault}")
