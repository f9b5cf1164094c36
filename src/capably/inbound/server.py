"""A server: listens on a bound socket, knows its connections, ends them gracefully."""

import asyncio
import socket
import ssl

from capably.inbound.caps import BACKLOG, Caps
from capably.inbound.connection import Connection
from capably.servers.http import Application

_TICK_S = 1.0
_HANDSHAKE_S = 30.0


class Server:
    """Serves one ASGI application. It speaks HTTP only, and applications need no lifespan."""

    def __init__(self, app: Application, tls: ssl.SSLContext | None = None, caps: Caps | None = None) -> None:
        """Prepare; nothing is accepted before :meth:`start`."""
        self.app = app
        self.caps = caps or Caps()
        self.scheme = "http" if tls is None else "https"
        self.now = 0.0
        self.is_ending = False
        self.unanswered = 0
        self._tls = tls
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event | None = None

    async def start(self, sock: socket.socket) -> None:
        """Accept connections on a socket that is bound."""
        handshake_s = None if self._tls is None else _HANDSHAKE_S
        self._tick()
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), sock=sock, ssl=self._tls, ssl_handshake_timeout=handshake_s, backlog=BACKLOG
        )

    def stop_accepting(self) -> None:
        """Close the socket and every idle connection; the others are closed when they are answered."""
        if self.is_ending:
            return
        self.is_ending = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections):
            connection.finish()

    async def end(self, drain_s: float) -> None:
        """Stop accepting, and wait until every connection has ended; those that last longer are cut."""
        self.stop_accepting()
        await self._empty(drain_s)
        for connection in tuple(self._connections):
            connection.abort()
        await self._empty(None)
        if self._ticking is not None:
            self._ticking.cancel()

    @property
    def open_requests(self) -> frozenset[asyncio.Future[None]]:
        """Each is done when one of the requests that are answered just now has been answered."""
        return frozenset(open_ for each in self._connections if (open_ := each.open_request) is not None)

    async def _empty(self, seconds: float | None) -> None:
        if not self._connections:
            return
        self._emptied = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._emptied.wait()
        except TimeoutError:
            pass

    def opened(self, connection: Connection) -> bool:
        """Take a connection in; false when there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self.caps.connections and not self.is_ending

    def closed(self, connection: Connection) -> None:
        """Forget a connection that has ended, with all that it did."""
        self._connections.discard(connection)
        if not self._connections and self._emptied is not None:
            self._emptied.set()

    def _tick(self) -> None:
        """Look, about every second, which callers have taken too long."""
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        for connection in tuple(self._connections):
            connection.check_patience()
        self._ticking = loop.call_later(_TICK_S, self._tick)
