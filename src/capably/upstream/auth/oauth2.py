"""OAuth 2: a token is asked for with credentials, and sent until it ends (RFC 6749, RFC 6750)."""

from dataclasses import dataclass, field

from capably.upstream.auth import wire
from capably.upstream.auth.block import Block, is_stand_in
from capably.upstream.request import Request

GRANTS = ("client_credentials", "refresh_token", "password")
CLIENT_AUTHENTICATION = ("header", "body", "none")
_IN_METADATA = {"client_secret_basic": "header", "client_secret_post": "body", "none": "none"}
MARGIN_S = 60


@dataclass(frozen=True, slots=True)
class OAuth2:
    """How tokens are got.

    ``endpoint`` is the token endpoint; when it is empty the metadata of ``issuer`` names it (RFC 8414). ``ways`` are
    the ways for the client to authenticate, in the order they are tried. ``margin_s`` is how many seconds before its
    end a token is renewed.
    """

    grant: str
    endpoint: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    ways: tuple[str, ...] = CLIENT_AUTHENTICATION[:2]
    scope: str = ""
    audience: str = ""
    resource: str = ""
    refresh_token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    margin_s: int = MARGIN_S
    headers: tuple[str, ...] = ("authorization",)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may ever show."""
        return tuple(text for text in (self.client_secret, self.refresh_token, self.password) if text)

    def preview(self, request: Request) -> Request:
        """The request with a stand-in for the token."""
        return authorize(request, f"<token from {self.endpoint or self.issuer}>")


def authorize(request: Request, token: str) -> Request:
    """Add a token (RFC 6750, section 2.1)."""
    return wire.with_headers(request, ("Authorization", f"Bearer {token}"))


def compile_oauth2(block: Block) -> OAuth2:
    """``type: oauth2`` with what is needed to ask for tokens."""
    grant = block.choice(GRANTS, "grantType")
    way = _stated_way(block, grant)
    return OAuth2(
        grant=grant,
        endpoint=_url(block, "tokenEndpoint", "tokenUrl"),
        issuer=_issuer(block),
        client_id=block.secret("clientId") if way != "none" or grant == GRANTS[0] else block.text("clientId"),
        client_secret=block.secret("clientSecret") if way != "none" else "",
        ways=(way,) if way else CLIENT_AUTHENTICATION[:2],
        scope=block.texts("scope", "scopes"),
        audience=block.text("audience"),
        resource=block.text("resource"),
        refresh_token=block.secret("refreshToken") if grant == "refresh_token" else "",
        username=block.secret("username") if grant == "password" else "",
        password=block.secret("password") if grant == "password" else "",
        margin_s=_margin(block),
    )


def _stated_way(block: Block, grant: str) -> str:
    """How the client authenticates, empty when the block leaves it open; a public client has no secret to send."""
    key = block.written("clientAuthentication")
    if key is not None:
        return _IN_METADATA.get(block.text(key).lower()) or block.choice(CLIENT_AUTHENTICATION, key)
    return "none" if block.written("clientSecret") is None and grant != GRANTS[0] else ""


def _url(block: Block, *keys: str) -> str:
    key = block.written(*keys)
    if key is None:
        return ""
    url = block.text(key)
    if not is_stand_in(url) and not url.lower().startswith(("https://", "http://")) and "<" not in url:
        block.doubt("AUT006", f"`{key}` is not an http or https URL", key, "it looks like https://host/oauth2/token")
    return url


def _issuer(block: Block) -> str:
    if block.written("tokenEndpoint", "tokenUrl") is not None:
        return ""
    if block.written("authorizationServerUri") is None:
        block.lacks("tokenEndpoint", "add `tokenEndpoint: https://host/oauth2/token`, or `token` with a token of yours")
    return _url(block, "authorizationServerUri")


def _margin(block: Block) -> int:
    stated = block.stated.safety_margin
    if stated is not None and stated < 0:
        block.refuse("AUT006", "`safetyMargin` cannot be negative", "safetyMargin", "it is a number of seconds")
    return MARGIN_S if stated is None else max(stated, 0)
