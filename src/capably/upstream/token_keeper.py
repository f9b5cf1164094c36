"""Keeps OAuth 2 tokens: asks for one when there is none, early before it ends, and once for all who wait for it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from capably.upstream.auth.oauth2 import OAuth2
from capably.upstream.auth.tokens import (
    Token,
    TokenError,
    metadata_requests,
    read_endpoint,
    read_token,
    token_request,
)
from capably.upstream.reply import Reply, Trouble, UpstreamError
from capably.upstream.request import Request

Send: TypeAlias = Callable[[Request], Awaitable[Reply]]

_RENEWED = frozenset({"password", "refresh_token"})  # grants that go on with a refresh token once they have one


class TokenKeeper:
    """Tokens by scheme.

    A token is got by a task of its own that every caller waits for. A caller who gives up does not end it, and one
    that fails leaves nothing behind: the next caller begins anew, with the refresh token that was last good.
    """

    def __init__(self, send: Send, clock: Callable[[], float]) -> None:
        """Start without tokens.

        Args:
            send: makes a request; raises UpstreamError.
            clock: seconds on a clock that does not jump.
        """
        self._send = send
        self._clock = clock
        self._held: dict[OAuth2, Token] = {}
        self._getting: dict[OAuth2, asyncio.Task[Token]] = {}
        self._ways: dict[OAuth2, str] = {}
        self._endpoints: dict[OAuth2, str] = {}

    async def get(self, scheme: OAuth2, refused: Token | None = None) -> Token:
        """A token that can be sent.

        Args:
            scheme: how tokens are got.
            refused: a token the upstream no longer takes; another one is got.

        Raises:
            UpstreamError: there is no token to be had.
        """
        held = self._held.get(scheme)
        is_good = held is not None and (refused is None or held.access != refused.access)
        if held is not None and is_good and held.is_fresh(self._clock()):
            return held
        task = self._getting.get(scheme)
        if task is None:
            task = asyncio.create_task(self._get(scheme))
            self._getting[scheme] = task
            task.add_done_callback(partial(self._got, scheme))
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """End what is still being asked for."""
        tasks = list(self._getting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _got(self, scheme: OAuth2, task: "asyncio.Task[Token]") -> None:
        del self._getting[scheme]
        if not task.cancelled() and task.exception() is None:  # asking marks a failure as seen: nobody may be left
            self._held[scheme] = task.result()

    async def _get(self, scheme: OAuth2) -> Token:
        try:
            return await self._ask(scheme, await self._endpoint(scheme))
        except TokenError as problem:
            reason = f"no token from {scheme.endpoint or scheme.issuer}: {problem}"
            raise UpstreamError(Trouble.AUTH, reason, told=f"its token endpoint refused: {problem}") from problem

    async def _ask(self, scheme: OAuth2, endpoint: str) -> Token:
        held = self._held.get(scheme)
        refresh = held.refresh if held is not None and held.refresh else scheme.refresh_token
        if not refresh or scheme.grant not in _RENEWED:
            return await self._ask_in_turn(scheme, endpoint)
        try:
            return await self._ask_in_turn(scheme, endpoint, refresh)
        except TokenError:
            if scheme.grant == "refresh_token":
                raise
            return await self._ask_in_turn(scheme, endpoint)  # the user's password still stands

    async def _ask_in_turn(self, scheme: OAuth2, endpoint: str, refresh: str = "") -> Token:
        """Ask with each way of client authentication until one is taken, and remember that one."""
        known = self._ways.get(scheme)
        *others, last = (known,) if known is not None else scheme.ways
        for way in others:
            try:
                token = await self._ask_with(scheme, endpoint, way, refresh)
            except TokenError as problem:
                if not problem.may_be_the_way:
                    raise
            else:
                self._ways[scheme] = way
                return token
        token = await self._ask_with(scheme, endpoint, last, refresh)
        self._ways[scheme] = last
        return token

    async def _ask_with(self, scheme: OAuth2, endpoint: str, way: str, refresh: str) -> Token:
        reply = await self._answer(token_request(scheme, endpoint, way, refresh))
        return read_token(scheme, reply, self._clock(), refresh)

    async def _endpoint(self, scheme: OAuth2) -> str:
        """The token endpoint: stated, or named by the authorization server's metadata (RFC 8414), looked up once."""
        known = scheme.endpoint or self._endpoints.get(scheme)
        if known:
            return known
        for request in metadata_requests(scheme.issuer):
            found = read_endpoint(scheme.issuer, await self._answer(request))
            if found is not None:
                self._endpoints[scheme] = found
                return found
        raise TokenError("no_metadata", "the authorization server tells no token endpoint: state `tokenEndpoint`")

    async def _answer(self, request: Request) -> Reply:
        try:
            reply = await self._send(request)
        except UpstreamError as problem:
            what = "did not answer in time" if problem.trouble is Trouble.TIMEOUT else "cannot be reached"
            reason = f"{request.url}: {problem.trouble.value}: {problem.reason}"
            raise UpstreamError(Trouble.AUTH, reason, told=f"its token endpoint {what}") from problem
        return await settled(reply)


async def settled(reply: Reply) -> Reply:
    """The reply without what is still arriving."""
    if reply.stream is None:
        return reply
    await reply.stream.aclose()
    return Reply(reply.status, reply.headers)
