"""The only place that opens outbound connections.

Redirects are followed within the same origin only, so credentials never travel to another host. Bodies are capped; an
event stream is handed on as it arrives. Proxies come from the environment (``HTTPS_PROXY``, ``NO_PROXY``).
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from capably import __version__
from capably.upstream.reply import Reply, Trouble, UpstreamError
from capably.upstream.request import Request

_REDIRECTS = frozenset({301, 302, 307, 308})
_MAX_REDIRECTS = 5
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Seconds and bytes of one upstream call: connecting, the whole answer, a pause in a stream, an answer's size."""

    connect_s: float = 10.0
    answer_s: float = 60.0
    stream_idle_s: float = 300.0
    answer_bytes: int = 64 * 1024 * 1024


class Client:
    """A pool of upstream connections; an async context manager that closes them."""

    def __init__(self, limits: ClientLimits) -> None:
        """Keep the limits; connections are opened when they are needed."""
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None
        self._proxies = getproxies()

    async def __aenter__(self) -> Self:
        """Open the pool."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_s),
            headers={"User-Agent": f"capably/{__version__}"},
            skip_auto_headers=("Content-Type",),
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request, tls: ssl.SSLContext | None = None) -> Reply:
        """Make one call.

        Args:
            request: what to send.
            tls: how to open a connection that needs a certificate of ours; such connections are shared by nobody else.

        Raises:
            UpstreamError: there is no usable answer, or none in time.
        """
        with _told(self._limits):
            async with asyncio.timeout(self._limits.answer_s):
                return await self._send(request, tls)

    async def open(
        self, request: Request, tls: ssl.SSLContext | None = None, body: AsyncIterable[bytes] | None = None
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
        with _told(self._limits):
            async with asyncio.timeout(self._limits.answer_s) as patience:
                sent = request.body if body is None else _paced(body, patience, self._limits.answer_s)
                response = await self._request(request, request.url, tls, data=sent, decode=False)
        headers = tuple((name.lower(), value) for name, value in response.headers.items())
        return Reply(response.status, headers, stream=_Stream(response, self._limits))

    async def _send(self, request: Request, tls: ssl.SSLContext | None) -> Reply:
        url = request.url
        for _ in range(_MAX_REDIRECTS):
            response = await self._request(request, url, tls, data=request.body)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                return await self._reply(response, request.answer_bytes)
            response.release()
            url = _same_origin(request, url, location)
        raise UpstreamError(Trouble.REDIRECT, f"more than {_MAX_REDIRECTS} redirects")

    async def _request(
        self,
        request: Request,
        url: str,
        tls: ssl.SSLContext | None,
        *,
        data: AsyncIterable[bytes] | bytes | None,
        decode: bool = True,
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the client is used outside of its context")
        return await self._session.request(
            request.method,
            URL(url, encoded=True),
            headers=CIMultiDict(request.headers),
            data=data,
            allow_redirects=False,
            auto_decompress=decode,
            proxy=self._proxy(url) if self._proxies else None,
            ssl=tls if tls is not None else True,
        )

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        if proxy_bypass(parts.hostname or ""):
            return None
        return self._proxies.get(parts.scheme)

    async def _reply(self, response: aiohttp.ClientResponse, answer_bytes: int | None) -> Reply:
        headers = tuple((name.lower(), value) for name, value in response.headers.items())
        if response.content_type == "text/event-stream":
            return Reply(response.status, headers, stream=_Stream(response, self._limits))
        try:
            body = await _read(response, self._limits.answer_bytes if answer_bytes is None else answer_bytes)
        except UpstreamError as problem:
            response.close()
            if answer_bytes is not None:
                problem.told = f"it holds more than the {answer_bytes:,} bytes that `maxBinarySize` allows"
            raise
        except BaseException:
            response.close()
            raise
        return Reply(response.status, headers, body)


@contextlib.contextmanager
def _told(limits: ClientLimits) -> Iterator[None]:
    """Tell every failure of a call as one kind of error."""
    try:
        yield
    except (TimeoutError, aiohttp.ServerTimeoutError) as problem:
        raise UpstreamError(Trouble.TIMEOUT, f"no answer within {limits.answer_s:g} s") from problem
    except aiohttp.ClientConnectorError as problem:
        raise UpstreamError(Trouble.UNREACHABLE, str(problem)) from problem
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as problem:
        raise UpstreamError(Trouble.UNREACHABLE, f"not a URL that can be called: {problem}") from problem
    except (aiohttp.ClientError, ConnectionError) as problem:
        raise UpstreamError(Trouble.BROKEN, str(problem) or type(problem).__name__) from problem


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


async def _read(response: aiohttp.ClientResponse, cap: int) -> bytes:
    declared = response.content_length
    if declared is not None and declared > cap:
        raise UpstreamError(Trouble.TOO_LARGE, f"{declared} bytes")
    if declared is not None and "Content-Encoding" not in response.headers:
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > cap:
            raise UpstreamError(Trouble.TOO_LARGE, f"more than {cap} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _same_origin(request: Request, url: str, location: str) -> str:
    """Where a redirect leads, if it may be followed: RFC 9110, section 15.4, with our own limits."""
    try:
        target = urljoin(url, location)
        here, there = URL(url), URL(target)
        is_same = here.origin() == there.origin() and here.user == there.user
    except ValueError as problem:
        raise UpstreamError(Trouble.REDIRECT, "redirected to what is not a URL") from problem
    if not is_same:
        raise UpstreamError(Trouble.REDIRECT, f"redirected to another origin: {there.origin()}")
    if request.method not in {"GET", "HEAD"}:
        raise UpstreamError(Trouble.REDIRECT, f"a {request.method} was redirected to {there.raw_path}")
    return target


class _Stream:
    """An event stream: chunks as they come, closed by whoever reads it."""

    def __init__(self, response: aiohttp.ClientResponse, limits: ClientLimits) -> None:
        self._response = response
        self._idle_s = limits.stream_idle_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._response.content.iter_any()
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    chunk = await anext(chunks, None)
            except TimeoutError as problem:
                raise UpstreamError(Trouble.TIMEOUT, f"no event within {self._idle_s:g} s") from problem
            except (aiohttp.ClientError, ConnectionError) as problem:
                raise UpstreamError(Trouble.BROKEN, str(problem) or type(problem).__name__) from problem
            if chunk is None:
                return
            yield chunk

    async def aclose(self) -> None:
        self._response.close()
