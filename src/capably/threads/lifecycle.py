"""How a run changes while it is executed, each change one transaction with the events that tell it.

Each change names the state it may come from, so a run that has ended stays as it ended, and work done twice after a
crash leaves one message. `attempt` says who may write: an execution that was given up for dead finds another number
there and stops. Times are unix seconds.
"""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select

from capably.threads import events
from capably.threads.bells import Bells
from capably.threads.changes import change_run
from capably.threads.database import Connection, Database
from capably.threads.endings import Fate, end_run, next_in_line
from capably.threads.events import Event
from capably.threads.moves import Move, next_move, open_calls
from capably.threads.narration import calling, delta, message_event, opening, step_delta, step_event
from capably.threads.objects import ACTIVE, Json, Message, Run, RunStep, Usage, derived_id, text_part
from capably.threads.rows import change_row, insert_row, run_row
from capably.threads.saying import Kind, Word, kind_of
from capably.threads.tables import messages, runs, steps

Clock = Callable[[], float]
Ready = Callable[[Run, Move], Awaitable[None]]

# Made once, see `rows`.
_STANDING = select(runs.c.status, runs.c.attempt).where(runs.c.id == bindparam("run"))
_STANDING_HELD = _STANDING.with_for_update()
_SAID = (
    select(messages).where(messages.c.thread_id == bindparam("thread")).order_by(messages.c.created_at, messages.c.seq)
)
_OF_THREAD = select(runs.c.id).where(runs.c.thread_id == bindparam("thread"))
_CALLED = (
    select(steps)
    .where(steps.c.run_id.in_(_OF_THREAD), steps.c.type == "tool_calls", steps.c.status == "completed")
    .order_by(steps.c.seq)
)
_WITHDRAWALS = [
    delete(table).where(table.c.run_id == bindparam("run"), table.c.turn == bindparam("begun"))
    for table in (messages, steps)
]


class InterruptedRunError(Exception):
    """The execution has to stop: the run is being cancelled, has ended, or belongs to another execution.

    Attributes:
        cancelling: whether the run waits for its execution to cancel it.
    """

    def __init__(self, *, cancelling: bool) -> None:
        super().__init__("cancelling" if cancelling else "given up")
        self.cancelling = cancelling


@dataclass(frozen=True, slots=True)
class Work:
    """A turn to execute: the run, all messages of its thread, and the calls its runs have made, oldest first."""

    run: Run
    messages: tuple[Message, ...]
    steps: tuple[RunStep, ...]


@dataclass(frozen=True, slots=True)
class Thought:
    """What the model said in one turn.

    Attributes:
        text: its text, empty if it only called tools.
        untold: the words of it that are not in the log yet.
        begun: which kinds of words are in the log.
        before: all the text said before the first call, if there is one.
        complete: the message is complete with that text already, because calls have followed it.
        calls: its calls, as they stand in a step's details.
        approvals: which of the calls wait for an approval.
        fate: how the run ends with it, or None if it goes on with the calls.
        usage: tokens, if the model counted them.
    """

    text: str
    untold: Sequence[Word]
    begun: AbstractSet[Kind]
    before: str
    complete: bool
    calls: Sequence[Json]
    approvals: dict[str, bool | None]
    fate: Fate | None
    usage: Usage | None


