"""An authorization server as a resource server sees it: its metadata, its keys, and what it says of tokens.

Everything is asked for when it is needed first, by one request however many callers wait, and kept for a while. What
callers send cannot make this server ask more often: unknown keys are looked for once in :data:`PATIENCE_S`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from capably.plan.outcome import Fault
from capably.servers.gatekeeper.signatures import Key, read_keys
from capably.upstream.auth.tokens import metadata_requests
from capably.upstream.reply import Reply, UpstreamError
from capably.upstream.request import Request

_log = logging.getLogger("capably.gatekeeper")

Fetch: TypeAlias = Callable[[Request], Awaitable[Reply]]
"""Makes a request to another server. Raises :class:`UpstreamError`."""

LIFE_S: Final = 300.0
"""How long keys and metadata are kept before they are asked for again."""
STALE_S: Final = 3600.0
"""How long old keys may be used while the authorization server does not answer."""
PATIENCE_S: Final = 30.0
"""How long to wait before keys are looked for again that were not there, or a server that did not answer is asked."""
_TIMEOUT_S: Final = 10.0
_LARGEST: Final = 512 * 1024
_OK: Final = 200
_JSON: Final = ("Accept", "application/json")


class AuthorityError(Exception):
    """The authorization server gives no usable answer; why, for the log."""


def unavailable() -> Fault:
    """What callers are told while the authorization server cannot be asked."""
    detail = "its authorization server gives no usable answer: try again later"
    headers = (("retry-after", str(int(PATIENCE_S))),)
    return Fault(503, "authorization-unavailable", "The caller cannot be checked now", detail, headers=headers)


async def ask(fetch: Fetch, request: Request) -> Reply:
    """A whole, bounded answer in bounded time.

    Raises:
        AuthorityError: there is none.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reply = await fetch(request)
    except UpstreamError as problem:
        raise AuthorityError(f"{request.url}: {problem.reason}") from problem
    except TimeoutError as problem:
        raise AuthorityError(f"{request.url}: no answer within {_TIMEOUT_S:g} s") from problem
    if reply.stream is not None:
        await reply.stream.aclose()
        raise AuthorityError(f"{request.url}: an endless answer")
    return reply


def json_object(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer; empty when it is none."""
    try:
        value = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where an authorization server says that things are; empty for what it does not say."""

    jwks_uri: str = ""
    introspection_endpoint: str = ""


class Moment:
    """When something was done last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """It was never done."""
        self._clock = clock
        self._at = float("-inf")

    def mark(self) -> None:
        """It is done now."""
        self._at = self._clock()

    def is_past(self, seconds: float) -> bool:
        """Whether it is longer ago than that; when the clock was set back, everything is."""
        return not 0 <= self._clock() - self._at < seconds


class Discovery:
    """The metadata of one authorization server (RFC 8414, OpenID Connect Discovery)."""

    def __init__(self, issuer: str, fetch: Fetch, clock: Callable[[], float]) -> None:
        """Ask nothing yet."""
        self._issuer = issuer
        self._fetch = fetch
        self._read = Moment(clock)
        self._tried = Moment(clock)
        self._turn = asyncio.Lock()
        self._metadata: Metadata | None = None
        self._problem = ""

    async def metadata(self) -> Metadata:
        """The metadata, asked for anew after :data:`STALE_S`.

        Raises:
            AuthorityError: it is not to be had, or another server's (RFC 8414, section 3.3).
        """
        async with self._turn:
            if self._read.is_past(STALE_S) and self._tried.is_past(PATIENCE_S):
                self._tried.mark()
                try:
                    self._metadata = await self._find()
                    self._read.mark()
                except AuthorityError as problem:
                    self._problem = str(problem)
        if self._metadata is None:
            raise AuthorityError(self._problem)
        return self._metadata

    async def _find(self) -> Metadata:
        for request in metadata_requests(self._issuer):
            reply = await ask(self._fetch, Request("GET", request.url, request.headers, None, _LARGEST))
            stated = json_object(reply) if reply.status == _OK else {}
            named = stated.get("issuer")
            if not isinstance(named, str):
                continue
            if named.rstrip("/") != self._issuer.rstrip("/"):
                raise AuthorityError(f"{request.url} is the metadata of another issuer, {named[:200]!r}")
            return Metadata(self._url(stated, "jwks_uri"), self._url(stated, "introspection_endpoint"))
        raise AuthorityError(f"{self._issuer} has no metadata: state `jwksUri` or `introspectionEndpoint`")

    def _url(self, stated: dict[str, Any], name: str) -> str:
        """A URL that is as safe as the issuer's own."""
        url = stated.get(name, "")
        if not isinstance(url, str) or not url:
            return ""
        is_safe = url.startswith("https://") or (url.startswith("http://") and self._issuer.startswith("http://"))
        if not is_safe:
            raise AuthorityError(f"`{name}` in the metadata of {self._issuer} is not an https URL")
        return url


class KeyRing:
    """The keys of one authorization server."""

    def __init__(self, uri: str, discovery: Discovery, fetch: Fetch, clock: Callable[[], float]) -> None:
        """Ask nothing yet.

        Args:
            uri: where the keys are; when empty, the metadata says.
            discovery: the metadata of the server.
            fetch: makes a request.
            clock: seconds since any moment.
        """
        self._uri = uri
        self._discovery = discovery
        self._fetch = fetch
        self._keys: tuple[Key, ...] = ()
        self._succeeded = Moment(clock)
        self._tried = Moment(clock)
        self._looked = Moment(clock)
        self._turn = asyncio.Lock()

    async def keys(self) -> tuple[Key, ...]:
        """The keys, not older than :data:`LIFE_S` while the server answers.

        Raises:
            AuthorityError: there are none to be had.
        """
        if not self._succeeded.is_past(LIFE_S):
            return self._keys
        async with self._turn:
            if self._succeeded.is_past(LIFE_S) and self._tried.is_past(PATIENCE_S):
                await self._read()
        if self._succeeded.is_past(STALE_S):
            raise AuthorityError("its keys could not be read")
        return self._keys

    async def newer_keys(self, known: tuple[Key, ...]) -> tuple[Key, ...]:
        """The keys, asked for anew because ``known`` lack one, unless that was done a moment ago."""
        async with self._turn:
            if self._keys is known and self._looked.is_past(PATIENCE_S):
                self._looked.mark()
                await self._read()
        return self._keys

    async def _read(self) -> None:
        """Read the keys; where that fails, keep those there are."""
        self._tried.mark()
        try:
            uri = self._uri or (await self._discovery.metadata()).jwks_uri
            if not uri:
                raise AuthorityError("its metadata names no `jwks_uri`: state `jwksUri`")  # noqa: TRY301
            reply = await ask(self._fetch, Request("GET", uri, (_JSON,), None, _LARGEST))
            if reply.status != _OK:
                raise AuthorityError(f"{uri}: status {reply.status}")  # noqa: TRY301
            keys = read_keys(reply.body)
        except (AuthorityError, ValueError) as problem:
            _log.warning("no keys of the authorization server: %s", problem)
            return
        self._keys = keys
        self._succeeded.mark()
