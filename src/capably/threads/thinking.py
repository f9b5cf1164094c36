"""One turn of a run: asks the model, tells what it says as it says it, and concludes with what it said."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from capably.threads.bells import Bells
from capably.threads.endings import Fate
from capably.threads.lifecycle import Clock, InterruptedRunError, Lifecycle, Thought, Work
from capably.threads.moves import Move
from capably.threads.objects import Json, LastError, Run
from capably.threads.prompt import build_prompt, functions
from capably.threads.responder import End, ModelError, Piece, Prompt, Responder
from capably.threads.saying import Saying
from capably.threads.toolbox import Offered, Toolbox, ToolboxError

log = logging.getLogger("capably.threads")
UNEXPECTED = "The service failed in a way it should not; its log says how."
Result = TypeVar("Result")


def stop_bell(run_id: str) -> str:
    """The bell that wakes the execution of a run when it may have to stop."""
    return f"stop {run_id}"


class Thinker:
    """Executes the moves of runs. What goes wrong is how a run ends; only a failing database is an error.

    Args:
        lifecycle: the runs.
        responder: open for as long as this is used.
        toolbox: the MCP servers that runs call.
        bells: wake an execution that has to stop.
        at_once: how many moves are executed at the same time.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        responder: Responder,
        toolbox: Toolbox,
        bells: Bells,
        *,
        at_once: int,
        clock: Clock,
    ) -> None:
        self._lifecycle = lifecycle
        self._responder = responder
        self._toolbox = toolbox
        self._bells = bells
        self._slots = asyncio.Semaphore(at_once)
        self._clock = clock

    async def think(self, run_id: str, leg: int, turn: int) -> Move | None:
        """Execute a turn of a run and give the move after it."""
        async with self._slots:
            work = await self._lifecycle.begin(run_id, leg, turn)
            if not isinstance(work, Work):
                return work
            return await self._attended(work.run, self._turn(work))

    async def act(self, run_id: str, leg: int, call_id: str) -> Move | None:
        """Make a call of an MCP tool and give the move after it."""
        async with self._slots:
            begun = await self._lifecycle.begin_call(run_id, leg, call_id)
            if begun is None or isinstance(begun[0], str):
                return begun
            run, call = begun
            return await self._attended(run, self._call(run, call))

    async def _attended(self, run: Run, work: Coroutine[Any, Any, Move | None]) -> Move | None:
        """Work on a run until it is done, or has to stop, or its time is over."""
        try:
            async with asyncio.timeout(max(0.0, (run.expires_at or 0) - self._clock())):
                return await self._unless_stopped(run, work)
        except InterruptedRunError as interruption:
            fate = Fate("cancelled") if interruption.cancelling else None
        except TimeoutError:
            fate = Fate("expired")
        except ModelError as failure:
            fate = Fate("failed", LastError(code=failure.code, message=failure.message))
        except ToolboxError as failure:
            fate = Fate("failed", LastError(code="server_error", message=str(failure)))
        except SQLAlchemyError:
            raise
        except Exception:
            log.exception("%s failed", run.id)
            fate = Fate("failed", LastError(code="server_error", message=UNEXPECTED))
        if fate is not None:
            await self._lifecycle.end(run.id, run.attempt, fate)
        return None

    async def _unless_stopped(self, run: Run, work: Coroutine[Any, Any, Result]) -> Result:
        body, watch = asyncio.create_task(work), asyncio.create_task(self._watch(run))
        try:
            await asyncio.wait({body, watch}, return_when=asyncio.FIRST_COMPLETED)
            if body.done():
                return body.result()
            raise InterruptedRunError(cancelling=watch.result())
        finally:
            for task in (body, watch):
                task.cancel()
            await asyncio.wait({body, watch})

    async def _watch(self, run: Run) -> bool:
        """Until the execution has to stop; whether that is because the run is to be cancelled."""
        with self._bells.listen(stop_bell(run.id)) as bell:
            while True:
                await bell.wait()
                stop = await self._lifecycle.must_stop(run)
                if stop is not None:
                    return stop

    async def _turn(self, work: Work) -> Move | None:
        run = work.run
        offered = await self._toolbox.offered(run)
        tools = [*functions(run.tools), *offered.functions]
        prompt = build_prompt(run, work.messages, work.steps, tools)
        saying = Saying(partial(self._lifecycle.say, run), offered, run.turn)
        telling = asyncio.create_task(saying.keep_telling())
        try:
            end = await self._listen(prompt, saying, telling)
            await saying.stop(telling)
        except ModelError:
            await saying.told(telling)
            raise
        finally:
            telling.cancel()
        return await self._lifecycle.conclude(run, _thought(saying, end, offered))

    async def _listen(self, prompt: Prompt, saying: Saying, telling: "asyncio.Task[None]") -> End:
        async with aclosing(self._responder.reply(prompt)) as parts:
            async for part in parts:
                if telling.done():
                    telling.result()
                if isinstance(part, End):
                    return part
                if isinstance(part, Piece):
                    saying.say(part.text)
                else:
                    saying.call(part)
        raise ModelError("server_error", "The reply broke off.")

    async def _call(self, run: Run, call: Json) -> Move | None:
        output, error = await self._toolbox.call(run, call)
        return await self._lifecycle.conclude_call(run, call["id"], output, error)


def _thought(saying: Saying, end: End, offered: Offered) -> Thought:
    """What a turn comes to, out of all it said."""
    if end.reason == "content_filter":
        error = LastError(code="server_error", message="The model endpoint's content filter stopped the reply.")
        return _ending(saying, Fate("failed", error, fault="content_filter"), end)
    if end.reason == "length":
        return _ending(saying, Fate("incomplete", limit="max_completion_tokens", fault="max_tokens"), end)
    if made := saying.calls():
        approvals: dict[str, bool | None] = {
            call["id"]: None for call in made if call["type"] == "mcp" and offered.needs_approval(call["called"])
        }
        rest = (saying.untold, saying.begun, saying.before, saying.complete)
        return Thought(saying.text, *rest, made, approvals, None, end.usage)
    if not saying.text:
        raise ModelError("server_error", "The model ended its reply without any text.")
    return _ending(saying, Fate("completed"), end)


def _ending(saying: Saying, fate: Fate, end: End) -> Thought:
    """A turn that ends its run."""
    rest = (saying.untold, saying.begun, saying.before, saying.complete)
    return Thought(saying.text, *rest, (), {}, fate, end.usage)
