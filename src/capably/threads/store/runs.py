"""Runs and their steps as clients ask for them: created, listed, changed, given outputs, cancelled."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from capably.threads import events
from capably.threads.bodies import (
    ListQuery,
    RunChoices,
    RunCreate,
    RunModify,
    ThreadCreate,
    ThreadRunCreate,
    ToolOutputs,
)
from capably.threads.changes import change_run
from capably.threads.database import Connection
from capably.threads.endings import Fate, end_run
from capably.threads.errors import not_cancellable, not_waiting, thread_is_busy, wrong_outputs
from capably.threads.moves import Move, next_move
from capably.threads.narration import beginning
from capably.threads.objects import Assistant, Json, Page, Run, RunStep, Thread
from capably.threads.paging import page
from capably.threads.prompt import call_output
from capably.threads.rows import change_row, insert_row
from capably.threads.store.office import Office, active_run
from capably.threads.store.threads import add_messages, message_values, new_thread
from capably.threads.tables import assistants, runs, steps

DENIED = "The call was not approved."


@dataclass(frozen=True, slots=True)
class Started:
    """A run that can go on.

    Attributes:
        run: the run.
        move: what it does first, or None if it waits for its thread.
        seen: the number of the last event before this was asked for.
    """

    run: Run
    move: Move | None
    seen: int


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a tenant's threads."""

    office: Office

    async def create(self, thread_id: str, body: RunCreate) -> Started:
        """Queue a run, with its additional messages, on a thread no run holds, else 400, or else to wait."""
        office = self.office
        try:
            async with office.database.write() as connection:
                await office.thread(connection, thread_id, hold=True)
                values = await self._values(connection, thread_id, body)
                added = body.additional_messages or []
                if holder := await active_run(connection, thread_id):
                    if not body.queue:
                        raise thread_is_busy(thread_id, holder)
                    held = [message_values(office, thread_id, message) for message in added]
                    values |= {"waiting": True, "held": held or None}
                else:
                    await add_messages(connection, office, thread_id, added)
                return await self._start(connection, values)
        except IntegrityError:
            # The database's own rule: two of these met where neither could see the other.
            async with office.database.read() as connection:
                raise thread_is_busy(thread_id, await active_run(connection, thread_id) or "") from None

    async def create_with_thread(self, body: ThreadRunCreate) -> Started:
        """Start a thread and queue a run on it."""
        office = self.office
        given = body.thread or ThreadCreate()
        if body.tool_resources is not None:
            given = given.model_copy(update={"tool_resources": body.tool_resources})
        async with office.database.write() as connection:
            thread = await new_thread(connection, office, given)
            return await self._start(connection, await self._values(connection, thread.id, body), thread)

    async def _values(self, connection: Connection, thread_id: str, body: RunChoices) -> Json:
        assistant = await self.office.find(connection, Assistant, assistants, body.assistant_id, word="assistant")
        now = self.office.now
        own = {"id": self.office.identify("run"), "tenant": self.office.tenant, "created_at": now}
        return run_values(thread_id, body, assistant) | own | {"expires_at": now + self.office.run_lifetime}

    async def _start(self, connection: Connection, values: Json, thread: Thread | None = None) -> Started:
        run = await insert_row(connection, Run, runs, values | {"logged": 3 if thread else 2})
        told = beginning(run, thread)
        await events.insert_rows(connection, events.rows_of(run.id, run.tenant, run.logged, told, None))
        return Started(run, None if run.waiting else ("think", "0"), 0)

    async def read(self, thread_id: str, identity: str) -> Run:
        """Read a run of a thread."""
        async with self.office.database.read() as connection:
            return await self._find(connection, thread_id, identity)

    async def list(self, thread_id: str, query: ListQuery) -> Page[Run]:
        """A page of a thread's runs."""
        async with self.office.database.read() as connection:
            await self.office.thread(connection, thread_id)
            return await page(connection, Run, runs, runs.c.thread_id == thread_id, query)

    async def modify(self, thread_id: str, identity: str, body: RunModify) -> Run:
        """Replace a run's metadata, if any was sent."""
        async with self.office.database.write() as connection:
            found = await self._find(connection, thread_id, identity, hold=True)
            if "metadata" not in body.model_fields_set:
                return found
            return await change_row(connection, Run, runs, identity, {"metadata": body.metadata or {}})

    async def steps(self, thread_id: str, run_id: str, query: ListQuery) -> Page[RunStep]:
        """A page of a run's steps."""
        async with self.office.database.read() as connection:
            await self._find(connection, thread_id, run_id)
            return await page(connection, RunStep, steps, steps.c.run_id == run_id, query)

    async def step(self, thread_id: str, run_id: str, identity: str) -> RunStep:
        """Read a step of a run."""
        async with self.office.database.read() as connection:
            await self._find(connection, thread_id, run_id)
            within = steps.c.run_id == run_id
            return await self.office.find(connection, RunStep, steps, identity, within, word="run step")

    async def cancel(self, thread_id: str, identity: str) -> tuple[Run, Run | None]:
        """Cancel a run: at once if nothing executes it, else its execution does it.

        Gives the run, `cancelling`, and the run that waited for the thread and may start now.
        """
        async with self.office.database.write() as connection:
            found = await self._find(connection, thread_id, identity, hold=True)
            if not found.active:
                raise not_cancellable(found.status)
            if found.status == "cancelling":
                return found, None
            cancelling = await change_run(connection, identity, {"status": "cancelling"})
            if found.status == "in_progress":
                return cancelling, None
            return cancelling, await end_run(connection, cancelling, Fate("cancelled"), self.office.now)

    async def submit(self, thread_id: str, identity: str, body: ToolOutputs) -> Started:
        """Give a run what it waits for: all outputs of functions, or all approvals, else 400."""
        office = self.office
        async with office.database.write() as connection:
            found = await self._find(connection, thread_id, identity, hold=True)
            if found.status != "requires_action" or found.required_action is None:
                raise not_waiting(found.status)
            step = await self._open_step(connection, identity)
            given = _approve(step, found, body) if "tool_approvals" in _wanted(found) else _fill(step, found, body)
            await change_row(connection, RunStep, steps, step.id, given)
            move = await next_move(connection, found, office.now)
            if move is None:
                # Some calls still need their caller, such as functions beside approved calls of a server.
                run = await self._find(connection, thread_id, identity)
                return Started(run, None, found.logged)
            values = {"status": "queued", "required_action": None, "leg": found.leg + 1}
            run = await change_run(connection, identity, values)
            return Started(run, move, found.logged)

    async def _open_step(self, connection: Connection, run_id: str) -> RunStep:
        found = select(steps).where(
            steps.c.run_id == run_id, steps.c.type == "tool_calls", steps.c.status == "in_progress"
        )
        return RunStep.model_validate(dict((await connection.execute(found)).mappings().one()))

    async def _find(self, connection: Connection, thread_id: str, identity: str, *, hold: bool = False) -> Run:
        await self.office.thread(connection, thread_id)
        within = runs.c.thread_id == thread_id
        return await self.office.find(connection, Run, runs, identity, within, word="run", hold=hold)


