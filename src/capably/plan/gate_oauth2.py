"""An OAuth 2.1 resource server: callers send access tokens that an authorization server issued for this server.

What is checked is decided here; ``servers/gatekeeper`` checks it. The block's keys are those of published versions
(``authorizationServerUri``, ``resource``, ``audience``, ``scopes``, ``tokenValidation``) and a few of ours.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from capably.upstream.auth.block import Block

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""How tokens may be signed (RFC 7518, RFC 8037, RFC 9864): by key pairs only.

Neither ``none`` nor an HMAC is ever allowed: with an HMAC, whoever knows a public key could sign.
"""

LEEWAY_S: Final = 30
"""By how many seconds clocks may differ."""
_MOST_LEEWAY_S: Final = 300
METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3
_URI = re.compile(r"https?://[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Jwks:
    """Tokens are signed (RFC 9068): the keys are at ``uri``, or where the authorization server's metadata says."""

    uri: str
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Introspection:
    """The authorization server is asked about each token (RFC 7662), at ``endpoint`` or where its metadata says.

    ``way`` is how this server authenticates itself there: header or body (RFC 6749, section 2.3.1).
    """

    endpoint: str
    client_id: str
    client_secret: str = field(repr=False)
    way: str = "header"


Validation: TypeAlias = Jwks | Introspection


@dataclass(frozen=True, slots=True)
class OAuthGate:
    """What a token must be.

    ``issuer`` is the authorization server, ``token_issuer`` what tokens call it, ``resource`` this server (RFC 8707),
    ``audience`` whom tokens must be meant for, ``scopes`` what they must grant whatever is called, ``offered`` all
    scopes that anything here needs, for the metadata (RFC 9728). ``leeway_s`` is in seconds.
    """

    issuer: str
    token_issuer: str
    resource: str
    audience: str
    scopes: tuple[str, ...]
    validation: Validation
    leeway_s: int = LEEWAY_S
    offered: tuple[str, ...] = ()

    @property
    def asked(self) -> frozenset[tuple[str, str]]:
        """Where the token is looked for; never in the query (MCP 2025-06-18, Authorization: Token Requirements)."""
        return frozenset({("header", "authorization")})

    @property
    def metadata_url(self) -> str:
        """Where clients find the metadata of this resource (RFC 9728, section 3.1)."""
        parts = urlsplit(self.resource)
        return urlunsplit((parts.scheme, parts.netloc, self.metadata_path, parts.query, ""))

    @property
    def metadata_path(self) -> str:
        """The path of the metadata: that of the resource stands behind the well-known one."""
        path = urlsplit(self.resource).path
        return METADATA_PATH + (path if path != "/" else "")


def compile_oauth_gate(block: Block) -> OAuthGate:
    """``type: oauth2`` of a server."""
    issuer = _required_url(block, "authorizationServerUri")
    resource = _required_url(block, "resource")
    return OAuthGate(
        issuer=issuer,
        token_issuer=block.text("issuer", default=issuer),
        resource=resource,
        audience=block.text("audience", default=resource),
        scopes=stated_scopes(block),
        validation=_introspection(block) if _is_asked(block) else _jwks(block),
        leeway_s=_leeway(block),
    )


def stated_scopes(block: Block) -> tuple[str, ...]:
    """The scopes every call needs."""
    scopes = tuple(dict.fromkeys(block.texts("scopes", "scope").split()))
    key = block.written("scopes", "scope") or "scopes"
    for scope in not_scopes(scopes):
        message = f"`{block.shown(key, scope)}` is no scope"
        block.refuse("AUT006", message, "scopes", "scopes are words without quotes and backslashes")
    return scopes


def not_scopes(texts: Iterable[str]) -> list[str]:
    """Those texts that cannot be a scope (RFC 6749, section 3.3)."""
    return [text for text in texts if not _SCOPE.fullmatch(text)]


def _is_asked(block: Block) -> bool:
    return block.choice(("jwks", "introspection"), "tokenValidation") == "introspection"


def _jwks(block: Block) -> Jwks:
    stated = block.texts("algorithms").split() or list(ALGORITHMS)
    for name in stated:
        if name not in ALGORITHMS:
            message = f"tokens signed with `{block.shown('algorithms', name)}` are not accepted"
            block.refuse("AUT005", message, "algorithms", f"use some of {', '.join(ALGORITHMS)}")
    return Jwks(_url(block, "jwksUri"), tuple(stated))


def _introspection(block: Block) -> Introspection:
    endpoint = _url(block, "introspectionEndpoint")
    way = block.choice(("header", "body"), "clientAuthentication")
    return Introspection(endpoint, block.secret("clientId"), block.secret("clientSecret"), way)


def _required_url(block: Block, key: str) -> str:
    if block.written(key) is None:
        block.lacks(key, f"add `{key}: https://host/path`")
    return _url(block, key)


def _url(block: Block, key: str) -> str:
    """A URL that may stand in a header: http or https, ASCII, without a fragment (RFC 8707, section 2)."""
    url = block.text(key)
    if url and "<" not in url and (not _URI.fullmatch(url) or "#" in url):
        block.refuse("AUT006", f"`{key}` is not an http or https URL", key, "it looks like https://host/path")
    return url


def _leeway(block: Block) -> int:
    stated = block.stated.leeway
    if stated is not None and not 0 <= stated <= _MOST_LEEWAY_S:
        message = f"`leeway` is a number of seconds between 0 and {_MOST_LEEWAY_S}"
        block.refuse("AUT006", message, "leeway", "set the clocks right instead: it need not be more")
    return LEEWAY_S if stated is None else stated
