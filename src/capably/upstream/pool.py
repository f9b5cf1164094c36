"""Connections to upstreams: opened when needed, kept while they are good, the youngest taken first."""

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial

from capably.upstream.address import Address
from capably.upstream.connection import Connection, Deadline
from capably.upstream.reply import Trouble, UpstreamError
from capably.upstream.tls import ResumingContext
from capably.upstream.tunnel import open_tunnel

_IDLE_S = 15.0  # many servers close idle connections after 15 seconds or more


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """How an address is reached: directly or through a proxy, and with which TLS settings (the usual, if none).

    Each way is one of its kind: connections are kept for it, not for ways that look the same.
    """

    address: Address
    proxy: Address | None = None
    tls: ResumingContext | None = None

    @property
    def is_relayed(self) -> bool:
        """Whether a proxy reads the request and passes it on (RFC 9112, section 3.2.2)."""
        return self.proxy is not None and not self.address.is_tls


class Pool:
    """Connections by way."""

    def __init__(self, connect_s: float) -> None:
        """Start without connections; ``connect_s`` is the longest time to open one."""
        self._connect_s = connect_s
        self._idle: dict[Way, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._usual: ResumingContext | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed: asyncio.Event | None = None

    def kept(self, way: Way) -> Connection | None:
        """A connection that is there already."""
        idle = self._idle.get(way)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    async def opened(self, way: Way, deadline: Deadline | None) -> Connection:
        """A new connection; ``deadline`` is when to give up at the latest.

        Raises:
            UpstreamError: it cannot be opened, or not in time.
        """
        connection = Connection(partial(self._keep, way), self._forget)
        until = Deadline.within(self._connect_s)
        if deadline is not None and deadline.at < until.at:
            until = deadline
        try:
            async with asyncio.timeout_at(until.at):
                await self._connect(way, connection)
        except TimeoutError as problem:
            raise until.problem from problem
        except OSError as problem:
            raise UpstreamError(
                Trouble.UNREACHABLE, f"no connection to {way.address.authority}: {problem}"
            ) from problem
        self._open.add(connection)
        return connection

    async def aclose(self) -> None:
        """Close every connection, whatever it carries."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._idle.clear()
        self._closed = asyncio.Event()
        for connection in tuple(self._open):
            connection.abort()
        if self._open:
            await self._closed.wait()

    async def _connect(self, way: Way, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        first = way.proxy or way.address
        tls = self._tls(way) if first.is_tls else None
        if way.proxy is None or way.is_relayed:
            name = first.host if tls is not None else None
            await loop.create_connection(lambda: connection, first.host, first.port, ssl=tls, server_hostname=name)
        else:
            await open_tunnel(way.proxy, way.address, connection, self._tls(way))

    def _tls(self, way: Way) -> ResumingContext:
        if way.tls is not None:
            return way.tls
        if self._usual is None:
            self._usual = ResumingContext.of()  # reads the system's certificates: once, and only for https
        return self._usual

    def _keep(self, way: Way, connection: Connection) -> None:
        loop = connection.loop
        connection.idle_since = loop.time()
        if connection.uses == 1 and way.address.is_tls:
            secured = connection.transport.get_extra_info("ssl_object")
            self._tls(way).remember(way.address.host, secured)
        self._idle.setdefault(way, []).append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(_IDLE_S, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for too long."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - _IDLE_S
        for way, idle in tuple(self._idle.items()):
            for connection in [each for each in idle if each.idle_since <= oldest]:
                connection.abort()
            left = [each for each in idle if each.idle_since > oldest]
            if left:
                self._idle[way] = left
            else:
                del self._idle[way]
        self._sweeper = loop.call_later(_IDLE_S, self._sweep) if self._idle else None

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open and self._closed is not None:
            self._closed.set()
        for idle in self._idle.values():
            with contextlib.suppress(ValueError):
                idle.remove(connection)
                return
