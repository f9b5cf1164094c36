"""Executes queued runs in the background: asks the responder, narrates, and records the end.

A run is safe in the store before it comes here. If the process dies, the next executor of the same store finds
it and executes it again; the model may be asked twice, the thread gets one message.
"""

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager, aclosing
from types import TracebackType
from typing import Self

from capably.threads.bodies import MAX_TEXT
from capably.threads.broadcast import Broadcast
from capably.threads.lifecycle import Ending, Lifecycle, Outcome, Work
from capably.threads.narration import INTERRUPTED, closing, delta, opening, reply, run_event
from capably.threads.objects import LastError, MessageFault, Run
from capably.threads.prompt import build_prompt
from capably.threads.responder import End, ModelError, Responder
from capably.threads.store import Clock

log = logging.getLogger("capably.threads")
# Seconds in which a new run is left to whoever created it: the patrol would take it from under its reader.
FRESH = 5
UNEXPECTED = "The service failed in a way it should not; its log says how."


class Executor(AbstractAsyncContextManager["Executor"]):
    """Owns the executions of one service while its `async with` is open.

    Args:
        lifecycle: the runs.
        responder: open for as long as the executor is.
        broadcast: where the events of runs go.
        at_once: how many runs are executed at the same time.
        patrol: seconds between two looks for overdue and for forgotten runs.
        drain: seconds to wait on exit for what is executed.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        responder: Responder,
        broadcast: Broadcast,
        *,
        at_once: int,
        patrol: float,
        drain: float,
        clock: Clock = time.time,
    ) -> None:
        self._lifecycle = lifecycle
        self._responder = responder
        self._broadcast = broadcast
        self._slots = asyncio.Semaphore(at_once)
        self._patrol = patrol
        self._drain = drain
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._patrolling: asyncio.Task[None] | None = None
        self._stopping = False

    async def __aenter__(self) -> Self:
        await self._look(self._now() + 1)
        self._patrolling = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Take no more runs, wait for the executed ones as long as `drain` says, and leave the rest queued.

        Whoever listens to a run that is left is told so, and its stream ends. Doing it twice is harmless.
        """
        self._stopping = True
        if self._patrolling is not None:
            self._patrolling.cancel()
            await asyncio.wait([self._patrolling])
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self._drain)
        left = dict(self._tasks)
        for run_id, task in left.items():
            task.cancel()
            self._broadcast.publish(run_id, INTERRUPTED)
        if left:
            log.info("stopping with %d runs unfinished; they go on at the next start", len(left))
            await asyncio.wait(left.values())

    def start(self, run: Run) -> None:
        """Execute a queued run soon; asking again for a run that is being executed does nothing."""
        if run.id in self._tasks:
            return
        self._broadcast.publish(run.id, run_event(run, "created"), run_event(run, "queued"))
        if self._stopping:
            self._broadcast.publish(run.id, INTERRUPTED)
            self._broadcast.end(run.id)
            return
        task = asyncio.create_task(self._execute(run), name=run.id)
        self._tasks[run.id] = task
        task.add_done_callback(lambda _: self._forget(run.id))

    def _forget(self, run_id: str) -> None:
        del self._tasks[run_id]
        self._broadcast.end(run_id)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._patrol)
            try:
                await self._look(self._now() - FRESH)
            except Exception:
                log.exception("could not look for unfinished runs; looking again in %g seconds", self._patrol)

    async def _look(self, created_before: int) -> None:
        """Expire what is overdue and start what nobody executes: after a crash, or after a failed write."""
        for run_id in await self._lifecycle.expire_overdue(self._now()):
            if run_id not in self._tasks:
                log.warning("%s had not ended by its expires_at and is expired", run_id)
        for run in await self._lifecycle.unfinished(created_before):
            self.start(run)

    async def _execute(self, run: Run) -> None:
        """One run from its queue to its end; whatever goes wrong in between is that end."""
        try:
            outcome = await self._outcome(run)
            ended, message = await self._lifecycle.finish(run.id, outcome, self._now())
            self._broadcast.publish(run.id, *closing(ended, message))
        except Exception:
            # The row is still active: the patrol takes it up again, until it expires.
            log.exception("%s could not be executed", run.id)
            self._broadcast.publish(run.id, INTERRUPTED)

    async def _outcome(self, run: Run) -> Outcome:
        """How the run ends."""
        telling = _Telling(run, self._broadcast, self._clock)
        try:
            async with asyncio.timeout((run.expires_at or 0) - self._clock()), self._slots:
                work = await self._lifecycle.begin(run.id, self._now())
                # A run that is over already stays as it ended, whatever outcome is recorded.
                return Outcome("expired") if work is None else await self._answer(work, telling)
        except TimeoutError:
            return telling.cut("expired", "run_expired", None)
        except ModelError as failure:
            return telling.cut("failed", "run_failed", LastError(code=failure.code, message=failure.message))
        except Exception:
            log.exception("%s failed", run.id)
            return telling.cut("failed", "run_failed", LastError(code="server_error", message=UNEXPECTED))

    async def _answer(self, work: Work, telling: "_Telling") -> Outcome:
        self._broadcast.publish(work.run.id, run_event(work.run))
        telling.run = work.run
        async with aclosing(self._responder.reply(build_prompt(work.run, work.messages))) as parts:
            async for part in parts:
                if isinstance(part, End):
                    return telling.end(part)
                telling.say(part.text)
        raise ModelError("server_error", "The reply broke off.")

    def _now(self) -> int:
        return int(self._clock())


class _Telling:
    """The reply of one run as it grows; narrates it and makes the outcome of it."""

    def __init__(self, run: Run, broadcast: Broadcast, clock: Clock) -> None:
        self.run = run
        self._broadcast = broadcast
        self._clock = clock
        self._text: list[str] = []
        self._length = 0
        self._created_at = 0

    def say(self, text: str) -> None:
        first = not self._text
        if first:
            self._created_at = int(self._clock())
            self._broadcast.publish(self.run.id, *opening(self.run, self._created_at))
        self._text.append(text)
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise ModelError("server_error", f"The reply is longer than a message may be ({MAX_TEXT} characters).")
        self._broadcast.publish(self.run.id, delta(self.run, text, first=first))

    def end(self, end: End) -> Outcome:
        if end.reason == "content_filter":
            error = LastError(code="server_error", message="The model endpoint's content filter stopped the reply.")
            return self.cut("failed", "content_filter", error, end)
        if end.reason == "length":
            return self.cut("incomplete", "max_tokens", None, end)
        if not self._text:
            raise ModelError("server_error", "The model ended its reply without any text.")
        text = "".join(self._text)
        message = reply(self.run, self._created_at, text, ended_at=int(self._clock()))
        return Outcome("completed", message, usage=end.usage)

    def cut(self, status: Ending, fault: MessageFault, error: LastError | None, end: End | None = None) -> Outcome:
        """The end of a reply that is not whole: what there is of it is kept and marked so."""
        usage = end.usage if end else None
        if not self._text:
            return Outcome(status, None, error, usage)
        text, now = "".join(self._text)[:MAX_TEXT], int(self._clock())
        return Outcome(status, reply(self.run, self._created_at, text, ended_at=now, fault=fault), error, usage)