def _wanted(run: Run) -> dict[str, list[str]]:
    """What a run waits for: the kind of it, and the ids of the calls."""
    action = run.required_action or {}
    kind = "tool_approvals" if action["type"] == "submit_tool_approval" else "tool_outputs"
    return {kind: [call["id"] for call in action[action["type"]]["tool_calls"]]}


def _fill(step: RunStep, run: Run, body: ToolOutputs) -> dict[str, Any]:
    outputs = {one.tool_call_id or "": one.output or "" for one in body.tool_outputs or ()}
    _expect("tool outputs", _wanted(run)["tool_outputs"], [one.tool_call_id or "" for one in body.tool_outputs or ()])
    calls = [
        call | {"function": call["function"] | {"output": outputs[call["id"]]}} if call["id"] in outputs else call
        for call in step.step_details["tool_calls"]
    ]
    return {"step_details": step.step_details | {"tool_calls": calls}}


def _approve(step: RunStep, run: Run, body: ToolOutputs) -> dict[str, Any]:
    decided = {one.tool_call_id: one.approve for one in body.tool_approvals or ()}
    _expect("tool approvals", _wanted(run)["tool_approvals"], [one.tool_call_id for one in body.tool_approvals or ()])
    calls = [
        call | {"output": DENIED} if decided.get(call["id"]) is False and call_output(call) is None else call
        for call in step.step_details["tool_calls"]
    ]
    approvals = (step.approvals or {}) | decided
    return {"step_details": step.step_details | {"tool_calls": calls}, "approvals": approvals}


def _expect(what: str, expected: list[str], given: list[str]) -> None:
    if sorted(expected) != sorted(given):
        raise wrong_outputs(what, expected, given)


def run_values(thread_id: str, body: RunChoices, assistant: Assistant) -> Json:
    """A queued run: what the request says, and for the rest what the assistant says."""
    asked = body.model_dump(mode="json")

    def either(name: str, default: Any = None) -> Any:
        own = getattr(assistant, name)
        return asked[name] if asked[name] is not None else own if own is not None else default

    instructions = [either("instructions", ""), asked.get("additional_instructions") or ""]
    return {
        "thread_id": thread_id,
        "assistant_id": assistant.id,
        "status": "queued",
        "model": either("model"),
        "instructions": "\n".join(text for text in instructions if text),
        "tools": either("tools", []),
        "metadata": body.metadata or {},
        "max_prompt_tokens": body.max_prompt_tokens,
        "max_completion_tokens": body.max_completion_tokens,
        "truncation_strategy": asked["truncation_strategy"] or {"type": "auto", "last_messages": None},
        "tool_choice": asked["tool_choice"] or "auto",
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "response_format": either("response_format", "auto"),
        "temperature": either("temperature"),
        "top_p": either("top_p"),
        "reasoning_effort": either("reasoning_effort"),
        "waiting": False,
        "leg": 1,
        "turn": 0,
        "attempt": 0,
        "logged": 0,
    }
