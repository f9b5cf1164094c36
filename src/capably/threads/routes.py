"""The paths of the service (Assistants API v2): each is one line of meaning over the store."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from capably.threads.bodies import (
    AssistantCreate,
    ListQuery,
    MessageCreate,
    MessageQuery,
    RunCreate,
    RunModify,
    ThreadCreate,
)
from capably.threads.broadcast import Broadcast, server_sent
from capably.threads.executor import Executor
from capably.threads.objects import Assistant, Message, Page, Run, Thread
from capably.threads.store import Store

POLL_AFTER_MS = "250"  # well below the second a client waits by itself; a run is read from one indexed row


class StrictRequest(Request):
    """A request whose JSON is read by the letter: no NaN, no lone surrogates, nothing that cannot be sent back."""

    async def json(self) -> Any:
        """The body as JSON values.

        Raises:
            json.JSONDecodeError: as the framework expects, for every way of being malformed.
        """
        if not hasattr(self, "_json"):
            try:
                self._json = msgspec.json.decode(await self.body())
            except (msgspec.DecodeError, ValueError) as fault:
                raise json.JSONDecodeError(str(fault).removeprefix("JSON is malformed: "), "", 0) from fault
            except RecursionError as fault:
                raise json.JSONDecodeError("too deeply nested", "", 0) from fault
        return self._json


class StrictRoute(APIRoute):
    """A route that reads its body with `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, given the stricter request."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _executor(request: Request) -> Executor:
    executor: Executor = request.app.state.executor
    return executor


def _broadcast(request: Request) -> Broadcast:
    broadcast: Broadcast = request.app.state.broadcast
    return broadcast


TheStore = Annotated[Store, Depends(_store)]
TheExecutor = Annotated[Executor, Depends(_executor)]
TheBroadcast = Annotated[Broadcast, Depends(_broadcast)]
Listing = Annotated[ListQuery, Query()]

# The guard checks the key before the body is read; this only says so in the OpenAPI document.
router = APIRouter(
    route_class=StrictRoute,
    strict_content_type=False,
    dependencies=[Security(HTTPBearer(auto_error=False, description="from `capably threads key create`"))],
)


@router.post("/assistants")
async def create_assistant(body: AssistantCreate, store: TheStore) -> Assistant:
    """Create an assistant."""
    return await store.create_assistant(body)


@router.get("/assistants")
async def list_assistants(query: Listing, store: TheStore) -> Page[Assistant]:
    """List assistants."""
    return await store.list_assistants(query)


@router.get("/assistants/{assistant_id}")
async def read_assistant(assistant_id: str, store: TheStore) -> Assistant:
    """Read an assistant."""
    return await store.assistant(assistant_id)


@router.post("/threads")
async def create_thread(store: TheStore, body: ThreadCreate | None = None) -> Thread:
    """Create a thread, with its first messages if given."""
    return await store.create_thread(body or ThreadCreate())


@router.get("/threads/{thread_id}")
async def read_thread(thread_id: str, store: TheStore) -> Thread:
    """Read a thread."""
    return await store.thread(thread_id)


@router.post("/threads/{thread_id}/messages")
async def create_message(thread_id: str, body: MessageCreate, store: TheStore) -> Message:
    """Add a message to a thread that has no active run."""
    return await store.add_message(thread_id, body)


@router.get("/threads/{thread_id}/messages")
async def list_messages(thread_id: str, query: Annotated[MessageQuery, Query()], store: TheStore) -> Page[Message]:
    """List the messages of a thread, or of one of its runs."""
    return await store.list_messages(thread_id, query)


@router.get("/threads/{thread_id}/messages/{message_id}")
async def read_message(thread_id: str, message_id: str, store: TheStore) -> Message:
    """Read a message."""
    return await store.message(thread_id, message_id)


@router.post(
    "/threads/{thread_id}/runs",
    response_model=Run,
    responses={200: {"content": {"text/event-stream": {}}, "description": "The run, or its events if `stream`"}},
)
async def create_run(
    *,
    thread_id: str,
    body: RunCreate,
    response: Response,
    store: TheStore,
    executor: TheExecutor,
    broadcast: TheBroadcast,
) -> Run | StreamingResponse:
    """Create a run on a thread; it is executed in the background."""
    run = await store.create_run(thread_id, body)
    if body.stream:
        # The execution belongs to the executor, so a reader that goes away does not stop it.
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        events = _events(run, executor, broadcast)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)
    executor.start(run)
    return _poll(response, run)


@router.get("/threads/{thread_id}/runs")
async def list_runs(thread_id: str, query: Listing, store: TheStore) -> Page[Run]:
    """List the runs of a thread."""
    return await store.list_runs(thread_id, query)


@router.get("/threads/{thread_id}/runs/{run_id}")
async def read_run(thread_id: str, run_id: str, response: Response, store: TheStore) -> Run:
    """Read a run."""
    return _poll(response, await store.run(thread_id, run_id))


@router.post("/threads/{thread_id}/runs/{run_id}")
async def modify_run(thread_id: str, run_id: str, body: RunModify, response: Response, store: TheStore) -> Run:
    """Change a run's metadata."""
    return _poll(response, await store.modify_run(thread_id, run_id, body))


def _poll(response: Response, run: Run) -> Run:
    if run.active:
        response.headers["openai-poll-after-ms"] = POLL_AFTER_MS
    return run


async def _events(run: Run, executor: Executor, broadcast: Broadcast) -> AsyncIterator[bytes]:
    with broadcast.listen(run.id) as queue:
        executor.start(run)
        async for data in server_sent(queue):
            yield data
