"""The composition of one Threads > Runs service: settings in, ASGI application out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI

from capably.threads.broadcast import Broadcast
from capably.threads.chat_completions import ChatCompletions
from capably.threads.database import Database, DirectoryLock
from capably.threads.executor import Executor
from capably.threads.guard import Guard
from capably.threads.keys import is_live
from capably.threads.lifecycle import Lifecycle
from capably.threads.refusals import tell_refusals
from capably.threads.responder import OfflineResponder, Responder
from capably.threads.routes import router
from capably.threads.settings import ThreadsSettings
from capably.threads.store import Store

DESCRIPTION = "Assistants, threads, messages and runs, answered by any chat-completions model and kept in one file."


def create_app(settings: ThreadsSettings) -> FastAPI:
    """The service as an ASGI application; its lifespan opens the data directory and executes the runs.

    Starting it takes up the runs an earlier process left unfinished. Stopping it waits `settings.drain` seconds
    for the runs it executes and leaves the rest to the next start.

    Args:
        settings: the choices of this service.

    Raises:
        DataDirectoryError: from the lifespan, if the data directory cannot be used.
    """
    database = Database(settings.data)
    responder = choose_responder(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(DirectoryLock(settings.data))
            await stack.enter_async_context(database)
            await stack.enter_async_context(responder)
            app.state.store = Store(database, settings.run_lifetime)
            app.state.broadcast = Broadcast()
            app.state.executor = await stack.enter_async_context(
                Executor(
                    Lifecycle(database),
                    responder,
                    app.state.broadcast,
                    at_once=settings.runs_at_once,
                    patrol=settings.patrol,
                    drain=settings.drain,
                )
            )
            yield

    # The documentation pages of the framework load scripts from elsewhere; the document itself stays.
    app = FastAPI(
        title="capably threads",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_open_paths(app, responder)
    app.include_router(router)
    app.include_router(router, prefix="/v1", include_in_schema=False)
    tell_refusals(app)

    async def opens(key: str) -> bool:
        return await is_live(database, key)

    app.add_middleware(
        Guard,
        opens=opens,
        only_loopback=settings.on_loopback,
        max_body=settings.max_body,
        advice=f"Make one with: capably threads key create --data {settings.data}",
    )
    return app


def choose_responder(settings: ThreadsSettings) -> Responder:
    """What answers: the endpoint that is set, else the offline responder."""
    if settings.model_url is None:
        return OfflineResponder()
    return ChatCompletions(settings.model_url, settings.model, settings.model_key, settings.model_timeout)


def _add_open_paths(app: FastAPI, responder: Responder) -> None:
    """What a person or a probe may read without a key."""

    @app.get("/")
    async def about() -> dict[str, Any]:
        """What this is and where to go on."""
        return {
            "service": "capably threads",
            "answers": responder.label,
            "api": "/v1/threads",
            "openapi": "/openapi.json",
            "key": "capably threads key create",
        }

    @app.get("/health")
    @app.get("/v1/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        """Whether it answers."""
        return {"status": "ok"}
