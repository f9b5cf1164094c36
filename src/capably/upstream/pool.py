"""Connections to upstreams: opened when needed, kept while they are good, the youngest taken first.

A pool may serve many clients, such as the documents of one process: what they call is often the same host. Proxies come
from the environment (``HTTPS_PROXY``, ``NO_PROXY``).
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self, TypeAlias
from urllib.request import getproxies, proxy_bypass

from capably.upstream.address import Address, address_of
from capably.upstream.connection import CLIENT_CLOSED, Connection, Deadline
from capably.upstream.negotiation import OFFERED, Negotiation
from capably.upstream.reply import Trouble, UpstreamError
from capably.upstream.tls import ResumingContext
from capably.upstream.tunnel import open_tunnel

if TYPE_CHECKING:
    from capably.upstream.http2 import Http2Connection
    from capably.upstream.http2_stream import Http2Stream

AnyConnection: TypeAlias = "Connection | Http2Connection"

_IDLE_S = 15.0  # many servers close idle connections after 15 seconds or more
_MOST_WAYS = 10_000


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

    @property
    def is_tls(self) -> bool:
        """Whether its connections are encrypted: those to the address, or those to the proxy that relays."""
        return self.address.is_tls or (self.proxy is not None and self.proxy.is_tls)


class Pool:
    """Connections by way; an async context manager that closes them."""

    def __init__(self, connect_s: float, proxies: Mapping[str, str] | None = None) -> None:
        """Start without connections.

        Args:
            connect_s: the longest time to open one, in seconds.
            proxies: URLs by scheme, instead of those the environment names.
        """
        self._connect_s = connect_s
        self._proxies = getproxies() if proxies is None else proxies
        self._ways: dict[tuple[str, ResumingContext | None], Way] = {}
        self._idle: dict[Way, list[Connection]] = {}
        self._open: set[AnyConnection] = set()
        self._shared: dict[Way, list[Http2Connection]] = {}
        self._opening: dict[Way, asyncio.Task[None]] = {}
        self._alone: set[Way] = set()  # those known to speak HTTP/1.1, so that calls need not wait for each other
        self._usual: ResumingContext | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._waiting: set[asyncio.Timeout] = set()  # of calls for which a connection is opened
        self._closed: asyncio.Event | None = None

    async def __aenter__(self) -> Self:
        """Begin; nothing is opened yet."""
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close every connection, whatever it carries."""
        await self.aclose()

    def way(self, origin: str, tls: ResumingContext | None) -> Way:
        """How an origin is reached, such as ``https://api.example.com``.

        Raises:
            ValueError: it is none.
        """
        way = self._ways.get((origin, tls))
        if way is None:
            address = address_of(origin)
            proxy = self._proxy(address) if self._proxies else None
            if len(self._ways) >= _MOST_WAYS:  # a base URI with holes can lead to many origins
                self._ways.clear()
                self._alone.clear()
            way = self._ways[origin, tls] = Way(address, proxy, tls)
        return way

    def _proxy(self, address: Address) -> Address | None:
        named = self._proxies.get(address.scheme)
        if not named or proxy_bypass(f"{address.host}:{address.port}"):
            return None
        return address_of(named if "://" in named else f"http://{named}")

    def kept(self, way: Way) -> "Connection | Http2Stream | None":
        """A connection that is there already, or a place on one that is shared."""
        idle = self._idle.get(way)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        for shared in self._shared.get(way, ()):
            if shared.has_room:
                return shared.stream()
        return None

    async def opened(self, way: Way, deadline: Deadline | None) -> "Connection | Http2Stream":
        """A new connection, or a place on one that is shared; ``deadline`` is when to give up at the latest.

        Raises:
            UpstreamError: it cannot be opened, or not in time.
        """
        if self._closed is not None:
            raise UpstreamError(Trouble.BROKEN, CLIENT_CLOSED)
        until = Deadline.within(self._connect_s)
        if deadline is not None and deadline.at < until.at:
            until = deadline
        try:
            async with asyncio.timeout_at(until.at) as patience:
                self._waiting.add(patience)
                try:
                    return await self._found(way)
                finally:
                    self._waiting.discard(patience)
        except TimeoutError as problem:
            if self._closed is not None:
                raise UpstreamError(Trouble.BROKEN, CLIENT_CLOSED) from None
            raise until.problem from problem
        except OSError as problem:
            reason = str(problem) or "it was closed"
            raise UpstreamError(Trouble.UNREACHABLE, f"no connection to {way.address.authority}: {reason}") from problem

    async def _found(self, way: Way) -> "Connection | Http2Stream":
        while way in self._shared or (OFFERED and way.is_tls and way not in self._alone):
            place = await self._place(way)
            if place is not None:
                return place
        connection = await self._connect(way)
        return connection.stream() if connection.is_multiplexed else connection

    def give_up(self, user: object) -> None:
        """Give up what is carried for a client; what others need goes on."""
        for connection in tuple(self._open):
            connection.give_up(user)

    async def aclose(self) -> None:
        """Close every connection, whatever it carries."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._closed = asyncio.Event()
        self._idle.clear()
        for patience in self._waiting:
            with contextlib.suppress(RuntimeError):  # it is over already
                patience.reschedule(0)
        for opening in tuple(self._opening.values()):
            opening.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        for connection in tuple(self._open):
            connection.abort()
        if self._open:
            await self._closed.wait()

    async def _place(self, way: Way) -> "Connection | Http2Stream | None":
        """What is there, at the latest once a connection has been opened: maybe nothing."""
        place = self.kept(way)
        if place is not None:
            return place
        opening = self._opening.get(way)
        if opening is None:
            opening = self._opening[way] = asyncio.ensure_future(self._share(way))
            opening.add_done_callback(partial(self._end_opening, way))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            if opening.cancelled():  # not the call that waits for it
                raise UpstreamError(Trouble.BROKEN, CLIENT_CLOSED) from None
            raise
        return self.kept(way)

    async def _share(self, way: Way) -> None:
        """Open a connection for whoever waits for one."""
        async with asyncio.timeout(self._connect_s):
            connection = await self._connect(way)
        if not connection.is_multiplexed:
            self._keep(way, connection)

    def _end_opening(self, way: Way, opening: asyncio.Task[None]) -> None:
        del self._opening[way]
        if not opening.cancelled():
            opening.exception()  # those who wait are told; there may be none

    async def _connect(self, way: Way) -> AnyConnection:
        if not (OFFERED and way.is_tls):
            connection = self._made(way)
            await self._reach(way, lambda: connection)
            self._open.add(connection)
            return connection
        negotiation = Negotiation()
        await self._reach(way, lambda: negotiation)
        if negotiation.is_http2:
            return await self._begin_http2(way, negotiation)
        connection = self._made(way)
        self._open.add(connection)
        negotiation.hand_over(connection)
        if way not in self._shared:
            self._alone.add(way)
        return connection

    def _made(self, way: Way) -> Connection:
        return Connection(partial(self._keep, way), partial(self._resume_later, way), partial(self._forget, way))

    async def _begin_http2(self, way: Way, negotiation: Negotiation) -> "Http2Connection":
        from capably.upstream.http2 import Http2Connection  # noqa: PLC0415 -- an extra

        connection = Http2Connection(partial(self._rest, way), partial(self._forget, way))
        self._open.add(connection)
        try:
            negotiation.hand_over(connection)
            await connection.ready
        except BaseException:
            connection.abort()
            raise
        if not connection.has_room:
            connection.abort()
            raise UpstreamError(Trouble.UNREACHABLE, f"{way.address.authority} takes no requests over HTTP/2")
        self._alone.discard(way)
        self._shared.setdefault(way, []).append(connection)
        self._rest(way, connection)
        return connection

    async def _reach(self, way: Way, protocol: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        first = way.proxy or way.address
        tls = self._tls(way) if first.is_tls else None
        if way.proxy is None or way.is_relayed:
            name = first.host if tls is not None else None
            await loop.create_connection(protocol, first.host, first.port, ssl=tls, server_hostname=name)
        else:
            await open_tunnel(way.proxy, way.address, protocol(), self._tls(way))

    def _tls(self, way: Way) -> ResumingContext:
        if way.tls is not None:
            return way.tls
        if self._usual is None:
            self._usual = ResumingContext.of()  # reads the system's certificates: once, and only for https
        return self._usual

    def _keep(self, way: Way, connection: Connection) -> None:
        loop = connection.loop
        connection.idle_since = loop.time()
        self._resume_later(way, connection)
        self._idle.setdefault(way, []).append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(_IDLE_S, self._sweep)

    def _resume_later(self, way: Way, connection: Connection) -> None:
        if connection.uses == 1 and way.is_tls:
            self._remember(way, connection)

    def _rest(self, way: Way, connection: "Http2Connection") -> None:
        """A shared connection carries nothing any more."""
        connection.idle_since = connection.loop.time()
        if connection.uses <= 1:  # a session is copied when it is read, which takes longer than a call
            self._remember(way, connection)
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(_IDLE_S, self._sweep)

    def _remember(self, way: Way, connection: AnyConnection) -> None:
        secured = connection.transport.get_extra_info("ssl_object")
        if secured is not None:
            self._tls(way).remember((way.address if way.address.is_tls else way.proxy or way.address).host, secured)

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
        for connections in self._shared.values():
            for shared in connections:
                if not shared.is_busy and shared.idle_since <= oldest:
                    shared.close()
        self._sweeper = loop.call_later(_IDLE_S, self._sweep) if self._idle or self._shared else None

    def _forget(self, way: Way, connection: AnyConnection) -> None:
        self._open.discard(connection)
        if not self._open and self._closed is not None:
            self._closed.set()
        if connection.is_multiplexed:
            shared = self._shared.get(way, [])
            if connection in shared:
                shared.remove(connection)
                if not shared:
                    del self._shared[way]
        else:
            with contextlib.suppress(ValueError):
                self._idle.get(way, []).remove(connection)
