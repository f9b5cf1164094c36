"""Who may call: an ``authentication`` block under ``exposes`` becomes a gate that each request must pass.

A gate is a frozen value that says what is asked of callers; ``servers/gatekeeper`` asks. Schemes: bearer (RFC 6750),
basic (RFC 7617), API keys in a header or a query parameter, digest (RFC 7616), and OAuth 2.1 resource servers
(:mod:`capably.plan.gate_oauth2`).
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from capably.diagnostics import Diagnostic, did_you_mean, error
from capably.model.auth import Authentication
from capably.plan.gate_oauth2 import OAuthGate, compile_oauth_gate
from capably.upstream.auth.block import Block, Reveal, fold

Asked: TypeAlias = frozenset[tuple[str, str]]
"""Places (header or query) and names of what a server asks of its callers; it goes no further than this server."""

REALM: Final = "capably"


@dataclass(frozen=True, slots=True)
class SecretGate:
    """Callers send a secret: ``expected`` in a header or in a query parameter.

    ``scheme`` is the word before the credentials (``Bearer``), empty for API keys; ``challenge`` is the
    WWW-Authenticate header of a refusal (RFC 9110, section 11.6.1), empty when the scheme has none. ``subject`` names
    whoever has the secret.
    """

    placement: str
    name: str
    scheme: str
    challenge: str
    expected: bytes = field(repr=False)
    subject: str = ""

    @property
    def asked(self) -> Asked:
        """Where the secret is looked for."""
        return frozenset({(self.placement, self.name)})


@dataclass(frozen=True, slots=True)
class DigestGate:
    """Callers prove that they know a password without sending it."""

    username: str
    password: str = field(repr=False)

    @property
    def asked(self) -> Asked:
        """Where the proof is looked for."""
        return frozenset({("header", "authorization")})


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Nobody is asked: an operation that everybody may call, on a server that is not open."""

    @property
    def asked(self) -> Asked:
        """Nothing."""
        return frozenset()


Gate: TypeAlias = SecretGate | DigestGate | OAuthGate | OpenGate


def scheme_of(gate: Gate | None) -> str:
    """The scheme that callers are asked for, as documents name it; ``none`` where they are not asked."""
    if isinstance(gate, SecretGate):
        return gate.scheme.lower() or "apikey"
    return {DigestGate: "digest", OAuthGate: "oauth2"}.get(type(gate), "none")


def is_open(block: Authentication | None) -> bool:
    """Whether nobody is asked who they are: without a block, and with ``type: none``."""
    return block is None or fold(block.type) == "none"


def compile_gate(stated: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Gate | None:
    """The gate a block that is not open states; ``None`` (and a diagnostic) when it cannot be kept."""
    name = fold(stated.type)
    scheme = _SCHEMES.get(_ALIASES.get(name, name))
    if scheme is None:
        message = f"callers cannot be authenticated with `{stated.type}`: the server would be open"
        known = f"use {', '.join(_SCHEMES)}; or remove `authentication` to serve it without"
        found.append(error("DOC014", message, stated.value_span("type"), *did_you_mean(stated.type, _SCHEMES), known))
        return None
    told: list[Diagnostic] = []
    gate = scheme(Block(stated, reveal, told))
    found += told
    return None if any(item.is_error for item in told) else gate


def bearer_gate(token: str) -> SecretGate:
    """The gate that a bearer token opens (RFC 6750)."""
    return SecretGate("header", "authorization", "Bearer", f'Bearer realm="{REALM}"', token.encode(), "bearer")


def _bearer(block: Block) -> SecretGate:
    return bearer_gate(block.secret("token", "value"))


def _basic(block: Block) -> SecretGate:
    username, password = block.secret("username"), block.secret("password")
    challenge = f'Basic realm="{REALM}", charset="UTF-8"'
    expected = b64encode(f"{username}:{password}".encode())
    return SecretGate("header", "authorization", "Basic", challenge, expected, username)


def _apikey(block: Block) -> SecretGate:
    name = block.text("key", "name", "header")
    if not name:
        block.lacks("key", "add `key:` with the name of the header or query parameter")
    value = block.secret("value")
    where = block.written("placement", "in")
    placement = block.text(where).lower() if where is not None else "header"
    if where is not None and placement not in {"header", "query"}:
        message = f"a caller's API key cannot be in `{block.shown(where, placement)}`"
        block.refuse("AUT003", message, where, "header or query")
    if placement == "header" and name:
        block.names_header(name, block.written("key", "name", "header") or "key")
    return SecretGate(placement, name.lower() if placement == "header" else name, "", "", value.encode(), name)


def _digest(block: Block) -> DigestGate:
    return DigestGate(block.secret("username"), block.secret("password"))


_SCHEMES: Final[Mapping[str, Callable[[Block], Gate | None]]] = MappingProxyType(
    {
        "bearer": _bearer,
        "basic": _basic,
        "apikey": _apikey,
        "digest": _digest,
        "oauth2": compile_oauth_gate,
    }
)
_ALIASES: Final = MappingProxyType({"oauth": "oauth2", "oauth20": "oauth2", "oauth21": "oauth2"})
