"""What a request is served with: the stores of its tenant, the engine, and JSON read by the letter."""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from capably.threads.bells import Bells
from capably.threads.bodies import ListQuery
from capably.threads.engine import Engine
from capably.threads.errors import REFUSALS
from capably.threads.objects import Run
from capably.threads.store.assistants import Assistants
from capably.threads.store.office import Office
from capably.threads.store.runs import Runs, Started
from capably.threads.store.threads import Messages, Threads
from capably.threads.streams import Streams
from capably.threads.thinking import stop_bell

POLL_AFTER_MS = "250"  # well below the second a client waits by itself; a run is read from one indexed row
STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


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


@dataclass(frozen=True, slots=True)
class Works:
    """What runs one service, made when it starts."""

    office: Callable[[str], Office]
    engine: Engine
    bells: Bells
    streams: Streams


@dataclass(frozen=True, slots=True)
class Desk:
    """One request's view of the service: that of its tenant."""

    works: Works
    office: Office

    @property
    def assistants(self) -> Assistants:
        """The tenant's assistants."""
        return Assistants(self.office)

    @property
    def threads(self) -> Threads:
        """The tenant's threads."""
        return Threads(self.office)

    @property
    def messages(self) -> Messages:
        """The messages of the tenant's threads."""
        return Messages(self.office)

    @property
    def runs(self) -> Runs:
        """The runs of the tenant's threads."""
        return Runs(self.office)

    async def go_on(self, started: Started, *, stream: bool | None, response: Response) -> Run | StreamingResponse:
        """Execute a run that can go on, and answer with it or with its events from here on."""
        if started.move is not None:
            await self.works.engine.start(started.run, started.move)
        self.works.bells.ring(started.run.id)
        if stream:
            return self.stream(started.run.id, started.seen)
        return polled(response, started.run)

    def stream(self, run_id: str, after: int) -> StreamingResponse:
        """The events of a run after a number. A reader that goes away does not stop the run."""
        events = self.works.streams.read(run_id, after)
        return StreamingResponse(events, media_type="text/event-stream", headers=STREAM_HEADERS)

    def stop(self, run_id: str) -> None:
        """Wake the execution of a run, which may have to stop, and its readers."""
        self.works.bells.ring(stop_bell(run_id))
        self.works.bells.ring(run_id)


def polled(response: Response, run: Run) -> Run:
    """A run, with the time after which to ask again while it has not ended."""
    if run.active:
        response.headers["openai-poll-after-ms"] = POLL_AFTER_MS
    return run


async def _desk(request: Request) -> Desk:
    works: Works = request.app.state.works
    return Desk(works, works.office(request.state.tenant))


TheDesk = Annotated[Desk, Depends(_desk)]
Listing = Annotated[ListQuery, Query()]


def new_router() -> APIRouter:
    """A router of paths that need a key; the guard checks it before the body is read, this only says so."""
    described = HTTPBearer(auto_error=False, description="from `capably threads key create`")
    return APIRouter(
        route_class=StrictRoute, strict_content_type=False, dependencies=[Security(described)], responses=REFUSALS
    )
