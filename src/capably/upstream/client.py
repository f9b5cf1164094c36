"""The only way out: upstream calls over HTTP/1.1, and over HTTP/2 where the upstream picks it.

Redirects are followed within the same origin only, so credentials never travel to another host. Bodies are capped; an
event stream is handed on as it arrives. A cancelled call closes its connection, or its stream of one that carries
others.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urljoin

from capably.upstream.address import address_of, cut_url
from capably.upstream.connection import CLIENT_CLOSED, Connection, Deadline, StaleError
from capably.upstream.decoding import decoded
from capably.upstream.exchange import Exchange, Most
from capably.upstream.head import Framing, fields_of, framing_of, head_of
from capably.upstream.pool import Pool, Way
from capably.upstream.reply import Reply, Trouble, UpstreamError
from capably.upstream.request import Request
from capably.upstream.tls import ResumingContext

if TYPE_CHECKING:
    from capably.upstream.http2_stream import Http2Stream

_REDIRECTS = frozenset({301, 302, 307, 308})
_MAX_REDIRECTS = 5
_MOST_STALE = 3  # connections that were closed under a call before it is given up
_IN_TARGETS = "%/:?#[]@!$&'()*+,;=|~^{}"  # what stands in the target of a redirect as it came
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods whose request may be sent again when a kept connection was closed under it (RFC 9110, section 9.2.2)."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Seconds and bytes of one upstream call: connecting, the whole answer, a pause in a stream, an answer's size."""

    connect_s: float = 10.0
    answer_s: float = 60.0
    stream_idle_s: float = 300.0
    answer_bytes: int = 64 * 1024 * 1024