class Lifecycle:
    """The changes of runs in a database.

    Args:
        database: open for as long as this is used.
        bells: rung after each change.
        clock: seconds since the epoch.
        ready: called with a run that waited for its thread and whose time has come.
    """

    def __init__(self, database: Database, bells: Bells, clock: Clock, ready: Ready) -> None:
        self._database = database
        self._bells = bells
        self._clock = clock
        self._ready = ready

    @property
    def now(self) -> int:
        """The time in whole seconds."""
        return int(self._clock())

    async def begin(self, run_id: str, leg: int, turn: int) -> Work | Move | None:
        """Take up a turn, from its start if it was begun before.

        Gives the next move instead if the turn is done already, and None if there is nothing left to do.
        """
        following: Run | None = None
        work: Work | None = None
        async with self._database.write() as connection:
            run = await run_row(connection, run_id)
            if run is None or not _executed(run, leg):
                return None
            fate = Fate("cancelled") if run.status == "cancelling" else _spent(run)
            if fate is not None:
                following = await end_run(connection, run, fate, self.now)
            elif run.turn > turn or (run.attempt and await open_calls(connection, run)):
                return await next_move(connection, run, self.now)
            else:
                if run.attempt:  # it was taken up before, so something may be left of that
                    await _withdraw(connection, run_id, turn)
                work = await _work(connection, await self._take_up(connection, run))
        await self._tell(run_id, following)
        return work

    async def begin_call(self, run_id: str, leg: int, call_id: str) -> tuple[Run, Json] | Move | None:
        """Take up a call of a tool; the next move instead if it has been made, None if there is nothing to do."""
        following: Run | None = None
        async with self._database.write() as connection:
            run = await run_row(connection, run_id)
            if run is None or not _executed(run, leg):
                return None
            if run.status == "cancelling":
                following = await end_run(connection, run, Fate("cancelled"), self.now)
            else:
                run = await self._take_up(connection, run)
                step = await open_calls(connection, run)
                calls = step.step_details["tool_calls"] if step else []
                found = next((call for call in calls if call["id"] == call_id and call["output"] is None), None)
                return await next_move(connection, run, self.now) if found is None else (run, found)
        await self._tell(run_id, following)
        return None

    async def _take_up(self, connection: Connection, run: Run) -> Run:
        values = {"status": "in_progress", "started_at": run.started_at or self.now, "attempt": run.attempt + 1}
        if run.status == "queued":
            return await change_run(connection, run.id, values)
        return await change_row(connection, Run, runs, run.id, values)

    async def say(self, run: Run, words: Sequence[Word], *, begun: AbstractSet[Kind], text: str) -> None:
        """Tell words of the current turn: text of its message, and calls of tools.

        The message begins with its first text and is complete when calls begin; what the model adds to it after
        them is told, and told again as a whole when the turn is concluded.

        Args:
            run: as it was taken up.
            words: text, or what is new of a call.
            begun: which kinds of words have been told before in this turn.
            text: all the text said before the first call, if there is one yet.

        Raises:
            InterruptedRunError: if the execution has to stop.
        """
        async with self._database.write() as connection:
            await _keep(connection, run)
            told = await self._said(connection, run, words, begun, text)
            await events.append(connection, run.id, told, turn=run.turn)
        self._bells.ring(run.id)

    async def _said(
        self, connection: Connection, run: Run, words: Sequence[Word], begun: AbstractSet[Kind], text: str
    ) -> list[Event]:
        """The events of words, with those of the steps that begin with them."""
        told: list[Event] = []
        for word in words:
            fresh = kind_of(word) not in begun
            begun = begun | {kind_of(word)}
            if isinstance(word, str):
                told += await self._open_message(connection, run) if fresh else []
                told.append(delta(derived_id("msg", run.id, run.turn), word, first=fresh))
            else:
                told += await self._open_calls(connection, run, text) if fresh else []
                told.append(step_delta(_step_id(run, "tool_calls"), word))
        return told

    async def _open_message(self, connection: Connection, run: Run) -> list[Event]:
        message_id = derived_id("msg", run.id, run.turn)
        details = {"type": "message_creation", "message_creation": {"message_id": message_id}}
        step = await self._new_step(connection, run, "message_creation", details)
        values = {
            "id": message_id,
            "tenant": run.tenant,
            "created_at": self.now,
            "thread_id": run.thread_id,
            "status": "in_progress",
            "role": "assistant",
            "content": [],
            "assistant_id": run.assistant_id,
            "run_id": run.id,
            "turn": run.turn,
            "attachments": [],
            "metadata": {},
        }
        return opening(step, await insert_row(connection, Message, messages, values))

    async def _open_calls(self, connection: Connection, run: Run, text: str) -> list[Event]:
        done = await self._complete_message(connection, run, text, None) if text else []
        step = await self._new_step(connection, run, "tool_calls", {"type": "tool_calls", "tool_calls": []})
        return [*done, *calling(step)]

    async def conclude(self, run: Run, thought: Thought) -> Move | None:
        """Record a turn that the model has ended, and how it goes on.

        Raises:
            InterruptedRunError: if the execution has to stop.
        """
        move, following = None, None
        async with self._database.write() as connection:
            run = await _hold(connection, run)
            spent = run.spent + thought.usage if run.spent and thought.usage else thought.usage or run.spent
            after = run.model_copy(update={"turn": run.turn + 1, "spent": spent})
            told = await self._said(connection, run, thought.untold, thought.begun, thought.before)
            cut = thought.fate is not None and thought.fate.fault is not None
            if thought.text and not thought.complete and not cut:
                usage = None if thought.calls else thought.usage
                told += await self._complete_message(connection, run, thought.text, usage)
            if thought.fate is None or cut:  # what is cut is closed with the text that the log has
                await events.append(connection, run.id, told, turn=run.turn)
                told = []
            if thought.fate is not None:
                following = await end_run(connection, after, thought.fate, self.now, told)
            else:
                await _record_calls(connection, run, thought)
                counted = spent.model_dump() if spent else None
                await change_row(connection, Run, runs, run.id, {"turn": after.turn, "spent": counted})
                move = await next_move(connection, after, self.now)
        await self._tell(run.id, following)
        return move

    async def _complete_message(self, connection: Connection, run: Run, text: str, usage: Usage | None) -> list[Event]:
        """Complete the message of a turn, and the step that wrote it."""
        values = {"status": "completed", "completed_at": self.now, "content": [text_part(text)]}
        message = await change_row(connection, Message, messages, derived_id("msg", run.id, run.turn), values)
        counted = usage.model_dump() if usage else None
        done = {"status": "completed", "completed_at": self.now, "usage": counted}
        step = await change_row(connection, RunStep, steps, _step_id(run, "message_creation"), done)
        return [message_event(message), step_event(step)]

    async def _new_step(self, connection: Connection, run: Run, kind: Kind, details: Json) -> RunStep:
        values = {
            "id": _step_id(run, kind),
            "tenant": run.tenant,
            "created_at": self.now,
            "thread_id": run.thread_id,
            "run_id": run.id,
            "assistant_id": run.assistant_id,
            "turn": run.turn,
            "type": kind,
            "status": "in_progress",
            "step_details": details,
        }
        return await insert_row(connection, RunStep, steps, values)

    async def conclude_call(self, run: Run, call_id: str, output: str, error: str | None) -> Move | None:
        """Record what a call of a tool gave, and how the run goes on.

        Raises:
            InterruptedRunError: if the execution has to stop.
        """
        async with self._database.write() as connection:
            run = await _hold(connection, run)
            step = await open_calls(connection, run)
            if step is None:
                raise InterruptedRunError(cancelling=False)
            given = {"output": output} | ({"error": error} if error else {})
            calls = [call | (given if call["id"] == call_id else {}) for call in step.step_details["tool_calls"]]
            await change_row(
                connection, RunStep, steps, step.id, {"step_details": step.step_details | {"tool_calls": calls}}
            )
            move = await next_move(connection, run, self.now)
        self._bells.ring(run.id)
        return move

    async def end(self, run_id: str, attempt: int | None, fate: Fate) -> None:
        """End a run that has not ended, unless another execution than `attempt` has taken it up."""
        async with self._database.write() as connection:
            run = await run_row(connection, run_id)
            if run is None or not run.active or (attempt is not None and run.attempt != attempt):
                return
            following = await end_run(connection, run, fate, self.now)
        await self._tell(run_id, following)

    async def follow(self, thread_id: str) -> None:
        """Give a thread that nothing holds to the run that has waited longest for it."""
        async with self._database.write() as connection:
            held = select(runs.c.id).where(runs.c.thread_id == thread_id, runs.c.waiting.is_(False))
            if (await connection.execute(held.where(runs.c.status.in_(ACTIVE)))).first() is not None:
                return
            following = await next_in_line(connection, thread_id, self.now)
        if following is not None:
            await self._tell(following.id, following)

    async def restart(self, run: Run) -> None:
        """Execute a run by a workflow of its own: the one it had is gone."""
        async with self._database.write() as connection:
            found = await run_row(connection, run.id)
            if found is None or not _executed(found, run.leg):
                return
            run = await change_row(connection, Run, runs, run.id, {"leg": run.leg + 1})
        await self._ready(run, ("think", str(run.turn)))

    async def must_stop(self, run: Run) -> bool | None:
        """Whether an execution has to stop: None if not, else whether the run is to be cancelled."""
        async with self._database.glance() as connection:
            row = (await connection.execute(_STANDING, {"run": run.id})).first()
        if row is not None and (row.status, row.attempt) == ("in_progress", run.attempt):
            return None
        return row is not None and row.status == "cancelling"

    async def _tell(self, run_id: str, following: Run | None) -> None:
        self._bells.ring(run_id)
        if following is not None:
            self._bells.ring(following.id)
            await self._ready(following, ("think", str(following.turn)))


