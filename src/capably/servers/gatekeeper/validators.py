"""How a token is found good: by its signature, or by asking the authorization server."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote_plus, urlencode

from capably.plan.gate_oauth2 import Introspection, Jwks, OAuthGate
from capably.servers.gatekeeper.authority import (
    AuthorityError,
    Discovery,
    Fetch,
    KeyRing,
    ask,
    json_object,
    unavailable,
)
from capably.servers.gatekeeper.claims import Admitted, TokenRefusedError, admitted, fingerprint
from capably.servers.gatekeeper.signatures import LONGEST_TOKEN, fitting, read_header, verified_claims
from capably.upstream.request import Request

_log = logging.getLogger("capably.gatekeeper")

KEPT_S: Final = 30.0
"""How long a token that was found good is taken without being checked anew: a revoked one works no longer than that."""
_MOST_KEPT: Final = 4096
_TURNS: Final = 32
_LARGEST: Final = 256 * 1024
_OK: Final = 200


class SignedTokens:
    """Tokens are JWTs, signed with a key of the authorization server (RFC 9068)."""

    def __init__(self, gate: OAuthGate, validation: Jwks, ring: KeyRing) -> None:
        """Check with the keys of a ring."""
        self._gate = gate
        self._algorithms = validation.algorithms
        self._ring = ring

    async def check(self, token: str, now: float) -> Admitted:
        """Whom a token admits; see :func:`admitted`.

        Raises:
            TokenRefusedError: nobody.
            AuthorityError: there are no keys to check it with.
        """
        header = read_header(token, self._algorithms)
        keys = await self._ring.keys()
        if not fitting(keys, header):
            keys = await self._ring.newer_keys(keys)
        claims = verified_claims(token, header, fitting(keys, header))
        return admitted(self._gate, claims, token, now, needs_end=True)


class IntrospectedTokens:
    """The authorization server is asked about tokens (RFC 7662)."""

    def __init__(self, gate: OAuthGate, validation: Introspection, discovery: Discovery, fetch: Fetch) -> None:
        """Ask with the credentials of this server."""
        self._gate = gate
        self._validation = validation
        self._discovery = discovery
        self._fetch = fetch

    async def check(self, token: str, now: float) -> Admitted:
        """Whom a token admits; see :func:`admitted`.

        Raises:
            TokenRefusedError: nobody.
            AuthorityError: the authorization server does not say.
        """
        if len(token) > LONGEST_TOKEN:
            raise TokenRefusedError("the token is too long")
        endpoint = self._validation.endpoint or (await self._discovery.metadata()).introspection_endpoint
        if not endpoint:
            raise AuthorityError("its metadata names no `introspection_endpoint`: state `introspectionEndpoint`")
        reply = await ask(self._fetch, introspection_request(self._validation, endpoint, token))
        claims = json_object(reply)
        if reply.status != _OK or not isinstance(claims.get("active"), bool):
            raise AuthorityError(f"{endpoint}: status {reply.status}, no answer to an introspection")
        if not claims["active"]:
            raise TokenRefusedError("the token is not active")
        return admitted(self._gate, claims, token, now, needs_end=False)


def introspection_request(validation: Introspection, endpoint: str, token: str) -> Request:
    """Ask about a token (RFC 7662, section 2.1); this server authenticates itself as RFC 6749, section 2.3.1 has it."""
    form: Mapping[str, str] = {"token": token, "token_type_hint": "access_token"}
    headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
    if validation.way == "header":
        pair = f"{quote_plus(validation.client_id)}:{quote_plus(validation.client_secret)}"
        headers.append(("Authorization", f"Basic {b64encode(pair.encode()).decode('ascii')}"))
    else:
        form = {**form, "client_id": validation.client_id, "client_secret": validation.client_secret}
    return Request("POST", endpoint, tuple(headers), urlencode(form).encode(), _LARGEST)


class TokenChecker:
    """Checks tokens for one gate, and remembers for a while which were good; never the tokens themselves."""

    def __init__(self, gate: OAuthGate, fetch: Fetch, clock: Callable[[], float]) -> None:
        """Ask nothing yet."""
        self._clock = clock
        self._good: dict[str, tuple[Admitted, float]] = {}
        self._turns = tuple(asyncio.Lock() for _ in range(_TURNS))
        discovery = Discovery(gate.issuer, fetch, clock)
        self._gate = gate
        self._tokens: SignedTokens | IntrospectedTokens
        if isinstance(gate.validation, Jwks):
            ring = KeyRing(gate.validation.uri, discovery, fetch, clock)
            self._tokens = SignedTokens(gate, gate.validation, ring)
        else:
            self._tokens = IntrospectedTokens(gate, gate.validation, discovery, fetch)

    async def check(self, token: str) -> Admitted:
        """Whom a token admits.

        Raises:
            TokenRefusedError: nobody.
            Fault: status 503, the authorization server cannot be asked.
        """
        name = fingerprint(token)
        found = self._kept(name)
        if found is not None:
            return found
        # Callers with one token wait for one check; and no more checks than turns go on at a time.
        async with self._turns[int(name[:8], 16) % _TURNS]:
            found = self._kept(name)
            if found is None:
                found = await self._checked(token)
                self._keep(name, found)
            return found

    async def _checked(self, token: str) -> Admitted:
        try:
            return await self._tokens.check(token, self._clock())
        except AuthorityError as problem:
            _log.warning("tokens of %s cannot be checked: %s", self._gate.issuer, problem)
            raise unavailable() from problem

    def _kept(self, name: str) -> Admitted | None:
        found = self._good.get(name)
        if found is None:
            return None
        now = self._clock()
        until = found[0].until
        if 0 <= now - found[1] < KEPT_S and (until is None or now < until + self._gate.leeway_s):
            return found[0]
        del self._good[name]
        return None

    def _keep(self, name: str, found: Admitted) -> None:
        if len(self._good) >= _MOST_KEPT:
            del self._good[next(iter(self._good))]
        self._good[name] = (found, self._clock())
