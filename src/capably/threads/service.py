"""The composition of one Threads > Runs service: settings in, ASGI application out."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from capably.threads.bells import Bells, connected
from capably.threads.database import Database, DirectoryLock, locate
from capably.threads.dialect import Aimlapi
from capably.threads.engine import Engine, running_engine
from capably.threads.forgetting import Forgetting
from capably.threads.guard import Guard
from capably.threads.keys import holder
from capably.threads.lifecycle import Lifecycle
from capably.threads.mcp_client import McpClient
from capably.threads.models import Models
from capably.threads.moves import Move
from capably.threads.objects import Run, new_id, new_uuid
from capably.threads.rates import Rates
from capably.threads.refusals import tell_refusals
from capably.threads.routes import assistants, pages, runs, threads
from capably.threads.routes.desk import Works
from capably.threads.settings import ThreadsSettings
from capably.threads.store.office import Office
from capably.threads.streams import Streams
from capably.threads.thinking import Thinker
from capably.threads.toolbox import Toolbox
from capably.threads.upkeep import Upkeep

DESCRIPTION = (
    "Assistants, threads, messages and runs for any chat-completions model, kept in one file or in PostgreSQL. Every"
    " path is also served below `/v1`."
)


class Service:
    """One service: what its parts share, and their life in the right order.

    Args:
        settings: the choices of this service.
    """

    def __init__(self, settings: ThreadsSettings) -> None:
        self.settings = settings
        self.database = Database(locate(settings.data, settings.database))
        self.models = Models(settings.models)
        self.bells = Bells()
        self.streams = Streams(self.database, self.bells)
        self._toolbox_client = McpClient()
        self._engine: Engine | None = None
        self.lifecycle = Lifecycle(self.database, self.bells, time.time, self._start)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Works]:
        """The running service. Runs an earlier process left are taken up; at the end the unfinished ones are left.

        Raises:
            DataDirectoryError: if the database cannot be used.
            EngineBusyError: if another service runs in this process.
        """
        settings = self.settings
        async with AsyncExitStack() as stack:
            if self.database.is_sqlite:
                stack.enter_context(DirectoryLock(settings.data))
            await stack.enter_async_context(self.database)
            if not self.database.is_sqlite:
                await stack.enter_async_context(connected(self.bells, self.database.url))
            await stack.enter_async_context(self.models)
            await stack.enter_async_context(self._toolbox_client)
            engine = running_engine(self.database.url, self._thinker, at_once=settings.runs_at_once)
            self._engine = await stack.enter_async_context(engine)
            forgetting = Forgetting(
                self.database,
                self._engine,
                time.time,
                keep_events=settings.keep_events,
                keep_threads=settings.keep_threads,
            )
            upkeep = Upkeep(
                self.database,
                self.lifecycle,
                self._engine,
                self.bells,
                pause=settings.patrol,
                forgetting=forgetting,
            )
            await stack.enter_async_context(upkeep)
            yield Works(self._office, self._engine, self.bells, self.streams)

    def _office(self, tenant: str) -> Office:
        identify = new_uuid if self.settings.dialect == "aimlapi" else new_id
        return Office(self.database, tenant, self.settings.run_lifetime, identify)

    def _thinker(self, _engine: Engine) -> Thinker:
        toolbox = Toolbox(self._toolbox_client, self.settings.may_ask)
        at_once = self.settings.runs_at_once
        return Thinker(self.lifecycle, self.models, toolbox, self.bells, at_once=at_once, clock=time.time)

    async def _start(self, run: Run, move: Move) -> None:
        if self._engine is not None:
            await self._engine.start(run, move)

    async def stop(self) -> None:
        """Let the runs end as long as `drain` says, and tell the readers of the others; doing it twice is harmless."""
        if self._engine is not None:
            await self._engine.stop(self.settings.drain)
        self.streams.stop()


class _Application(FastAPI):
    """The framework's application, whose document leaves out the 422 that `tell_refusals` never answers with."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        for unused in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(unused, None)
        return document


def create_app(settings: ThreadsSettings) -> FastAPI:
    """The service as an ASGI application; its lifespan opens the database and executes the runs.

    Args:
        settings: the choices of this service.

    Raises:
        DataDirectoryError: from here or the lifespan, if the database cannot be used.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.open() as works:
            app.state.works = works
            yield

    # The documentation pages of the framework load scripts from elsewhere; `pages` has one that does not.
    app = _Application(
        title="capably threads",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    routers = (pages.router, assistants.router, runs.router, threads.router)
    for router in routers:
        app.include_router(router)
    tell_refusals(app, [route for router in routers for route in router.routes])
    _guard(app, service)
    if settings.dialect == "aimlapi":
        app.add_middleware(Aimlapi)
    return app


def _guard(app: FastAPI, service: Service) -> None:
    settings = service.settings
    where = "--database URL" if settings.database else f"--data {settings.data}"
    app.add_middleware(
        Guard,
        holder=partial(holder, service.database),
        rates=Rates(settings.rate),
        only_loopback=settings.on_loopback,
        max_body=settings.max_body,
        advice=f"Make one with: capably threads key create {where}",
    )