def _executed(run: Run, leg: int) -> bool:
    return run.leg == leg and not run.waiting and run.status in ("queued", "in_progress", "cancelling")


def _spent(run: Run) -> Fate | None:
    """The end of a run that has no tokens left for another turn."""
    if run.spent and run.max_completion_tokens and run.spent.completion_tokens >= run.max_completion_tokens:
        return Fate("incomplete", limit="max_completion_tokens")
    if run.spent and run.max_prompt_tokens and run.spent.prompt_tokens >= run.max_prompt_tokens:
        return Fate("incomplete", limit="max_prompt_tokens")
    return None


async def _hold(connection: Connection, run: Run) -> Run:
    """The run as it is now, held until the transaction ends, if this execution may still write."""
    found = await run_row(connection, run.id)
    if found is None or found.status != "in_progress" or found.attempt != run.attempt:
        raise InterruptedRunError(cancelling=found is not None and found.status == "cancelling")
    return found


async def _keep(connection: Connection, run: Run) -> None:
    """Hold the run until the transaction ends, if this execution may still write."""
    row = (await connection.execute(_STANDING_HELD, {"run": run.id})).first()
    if row is None or (row.status, row.attempt) != ("in_progress", run.attempt):
        raise InterruptedRunError(cancelling=row is not None and row.status == "cancelling")


async def _withdraw(connection: Connection, run_id: str, turn: int) -> None:
    """Take back what an earlier try of a turn has left."""
    await events.withdraw(connection, run_id, turn)
    for withdrawal in _WITHDRAWALS:
        await connection.execute(withdrawal, {"run": run_id, "begun": turn})


async def _work(connection: Connection, run: Run) -> Work:
    rows = (await connection.execute(_SAID, {"thread": run.thread_id})).mappings()
    said = tuple(Message.model_validate(dict(row)) for row in rows)
    called = (await connection.execute(_CALLED, {"thread": run.thread_id})).mappings()
    return Work(run, said, tuple(RunStep.model_validate(dict(row)) for row in called))


def _step_id(run: Run, kind: Kind) -> str:
    return derived_id("step", run.id, 2 * run.turn + (kind == "tool_calls"))


async def _record_calls(connection: Connection, run: Run, thought: Thought) -> None:
    """Keep the calls of a turn, which have all been told."""
    values = {
        "step_details": {"type": "tool_calls", "tool_calls": list(thought.calls)},
        "approvals": thought.approvals,
        "usage": thought.usage.model_dump() if thought.usage else None,
    }
    await change_row(connection, RunStep, steps, _step_id(run, "tool_calls"), values)
