"""OAuth 1.0a: each request is signed with the client's and the token's secret (RFC 5849)."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes, urlsplit

from capably.upstream.auth import rsa, wire
from capably.upstream.auth.block import Block
from capably.upstream.request import Request

METHODS = (
    *("HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512"),
    *("RSA-SHA1", "RSA-SHA256", "RSA-SHA512"),
    "PLAINTEXT",
)
_RSA = "RSA-"


@dataclass(frozen=True, slots=True)
class OAuth1:
    """A client and the token it acts for; ``method`` is one of ``METHODS``. Signs as a ``Signer``."""

    consumer_key: str
    consumer_secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    token_secret: str = field(default="", repr=False)
    method: str = METHODS[0]
    realm: str = ""
    private_key: str = field(default="", repr=False)
    body_hash: bool = False
    headers: tuple[str, ...] = ("authorization",)

    def preview(self, request: Request) -> Request:
        """The request with a stand-in for the signature."""
        return wire.with_headers(request, ("Authorization", f"OAuth <signed with {self.method} when it is sent>"))

    def sign(self, request: Request, now: float, nonce: str) -> Request:
        """Add the ``Authorization`` header of RFC 5849, section 3.5.1."""
        stated = {
            "oauth_consumer_key": self.consumer_key,
            "oauth_nonce": nonce,
            "oauth_signature_method": self.method,
            "oauth_timestamp": str(int(now)),
            "oauth_version": "1.0",
        }
        if self.token:
            stated["oauth_token"] = self.token
        if self.body_hash and not wire.is_form(request):
            stated["oauth_body_hash"] = self._hash_of(request.body or b"")
        stated["oauth_signature"] = self._signature(base_string(request, stated.items()))
        written = [f'{_escape(name)}="{_escape(value)}"' for name, value in sorted(stated.items())]
        realm = [f'realm="{_quoted(self.realm)}"'] if self.realm else []
        return wire.with_headers(request, ("Authorization", "OAuth " + ", ".join([*realm, *written])))

    @property
    def _digest(self) -> str:
        return self.method.rpartition("-")[2].lower() if "-" in self.method else "sha1"

    def _hash_of(self, body: bytes) -> str:
        """The ``oauth_body_hash`` of the extension of that name: it covers bodies that are no form."""
        return b64encode(hashlib.new(self._digest, body, usedforsecurity=False).digest()).decode("ascii")

    def _signature(self, base: str) -> str:
        key = f"{_escape(self.consumer_secret)}&{_escape(self.token_secret)}"
        if self.method == "PLAINTEXT":
            return key  # RFC 5849, section 3.4.4
        if self.method.startswith(_RSA):
            return b64encode(rsa.sign(self.private_key, self._digest, base.encode("ascii"))).decode("ascii")
        return b64encode(hmac.new(key.encode("ascii"), base.encode("ascii"), self._digest).digest()).decode("ascii")


def base_string(request: Request, stated: Iterable[tuple[str, str]]) -> str:
    """The text that is signed (RFC 5849, section 3.4.1).

    Args:
        request: the request.
        stated: the ``oauth_`` parameters, without the signature.
    """
    parts = urlsplit(request.url)
    uri = f"{parts.scheme.lower()}://{wire.host(request)}{wire.path(request)}"
    pairs = [(_escape(name), _escape(value)) for name, value in stated]
    pairs += _decoded(wire.query(request).encode())
    if wire.is_form(request):
        pairs += _decoded(request.body or b"")
    parameters = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    return f"{request.method.upper()}&{_escape(uri)}&{_escape(parameters)}"


def _decoded(form: bytes) -> list[tuple[str, str]]:
    """The pairs of a query or a form, each encoded anew as signatures need it (RFC 5849, section 3.4.1.3)."""
    pairs = (part.partition(b"=") for part in form.split(b"&") if part)
    return [(_again(name), _again(value)) for name, _equals, value in pairs]


def _again(encoded: bytes) -> str:
    return quote(unquote_to_bytes(encoded.replace(b"+", b" ")), safe="")


def _escape(text: str) -> str:
    return quote(text, safe="")  # leaves exactly the unreserved characters: RFC 5849, section 3.6


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def compile_oauth1(block: Block) -> OAuth1:
    """``type: oauth1``."""
    method = block.choice(METHODS, "signatureMethod", "algorithm")
    uses_rsa = method.startswith(_RSA)
    private_key = block.secret("privateKey", lines=True) if uses_rsa else ""
    if uses_rsa and (problem := rsa.problem_with(private_key)) is not None:
        block.doubt("AUT006", f"`privateKey` cannot be used: {problem}", "privateKey", *rsa.ADVICE)
    stated = block.stated.body_hash
    token = block.optional_secret("token", "accessToken")
    return OAuth1(
        consumer_key=block.secret("consumerKey", "clientId", "apiKey"),
        consumer_secret="" if uses_rsa else block.secret("consumerSecret", "clientSecret", "secret"),
        token=token,
        token_secret=block.secret("tokenSecret", "accessTokenSecret") if token and not uses_rsa else "",
        method=method,
        realm=block.text("realm"),
        private_key=private_key,
        body_hash=stated if stated is not None else method in {"RSA-SHA256", "RSA-SHA512"},
    )
