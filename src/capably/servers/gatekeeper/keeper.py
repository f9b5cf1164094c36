"""Asks callers for what a gate says."""

import hmac
import time
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qs

from capably.plan.gate import DigestGate, Gate, OpenGate, SecretGate
from capably.plan.gate_oauth2 import OAuthGate
from capably.plan.operation import ServerPlan
from capably.plan.principal import ANYBODY, Principal
from capably.servers.gatekeeper.challenges import bad_token, insufficient_scope, no_token, unknown_caller
from capably.servers.gatekeeper.claims import TokenRefusedError
from capably.servers.gatekeeper.digest import Asked, Nonces, check_digest
from capably.servers.http import Scope, header
from capably.telemetry.current import is_from
from capably.upstream.reply import Reply, Trouble, UpstreamError
from capably.upstream.request import Request

if TYPE_CHECKING:
    from capably.servers.gatekeeper.validators import TokenChecker

Fetch: TypeAlias = Callable[[Request], Awaitable[Reply]]
"""Makes a request to another server, such as an authorization server. Raises UpstreamError."""


async def ask_nobody(request: Request) -> Reply:
    """The way to ask of a gatekeeper that has none.

    Raises:
        UpstreamError: always.
    """
    raise UpstreamError(Trouble.UNREACHABLE, f"no way to reach {request.url} was given")


class Gatekeeper:
    """Keeps the gates of one document, and owns all that has to be remembered for them."""

    def __init__(self, fetch: Fetch = ask_nobody, clock: Callable[[], float] = time.time) -> None:
        """Remember nothing yet.

        Args:
            fetch: how authorization servers are asked.
            clock: seconds since 1970.
        """
        self._fetch = fetch
        self._clock = clock
        self._nonces = Nonces(clock)
        self._checkers: dict[OAuthGate, TokenChecker] = {}

    def ask_with(self, fetch: Fetch) -> None:
        """Ask authorization servers in another way from now on; what is remembered stays."""
        self._fetch = fetch

    async def _ask(self, request: Request) -> Reply:
        return await self._fetch(request)

    def prepare(self, server: ServerPlan) -> None:
        """Load what the gates of a server need, before its first caller waits for it."""
        for gate in (server.gate, *(operation.gate for operation in server.operations)):
            if isinstance(gate, OAuthGate):
                self._checker(gate)

    def _checker(self, gate: OAuthGate) -> "TokenChecker":
        found = self._checkers.get(gate)
        if found is None:
            # It brings a JOSE library, which only documents with such a gate shall wait for.
            from capably.servers.gatekeeper.validators import TokenChecker  # noqa: PLC0415

            found = self._checkers[gate] = TokenChecker(gate, self._ask, self._clock)
        return found

    async def admit(self, gate: Gate | None, scope: Scope, needed: Collection[str] = ()) -> Principal:
        """Let a request in.

        Args:
            gate: what is asked of it; ``None`` admits anybody.
            scope: the request, as ASGI tells it.
            needed: the scopes that what it asks for needs, on top of the gate's.

        Raises:
            Fault: status 401 or 403, with the challenge of the scheme; 503, when that cannot be found out.
        """
        if gate is None or isinstance(gate, OpenGate):
            return ANYBODY
        principal = await self._admitted(gate, scope, needed)
        is_from(principal.subject)
        return principal

    async def _admitted(
        self, gate: SecretGate | DigestGate | OAuthGate, scope: Scope, needed: Collection[str]
    ) -> Principal:
        if isinstance(gate, SecretGate):
            return _with_secret(gate, scope)
        if isinstance(gate, DigestGate):
            asked = Asked(scope["method"], _target(scope), header(scope, b"authorization"))
            check_digest(gate, self._nonces, asked)
            return Principal(gate.username)
        return await self._with_token(gate, scope, needed)

    async def _with_token(self, gate: OAuthGate, scope: Scope, needed: Collection[str]) -> Principal:
        scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise no_token(gate, needed)
        try:
            found = await self._checker(gate).check(token)
        except TokenRefusedError as problem:
            raise bad_token(gate, needed, str(problem)) from None
        if not found.principal.may((*gate.scopes, *needed)):
            raise insufficient_scope(gate, needed)
        return found.principal


def _with_secret(gate: SecretGate, scope: Scope) -> Principal:
    given = header(scope, gate.name.encode("latin-1")) if gate.placement == "header" else _query(scope, gate.name)
    if given is None:
        raise unknown_caller(gate)
    if gate.scheme:
        scheme, _, given = given.partition(" ")
        if scheme.lower() != gate.scheme.lower():
            raise unknown_caller(gate)
    # Headers are read as latin-1, so this gives the bytes as they came (RFC 9110, section 5.5).
    raw = given.strip().encode("latin-1" if gate.placement == "header" else "utf-8", "replace")
    if not hmac.compare_digest(raw, gate.expected):
        raise unknown_caller(gate)
    return Principal(gate.subject)


def _target(scope: Scope) -> str:
    """The target of the request line, byte for byte."""
    query = scope["query_string"]
    path = scope.get("root_path", "").encode() + scope["raw_path"]
    return bytes(path + (b"?" + query if query else b"")).decode("latin-1")


def _query(scope: Scope, name: str) -> str | None:
    values = parse_qs(scope["query_string"].decode("latin-1")).get(name)
    return values[-1] if values else None
