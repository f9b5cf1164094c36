"""The HTTP server of the service: one that ends its streams when it stops, instead of waiting for them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from capably.threads.service import Service

GRACE = 3  # seconds a stopping server waits for answers that are being sent


class ThreadsServer(uvicorn.Server):
    """Serves an application made by `create_app`.

    A server waits for open answers before it tells its application to stop. A streamed run is such an answer, and
    only the application can end it, so here it is told first.
    """

    def __init__(self, app: FastAPI, *, host: str = "127.0.0.1", port: int = 8890) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                lifespan="on",
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._app = app

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install nothing: signals belong to whoever runs this server, perhaps beside others."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the runs end, tell the readers of the others, then close."""
        service: Service = self._app.state.service
        await service.stop()
        await super().shutdown(sockets)
