"""Listening: sockets bound before anything starts, and uvicorn servers that run and drain side by side."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

from capably.errors import CommandError


@contextlib.contextmanager
def bind(host: str, port: int, what: str, option: str) -> Iterator[socket.socket]:
    """A listening socket.

    Raises:
        CommandError: the address is taken or cannot be used; the message names the server and the option that
            moves it.
    """
    try:
        family, _kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as problem:
        message = f"{what} cannot listen on {host}: {problem.strerror or problem}"
        raise CommandError(message, "name an address of this machine with --host ADDR") from problem
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(address)
            sock.listen(2048)
        except OSError as problem:
            message = f"{what} cannot listen on {host}:{port}: {problem.strerror or problem}"
            raise CommandError(message, f"stop what uses it, or move this server with {option}") from problem
        sock.setblocking(False)
        yield sock


class QuietServer(uvicorn.Server):
    """A uvicorn server for one of our applications: it leaves signals and logging to whoever runs it."""

    def __init__(self, app: Any, drain_s: float) -> None:
        """Serve an ASGI application; on stopping, open requests get ``drain_s`` seconds to end."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(drain_s),
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install nothing."""
        yield


@contextlib.asynccontextmanager
async def serving(server: uvicorn.Server, sock: socket.socket) -> AsyncIterator[None]:
    """Run a server on a bound socket while the context lasts; leaving it lets open requests end.

    Raises:
        CommandError: the server stopped while it was starting.
    """
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        while not server.started:
            if task.done():
                await task
                raise CommandError("a server stopped while it was starting")
            await asyncio.sleep(0.001)
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({task})
