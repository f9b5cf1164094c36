"""What a run does next: think, make a call, or wait for its caller. A move is told as (kind, what).

("think", turn) asks the model for the turn of that number; ("act", call id) makes a call of a tool; None ends the
leg: the run is over, or waits. Moves are results of workflow steps, so they are plain values.
"""

from typing import Any

from sqlalchemy import bindparam, select

from capably.threads import events
from capably.threads.changes import change_run
from capably.threads.database import Connection
from capably.threads.narration import step_event
from capably.threads.objects import Json, Run, RunStep
from capably.threads.prompt import call_output
from capably.threads.rows import change_row
from capably.threads.tables import steps

Move = tuple[str, str]
_CALLING = select(steps).where(
    steps.c.run_id == bindparam("run"),
    steps.c.type == "tool_calls",
    steps.c.status == "in_progress",
    steps.c.turn < bindparam("now"),
)


async def open_calls(connection: Connection, run: Run) -> RunStep | None:
    """The calls of an earlier turn that are not all made; those of the current one are still being said."""
    row = (await connection.execute(_CALLING, {"run": run.id, "now": run.turn})).mappings().first()
    return None if row is None else RunStep.model_validate(dict(row))


async def next_move(connection: Connection, run: Run, now: int) -> Move | None:
    """The next move of a run, in the open transaction, which is changed to waiting for its caller if that is it."""
    step = await open_calls(connection, run)
    if step is None:
        return ("think", str(run.turn))
    if call := to_make(step):
        return ("act", call["id"])
    if waiting := required_action(step):
        await _require(connection, run, waiting)
        return None
    done = await change_row(connection, RunStep, steps, step.id, {"status": "completed", "completed_at": now})
    await events.append(connection, run.id, [step_event(done)])
    return ("think", str(run.turn))


def to_make(step: RunStep) -> Json | None:
    """The first call of an MCP tool that may be made and has not been."""
    approvals = step.approvals or {}
    calls = (call for call in step.step_details["tool_calls"] if call["type"] == "mcp" and call["output"] is None)
    return next((call for call in calls if approvals.get(call["id"], True)), None)


def required_action(step: RunStep) -> Json | None:
    """What the caller has to give: approvals of MCP calls first, then outputs of functions."""
    calls = [call for call in step.step_details["tool_calls"] if call_output(call) is None]
    undecided = [call for call in calls if call["type"] == "mcp"]
    if undecided:
        return {"type": "submit_tool_approval", "submit_tool_approval": {"tool_calls": [_asked(c) for c in undecided]}}
    if calls:
        return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [_asked(c) for c in calls]}}
    return None


def _asked(call: Json) -> Json:
    """A call as a caller is shown it: without the output it has not got."""
    if call["type"] == "function":
        return {"id": call["id"], "type": "function", "function": _without_output(call["function"])}
    return _without_output({name: value for name, value in call.items() if name != "called"})


def _without_output(call: Json) -> Json:
    return {name: value for name, value in call.items() if name != "output"}


async def _require(connection: Connection, run: Run, action: Json) -> None:
    values: dict[str, Any] = {"status": "requires_action", "required_action": action}
    await change_run(connection, run.id, values)
