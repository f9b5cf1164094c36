"""Performs authentication schemes that need the moment of the call, and keeps what they remember.

Tokens and answers to challenges go to the upstream whose request they authenticate and nowhere else: requests are
never followed to another origin (see :mod:`capably.upstream.client`), and digest sessions are kept by origin.
"""

import secrets
import time
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import TypeAlias

from capably.upstream.auth import Scheme, wire
from capably.upstream.auth.certificate import Certificate
from capably.upstream.auth.digest import Digest, Session, answer, next_session, read_challenge
from capably.upstream.auth.oauth2 import OAuth2, authorize
from capably.upstream.auth.signer import Signer
from capably.upstream.client import Client
from capably.upstream.reply import Reply, Trouble, UpstreamError
from capably.upstream.request import Request
from capably.upstream.tls import ResumingContext, client_context
from capably.upstream.token_keeper import TokenKeeper, settled

_UNAUTHORIZED = 401  # RFC 9110, section 15.5.2
_ANSWERS = 3  # requests of one digest call: without an answer, with one, and again when its nonce was over
_SESSIONS = 1000  # digest sessions kept; a base URI with holes can lead to many origins


_Send: TypeAlias = Callable[[Request], Awaitable[Reply]]


class Authenticator:
    """Sends authenticated requests through a client."""

    def __init__(self, client: Client, fetch: _Send | None = None) -> None:
        """Start with nothing remembered.

        Args:
            client: makes the calls.
            fetch: gets tokens; the client, when left out.
        """
        self._client = client
        self._tokens = TokenKeeper(fetch or client.send, time.monotonic)
        self._sessions: dict[tuple[Digest, str], Session] = {}
        self._contexts: dict[Certificate, ResumingContext] = {}

    async def aclose(self) -> None:
        """End what is going on in the background."""
        await self._tokens.aclose()

    async def send(self, scheme: Scheme, request: Request) -> Reply:
        """Make one call with a scheme.

        Raises:
            UpstreamError: there is no usable answer, or nothing to authenticate with.
        """
        match scheme:
            case OAuth2():
                return await self._with_token(scheme, request)
            case Digest():
                return await self._with_answer(scheme, request, self._client.send)
            case Certificate():
                return await self._client.send(request, self._context(scheme))
            case _:
                return await self._client.send(_signed(scheme, request))

    async def pass_on(self, scheme: Scheme, request: Request, body: AsyncIterable[bytes] | None) -> Reply:
        """Pass a request on with a scheme, its answer as it is.

        Args:
            scheme: how to authenticate.
            request: what to send.
            body: the body while it arrives, instead of the request's; never for a scheme that has to read it.

        Raises:
            UpstreamError: there is no answer, or nothing to authenticate with.
        """
        match scheme:
            case OAuth2():
                return await self._passed_with_token(scheme, request, body)
            case Digest():
                return await self._with_answer(scheme, request, self._client.open)
            case Certificate():
                return await self._client.open(request, self._context(scheme), body)
            case _:
                return await self._client.open(_signed(scheme, request))

    async def _passed_with_token(self, scheme: OAuth2, request: Request, body: AsyncIterable[bytes] | None) -> Reply:
        """Send a token; when it is refused, once more with another unless the body is gone by then."""
        token = await self._tokens.get(scheme)
        reply = await self._client.open(authorize(request, token.access), body=body)
        if reply.status != _UNAUTHORIZED:
            return reply
        try:
            another = await self._tokens.get(scheme, refused=token)
        except BaseException:
            await settled(reply)
            raise
        if body is not None or another.access == token.access:
            return reply
        await settled(reply)
        return await self._client.open(authorize(request, another.access))

    async def _with_token(self, scheme: OAuth2, request: Request) -> Reply:
        """Send a token; when it is refused, once more with another (RFC 6750, section 3.1)."""
        token = await self._tokens.get(scheme)
        reply = await self._client.send(authorize(request, token.access))
        if reply.status != _UNAUTHORIZED:
            return reply
        reply = await settled(reply)
        another = await self._tokens.get(scheme, refused=token)
        if another.access == token.access:
            return reply
        return await self._client.send(authorize(request, another.access))

    async def _with_answer(self, scheme: Digest, request: Request, send: _Send) -> Reply:
        """Send the answer to a challenge: to the last one if there was one, else to the one that comes back."""
        place = (scheme, wire.origin(request.url))
        is_new = False
        left = _ANSWERS
        while True:
            left -= 1
            session = self._next(place)
            reply = await send(answer(scheme, session, request) if session is not None else request)
            if reply.status != _UNAUTHORIZED:
                self._keep(place, reply)
                return reply
            challenged = read_challenge(reply.headers, _nonce())
            if challenged is None or not left or (is_new and not challenged.is_stale):
                self._sessions.pop(place, None)
                return reply
            reply = await settled(reply)
            self._sessions[place] = challenged.session
            is_new = True

    def _next(self, place: tuple[Digest, str]) -> Session | None:
        """The session of an origin, with this request counted: no two requests ever have the same count."""
        session = self._sessions.get(place)
        if session is None:
            return None
        self._sessions[place] = session.next()
        return self._sessions[place]

    def _keep(self, place: tuple[Digest, str], reply: Reply) -> None:
        if place in self._sessions:
            self._sessions[place] = next_session(self._sessions[place], reply.headers, _nonce())
        while len(self._sessions) > _SESSIONS:
            del self._sessions[next(iter(self._sessions))]

    def _context(self, scheme: Certificate) -> ResumingContext:
        if scheme not in self._contexts:
            self._contexts[scheme] = client_context(scheme)
        return self._contexts[scheme]


def _signed(scheme: Signer, request: Request) -> Request:
    try:
        return scheme.sign(request, time.time(), _nonce())
    except ValueError as problem:
        told = "its key cannot sign requests"
        raise UpstreamError(Trouble.AUTH, f"{told}: {problem}", told=told) from problem


def _nonce() -> str:
    return secrets.token_hex(16)
