"""The requests that tokens are got with, and reading their answers; pure, like all of this package."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit, urlunsplit

import msgspec

from capably.upstream.auth.oauth2 import OAuth2
from capably.upstream.reply import Reply
from capably.upstream.request import Request

_BEARER = frozenset({"", "bearer", "bearertoken"})
_SHOWN = 200  # characters of a server's own words: a sentence or two
_READ = 4000  # characters of them that are looked at
_OK = 200
_UNAUTHORIZED = 401
_ABOUT_THE_CLIENT = frozenset({"invalid_client", "invalid_request", "unauthorized_client"})
_JSON = ("Accept", "application/json")


class TokenError(Exception):
    """A token endpoint that gave no token.

    ``code`` is its own word (RFC 6749, section 5.2), else the status; ``may_be_the_way`` tells that the client may have
    to authenticate in another way.
    """

    def __init__(self, code: str, description: str, status: int = 0) -> None:
        """Keep what it said, already bounded and without secrets."""
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.may_be_the_way = code in _ABOUT_THE_CLIENT or status == _UNAUTHORIZED


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. ``renew_at`` is when to get another, by the clock it was read with; never when ``None``."""

    access: str = field(repr=False)
    renew_at: float | None
    refresh: str = field(default="", repr=False)

    def is_fresh(self, now: float) -> bool:
        """Whether it may still be sent."""
        return self.renew_at is None or now < self.renew_at


def token_request(scheme: OAuth2, endpoint: str, way: str, refresh: str = "") -> Request:
    """Ask for a token (RFC 6749, sections 4.3.2, 4.4.2 and 6).

    Args:
        scheme: who asks, and for what.
        endpoint: the token endpoint.
        way: how the client authenticates: header, body or none.
        refresh: a refresh token to use instead of the grant.
    """
    grant = {"grant_type": "refresh_token" if refresh else scheme.grant, "refresh_token": refresh}
    if not refresh:
        grant |= {"refresh_token": scheme.refresh_token, "username": scheme.username, "password": scheme.password}
    asked = {"scope": scheme.scope, "audience": scheme.audience, "resource": scheme.resource}
    client = {"client_id": scheme.client_id if way != "header" else ""}
    client["client_secret"] = scheme.client_secret if way == "body" else ""
    form = urlencode({name: value for name, value in (grant | asked | client).items() if value})
    headers = [("Content-Type", "application/x-www-form-urlencoded"), _JSON]
    if way == "header":
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined
        pair = f"{quote_plus(scheme.client_id)}:{quote_plus(scheme.client_secret)}"
        headers.append(("Authorization", f"Basic {b64encode(pair.encode()).decode('ascii')}"))
    return Request("POST", endpoint, tuple(headers), form.encode())


def read_token(scheme: OAuth2, reply: Reply, now: float, refresh: str = "") -> Token:
    """The token in an answer (RFC 6749, section 5.1).

    Args:
        scheme: who asked.
        reply: the token endpoint's answer.
        now: seconds on a clock that does not jump.
        refresh: the refresh token that was used; it stays good unless another one came.

    Raises:
        TokenError: the endpoint refused, or its answer holds no token that can be used.
    """
    stated = _object(reply)
    access = stated.get("access_token")
    if reply.status != _OK or not isinstance(access, str) or not access:
        raise _refusal(scheme, reply.status, stated)
    kind = stated.get("token_type", "")
    if not isinstance(kind, str) or kind.lower() not in _BEARER:
        raise TokenError("unsupported_token_type", f"tokens of type {_shown(scheme, kind)} cannot be sent")
    if not access.isascii() or not access.isprintable():
        raise TokenError("invalid_token", "the token cannot stand in a header")
    rotated = stated.get("refresh_token")
    kept = rotated if isinstance(rotated, str) and rotated else refresh
    return Token(access, _renew_at(stated.get("expires_in"), now, scheme.margin_s), kept)


def _renew_at(expires_in: Any, now: float, margin_s: int) -> float | None:
    """When to renew: the margin before the end, but not before half of a short life is over."""
    try:
        life = float(expires_in) if not isinstance(expires_in, bool) else -1.0
    except (TypeError, ValueError):
        return None
    if not 0 < life < float("inf"):
        return None
    return now + life - min(margin_s, life / 2)


def _refusal(scheme: OAuth2, status: int, stated: Mapping[str, Any]) -> TokenError:
    code = stated.get("error")
    if not isinstance(code, str) or not code:
        what = "an answer without a token" if status == _OK else "no OAuth error"
        return TokenError(f"status {status}", what, status)
    return TokenError(_shown(scheme, code), _shown(scheme, stated.get("error_description", "")), status)


def _shown(scheme: OAuth2, told: Any) -> str:
    """A server's words as people may read them: one bounded line, without our secrets."""
    text = told[:_READ] if isinstance(told, str) else ""
    for secret in scheme.secrets:
        text = text.replace(secret, "***")
    text = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _object(reply: Reply) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def metadata_requests(issuer: str) -> tuple[Request, ...]:
    """Where an authorization server may keep its metadata (RFC 8414, sections 3.1 and 5), in the order to look."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
    paths = dict.fromkeys((f"{oauth}{path}", f"{path}{openid}", f"{path}{oauth}", f"{openid}{path}"))
    urls = (urlunsplit((parts.scheme, parts.netloc, each, "", "")) for each in paths)
    return tuple(Request("GET", url, (_JSON,), None) for url in urls)


def read_endpoint(issuer: str, reply: Reply) -> str | None:
    """The token endpoint that metadata names; ``None`` when there is no metadata here.

    Raises:
        TokenError: the metadata is somebody else's (RFC 8414, section 3.3), or its endpoint is less safe than it is.
    """
    stated = _object(reply)
    endpoint = stated.get("token_endpoint")
    if reply.status != _OK or not isinstance(endpoint, str):
        return None
    named = stated.get("issuer")
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        raise TokenError("invalid_metadata", "the authorization server's metadata names another issuer")
    if not endpoint.startswith("https://") and not (endpoint.startswith("http://") and issuer.startswith("http://")):
        raise TokenError("invalid_metadata", "the token endpoint is not an https URL")
    return endpoint
