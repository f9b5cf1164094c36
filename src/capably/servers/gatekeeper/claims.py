"""What a token says of itself: issuer, audience, times and scopes (RFC 9068, RFC 7662)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from capably.plan.gate_oauth2 import OAuthGate
from capably.plan.principal import Principal


class TokenRefusedError(Exception):
    """A token that is not good. The reason is one of our sentences and may be told to the caller."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller whose token is good until a moment, in seconds since 1970 (``None``: not said)."""

    principal: Principal
    until: float | None


def admitted(gate: OAuthGate, claims: Mapping[str, Any], token: str, now: float, *, needs_end: bool) -> Admitted:
    """Whom a token admits.

    Args:
        gate: what is asked of tokens.
        claims: the claims of a token whose authenticity has been established.
        token: the token, to tell callers apart that it does not name.
        now: seconds since 1970.
        needs_end: whether the token has to say when it ends, as signed ones must (RFC 9068, section 2.2).

    Raises:
        TokenRefusedError: the token is for somebody else, by somebody else, or for another time.
    """
    end = _moment(claims, "exp")
    if end is None and needs_end:
        raise TokenRefusedError("the token does not say when it ends")
    if end is not None and now >= end + gate.leeway_s:
        raise TokenRefusedError("the token has expired")
    begin = _moment(claims, "nbf")
    if begin is not None and now < begin - gate.leeway_s:
        raise TokenRefusedError("the token is not valid yet")
    _check_issuer(gate, claims.get("iss"), is_needed=needs_end)
    _check_audience(gate, claims.get("aud"))
    if claims.get("cnf") is not None:
        # Whoever stole it could not use it where it belongs, and shall not here (RFC 8705, section 3; RFC 9449).
        raise TokenRefusedError("the token is bound to a key, which this server cannot check")
    return Admitted(Principal(_subject(claims, token), _scopes(claims)), end)


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519, section 2)."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise TokenRefusedError(f"the claim {name} of the token is no moment")
    return float(value)


def _check_issuer(gate: OAuthGate, issuer: Any, *, is_needed: bool) -> None:
    if issuer is None and not is_needed:
        return
    if not isinstance(issuer, str) or issuer.rstrip("/") != gate.token_issuer.rstrip("/"):
        raise TokenRefusedError("the token is from another issuer")


def _check_audience(gate: OAuthGate, audience: Any) -> None:
    """The token must have been issued for this server (RFC 8707, section 2), or anybody's token would open it."""
    named = audience if isinstance(audience, list) else [audience]
    wanted = gate.audience.rstrip("/")
    if not any(isinstance(each, str) and each.rstrip("/") == wanted for each in named):
        raise TokenRefusedError("the token is for another audience")


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes a token grants: ``scope`` (RFC 9068, section 2.2.3), which some servers call ``scp``."""
    stated = claims.get("scope", claims.get("scp"))
    texts = stated if isinstance(stated, list) else [stated]
    return frozenset(word for text in texts if isinstance(text, str) for word in text.split())


def _subject(claims: Mapping[str, Any], token: str) -> str:
    """Who called; a token that names nobody stands for itself."""
    for name in ("sub", "client_id", "azp"):
        value = claims.get(name)
        if isinstance(value, str) and value:
            return f"{name}:{value}"
    return f"token:{fingerprint(token)}"


def fingerprint(token: str) -> str:
    """What a token is known by where the token itself must not be kept."""
    return hashlib.sha256(token.encode()).hexdigest()