class Client:
    """Makes upstream calls within limits; an async context manager that gives up those that are not over."""

    def __init__(self, limits: ClientLimits, pool: Pool | None = None) -> None:
        """Keep the limits; connections are opened when they are needed.

        Args:
            limits: of each call.
            pool: whose connections to use; one of its own, which ends with it, when left out.
        """
        self._limits = limits
        self._pool = pool or Pool(limits.connect_s)
        self._is_owner = pool is None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        """Begin; nothing is opened yet."""
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Give up what is not over, and close the connections that nobody else has."""
        self._is_closed = True
        if self._is_owner:
            await self._pool.aclose()
        else:
            self._pool.give_up(self)

    async def send(self, request: Request, tls: ResumingContext | None = None) -> Reply:
        """Make one call.

        Args:
            request: what to send.
            tls: how to open a connection that needs a certificate of ours; such connections are shared by nobody else.

        Raises:
            UpstreamError: there is no usable answer, or none in time.
        """
        deadline = Deadline.within(self._limits.answer_s)
        url = request.url
        for _ in range(_MAX_REDIRECTS):
            exchange = await self._exchanged(request, url, tls, request.body, deadline)
            location = exchange.header("location") if exchange.status in _REDIRECTS else None
            if location is None:
                return self._reply(exchange, request)
            if exchange.stream is not None:
                await exchange.stream.aclose()
            url = _same_origin(request, url, location)
        raise UpstreamError(Trouble.REDIRECT, f"more than {_MAX_REDIRECTS} redirects")

    async def open(
        self, request: Request, tls: ResumingContext | None = None, body: AsyncIterable[bytes] | None = None
    ) -> Reply:
        """Make one call and hand everything on as it is: no redirect is followed, nothing is decoded or kept.

        The time for an answer runs while it is the upstream's turn, not while a part of the body is waited for.

        Args:
            request: what to send.
            tls: as for :meth:`send`.
            body: the body, while it arrives, instead of the request's.

        Returns:
            The reply, its body always as a stream.

        Raises:
            UpstreamError: there is no answer, or none in time.
        """
        if body is None:
            deadline = Deadline.within(self._limits.answer_s)
            exchange = await self._exchanged(request, request.url, tls, request.body, deadline, streams_all=True)
        else:
            patience = asyncio.timeout(self._limits.answer_s)
            try:
                async with patience:
                    paced = _paced(body, patience, self._limits.answer_s)
                    exchange = await self._exchanged(request, request.url, tls, paced, None, streams_all=True)
            except TimeoutError as problem:
                if not patience.expired():  # it is the body's own
                    raise
                raise UpstreamError(Trouble.TIMEOUT, f"no answer within {self._limits.answer_s:g} s") from problem
        return Reply(exchange.status, tuple(exchange.headers), stream=exchange.stream)

    async def _exchanged(
        self,
        request: Request,
        url: str,
        tls: ResumingContext | None,
        body: AsyncIterable[bytes] | bytes | None,
        deadline: Deadline | None,
        *,
        streams_all: bool = False,
    ) -> Exchange:
        """The answer to a request, over a kept connection if there is one."""
        way, target = self._way(url, tls)
        framing = framing_of(request, body)
        decodes = not streams_all and request.streams_over is None
        cap = self._limits.answer_bytes if request.answer_bytes is None else request.answer_bytes
        connection = self._pool.kept(way)
        stale = 0
        while True:
            connection = connection or await self._opened(way, deadline)
            connection.user = self
            most = Most(cap, request.streams_over, self._limits.stream_idle_s)
            exchange = Exchange(connection, request.method, most, streams_all=streams_all)
            try:
                if connection.is_multiplexed:
                    fields = fields_of(request, way, target, framing, decodes=decodes)
                    await connection.carry(exchange, fields, body, deadline)
                else:
                    head = head_of(request, way, target, framing, decodes=decodes)
                    await connection.carry(exchange, head, body, deadline, chunked=framing is Framing.CHUNKED)
            except StaleError as problem:
                stale += 1
                is_spent = body is not None and not isinstance(body, bytes)
                may_repeat = problem.is_unseen or request.method in _IDEMPOTENT
                if is_spent or not may_repeat or stale > _MOST_STALE:
                    raise UpstreamError(Trouble.BROKEN, "the upstream closed the connection") from problem
                connection = None
            except BaseException as problem:
                if not exchange.is_complete:  # else the connection is free, or another's by now
                    connection.abort()
                if isinstance(problem, UpstreamError) and problem.trouble is Trouble.TOO_LARGE:
                    is_asked = request.answer_bytes is not None
                    problem.told = (
                        f"it holds more than the {cap:,} bytes that `maxBinarySize` allows" if is_asked else ""
                    )
                raise
            else:
                return exchange

    async def _opened(self, way: Way, deadline: Deadline | None) -> "Connection | Http2Stream":
        connection = await self._pool.opened(way, deadline)
        if self._is_closed:
            connection.abort()
            raise UpstreamError(Trouble.BROKEN, CLIENT_CLOSED)
        return connection

    def _way(self, url: str, tls: ResumingContext | None) -> tuple[Way, str]:
        """How a URL is reached, and the target to ask for there."""
        origin, target = cut_url(url)
        try:
            return self._pool.way(origin, tls), target
        except ValueError as problem:
            raise UpstreamError(Trouble.UNREACHABLE, f"not a URL that can be called: {problem}") from problem

    def _reply(self, exchange: Exchange, request: Request) -> Reply:
        headers = tuple(exchange.headers)
        if exchange.stream is not None:
            return Reply(exchange.status, headers, stream=exchange.stream)
        body = exchange.chunks[0] if len(exchange.chunks) == 1 else b"".join(exchange.chunks)
        if body and exchange.header("content-encoding"):
            coding = ",".join(value for key, value in headers if key == "content-encoding")
            cap = self._limits.answer_bytes if request.answer_bytes is None else request.answer_bytes
            body = decoded(coding, body, cap)
        return Reply(exchange.status, headers, body)


async def _paced(body: AsyncIterable[bytes], patience: asyncio.Timeout, seconds: float) -> AsyncIterator[bytes]:
    """A body as it arrives; patience lasts while the upstream takes a part of it, and after the last one."""
    clock = asyncio.get_running_loop().time

    def last_until(moment: float | None) -> None:
        with contextlib.suppress(RuntimeError):  # the answer has begun before the body ended
            patience.reschedule(moment)

    last_until(None)
    async for chunk in body:
        last_until(clock() + seconds)
        yield chunk
        last_until(None)
    last_until(clock() + seconds)


def _same_origin(request: Request, url: str, location: str) -> str:
    """Where a redirect leads, if it may be followed: RFC 9110, section 15.4, with our own limits."""
    try:
        target = urljoin(url, location)
        (origin, _), (other, path) = cut_url(url), cut_url(target)
        here, there = address_of(origin), address_of(other)
    except ValueError as problem:
        raise UpstreamError(Trouble.REDIRECT, "redirected to what is not a URL") from problem
    if there not in {here, replace(here, authorization="")}:  # the upstream names no other user
        raise UpstreamError(Trouble.REDIRECT, f"redirected to another origin: {there.scheme}://{there.authority}")
    if request.method not in {"GET", "HEAD"}:
        raise UpstreamError(Trouble.REDIRECT, f"a {request.method} was redirected to {path}")
    return origin + quote(path, _IN_TARGETS, errors="surrogateescape")
