"""Upstreams that say exactly the bytes a test wants, over real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from capably.loop import _loop_factory

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of servers, and that of the standard library, on which `capably call` runs."""
    return {"asyncio": asyncio.new_event_loop, "usual": _loop_factory() or asyncio.new_event_loop}


@dataclass
class Wire:
    """An upstream: what it is sent, and how many connections it took."""

    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    resumed: list[bool] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def saying(self, *answers: bytes) -> Handle:
        """Answer each request of a connection with the next of these texts, then hang up."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in answers:
                await self.request(reader)
                writer.write(answer)
                await writer.drain()

        return handle

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """Read one request, with a body of a stated length; returns its head."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        lines = head.lower().split(b"\r\n")
        length = next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)
        self.bodies.append(await reader.readexactly(length))
        return head

    @asynccontextmanager
    async def listening(self, handle: Handle, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            secured = writer.get_extra_info("ssl_object")
            if secured is not None:
                self.resumed.append(bool(secured.session_reused))
            try:
                await handle(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                self.ended += 1
                writer.close()

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        self.scheme = "https" if tls is not None else "http"
        try:
            yield
        finally:
            server.close()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def other() -> Wire:
    return Wire()
