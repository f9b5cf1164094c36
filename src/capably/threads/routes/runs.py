"""`/threads/runs`, `/threads/{thread_id}/runs` and the steps of runs."""

from typing import Annotated, Any

from fastapi import Header, Query, Response
from fastapi.responses import StreamingResponse

from capably.threads.bodies import LARGEST_INT, RunCreate, RunModify, ThreadRunCreate, ToolOutputs
from capably.threads.objects import Page, Run, RunStep
from capably.threads.routes.desk import Listing, TheDesk, new_router, polled

router = new_router()
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "The run, or its events if `stream`"}
}
EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "Events"}}


@router.post("/threads/runs", response_model=Run, responses=STREAMED)
async def create_thread_and_run(body: ThreadRunCreate, response: Response, desk: TheDesk) -> Run | StreamingResponse:
    """Create a thread and a run on it."""
    started = await desk.runs.create_with_thread(body)
    return await desk.go_on(started, stream=body.stream, response=response)


@router.post("/threads/{thread_id}/runs", response_model=Run, responses=STREAMED)
async def create_run(thread_id: str, body: RunCreate, response: Response, desk: TheDesk) -> Run | StreamingResponse:
    """Create a run on a thread; it is executed in the background."""
    started = await desk.runs.create(thread_id, body)
    return await desk.go_on(started, stream=body.stream, response=response)


@router.get("/threads/{thread_id}/runs")
async def list_runs(thread_id: str, query: Listing, desk: TheDesk) -> Page[Run]:
    """List the runs of a thread."""
    return await desk.runs.list(thread_id, query)


@router.get("/threads/{thread_id}/runs/{run_id}")
async def read_run(thread_id: str, run_id: str, response: Response, desk: TheDesk) -> Run:
    """Read a run."""
    return polled(response, await desk.runs.read(thread_id, run_id))


@router.post("/threads/{thread_id}/runs/{run_id}")
async def modify_run(thread_id: str, run_id: str, body: RunModify, response: Response, desk: TheDesk) -> Run:
    """Change a run's metadata."""
    return polled(response, await desk.runs.modify(thread_id, run_id, body))


@router.post("/threads/{thread_id}/runs/{run_id}/cancel")
async def cancel_run(thread_id: str, run_id: str, response: Response, desk: TheDesk) -> Run:
    """Cancel a run that has not ended."""
    run, following = await desk.runs.cancel(thread_id, run_id)
    desk.stop(run_id)
    if following is not None:
        await desk.works.engine.start(following, ("think", str(following.turn)))
    return polled(response, run)


@router.post("/threads/{thread_id}/runs/{run_id}/submit_tool_outputs", response_model=Run, responses=STREAMED)
async def submit_tool_outputs(
    *, thread_id: str, run_id: str, body: ToolOutputs, response: Response, desk: TheDesk
) -> Run | StreamingResponse:
    """Give a run that requires action the outputs of its calls, or the approvals."""
    started = await desk.runs.submit(thread_id, run_id, body)
    return await desk.go_on(started, stream=body.stream, response=response)


@router.get("/threads/{thread_id}/runs/{run_id}/events", response_class=StreamingResponse, responses=EVENTS)
async def read_events(
    *,
    thread_id: str,
    run_id: str,
    desk: TheDesk,
    after: Annotated[int, Query(ge=0, le=LARGEST_INT)] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Read the events of a run, from the first one or after the last one seen (an addition of this service)."""
    run = await desk.runs.read(thread_id, run_id)
    return desk.stream(run.id, after if last_event_id is None else _number(last_event_id, after))


@router.get("/threads/{thread_id}/runs/{run_id}/steps")
async def list_run_steps(thread_id: str, run_id: str, query: Listing, desk: TheDesk) -> Page[RunStep]:
    """List the steps of a run."""
    return await desk.runs.steps(thread_id, run_id, query)


@router.get("/threads/{thread_id}/runs/{run_id}/steps/{step_id}")
async def read_run_step(thread_id: str, run_id: str, step_id: str, desk: TheDesk) -> RunStep:
    """Read a step of a run."""
    return await desk.runs.step(thread_id, run_id, step_id)


def _number(event_id: str, otherwise: int) -> int:
    """The number of an event; an id that is none of ours counts as not sent."""
    known = event_id.isdecimal() and len(event_id) <= len(str(LARGEST_INT))
    return min(int(event_id), LARGEST_INT) if known else otherwise
