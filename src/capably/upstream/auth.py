"""How requests are authenticated: an authentication block becomes headers or a query parameter of every request."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from capably.diagnostics import Diagnostic, Span, did_you_mean, error
from capably.document import Scalar
from capably.model.auth import Authentication

Reveal: TypeAlias = Callable[[str, Span], str]
"""Gives the text of a secret for its template."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who we are, ready to be added to a request: header and query pairs."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cookies: tuple[tuple[str, str], ...] = field(default=(), repr=False)


NO_CREDENTIALS = Credentials()


def compile_credentials(block: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Credentials:
    """The credentials an authentication block states; problems are added to ``found``."""
    scheme = _SCHEMES.get(block.type.lower())
    if scheme is None:
        span = block.value_span("type")
        message = f"requests cannot be authenticated with `{block.type}`"
        found.append(error("AUT001", message, span, *did_you_mean(block.type, ("bearer", "basic", "apikey"))))
        return NO_CREDENTIALS
    return scheme(block, reveal, found)


def _secret(block: Authentication, key: str, reveal: Reveal, found: list[Diagnostic]) -> str:
    node = block.node.get(key)
    if isinstance(node, Scalar) and node.value == "" and key == "username":
        return ""  # a password alone, as tokens for some APIs are
    if not isinstance(node, Scalar) or node.value is None or not node.text.strip():
        message = f"`{block.type}` authentication needs `{key}`"
        found.append(error("AUT002", message, block.value_span(key), f"add `{key}: '{{{{env.NAME}}}}'` and a bind"))
        return ""
    return reveal(node.text, node.span)


def _bearer(block: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Credentials:
    # RFC 6750, section 2.1
    key = "value" if block.token is None and block.value is not None else "token"
    return Credentials(headers=(("Authorization", f"Bearer {_secret(block, key, reveal, found)}"),))


def _basic(block: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Credentials:
    # RFC 7617, section 2
    pair = f"{_secret(block, 'username', reveal, found)}:{_secret(block, 'password', reveal, found)}"
    shown = pair if pair.startswith("<") and pair.endswith(">") else b64encode(pair.encode()).decode("ascii")
    return Credentials(headers=(("Authorization", f"Basic {shown}"),))


def _apikey(block: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Credentials:
    name = block.header or block.key_ or block.name
    holds_secret = "key" if block.header and block.value is None and block.key_ is not None else "value"
    value = _secret(block, holds_secret, reveal, found)
    if not name:
        advice = "add `key:` with the name of the header or query parameter"
        found.append(error("AUT002", "`apikey` authentication needs `key`", block.node.span, advice))
        return NO_CREDENTIALS
    placement = (block.placement or block.in_ or "header").lower()
    pair = ((name, value),)
    places = {
        "header": Credentials(headers=pair),
        "query": Credentials(query=pair),
        "cookie": Credentials(cookies=pair),
    }
    if placement not in places:
        span = block.value_span("placement" if block.placement else "in")
        message = f"an API key cannot be placed in `{placement}`"
        found.append(error("AUT003", message, span, *did_you_mean(placement, places)))
        return NO_CREDENTIALS
    return places[placement]


_SCHEMES: dict[str, Callable[[Authentication, Reveal, list[Diagnostic]], Credentials]] = {
    "bearer": _bearer,
    "basic": _basic,
    "apikey": _apikey,
    "header": _apikey,
}
