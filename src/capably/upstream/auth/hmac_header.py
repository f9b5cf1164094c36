"""HMAC headers: requests signed as the document says, and the one published scheme documents mean by ``apiId``."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from capably.diagnostics import did_you_mean
from capably.upstream.auth import wire
from capably.upstream.auth.block import Block, is_stand_in
from capably.upstream.request import Request

ALGORITHMS = ("sha256", "sha1", "sha384", "sha512")
ENCODINGS = ("hex", "base64")
_HOLE = re.compile(r"\{(\w+)\}")
_HOLES = (
    *("method", "path", "query", "target", "host", "url", "body", "bodyHash"),
    *("timestamp", "milliseconds", "date", "nonce", "keyId", "signature"),
)
_SIGNS = "{method}\n{target}\n{timestamp}\n{body}"
_STAND_IN = "<signed when it is sent>"
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2})+")
_VERACODE = "VERACODE-HMAC-SHA-256"


@dataclass(frozen=True, slots=True)
class HmacHeader:
    """A signature as a document describes it: templates with holes such as ``{method}``. Signs as a ``Signer``.

    ``written`` are headers by name with their templates; ``{signature}`` is known to these only.
    """

    secret: str = field(repr=False)
    signs: str
    written: tuple[tuple[str, str], ...]
    key_id: str = ""
    algorithm: str = ALGORITHMS[0]
    encoding: str = ENCODINGS[0]

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers it writes, in lower case."""
        return tuple(name.lower() for name, _template in self.written)

    def preview(self, request: Request) -> Request:
        """The request with stand-ins."""
        return wire.with_headers(request, *((name, _STAND_IN) for name, _template in self.written))

    def sign(self, request: Request, now: float, nonce: str) -> Request:
        """Fill and add the headers."""
        values = self._values(request, now, nonce)
        digest = hmac.digest(self.secret.encode(), _fill(self.signs, values), self.algorithm)
        values["signature"] = digest.hex().encode() if self.encoding == "hex" else b64encode(digest)
        filled = ((name, _fill(template, values).decode("utf-8", "replace")) for name, template in self.written)
        return wire.with_headers(request, *filled)

    def _values(self, request: Request, now: float, nonce: str) -> dict[str, bytes]:
        body = request.body or b""
        texts = {
            "method": request.method,
            "path": wire.path(request),
            "query": wire.query(request),
            "target": wire.target(request),
            "host": wire.host(request),
            "url": request.url,
            "bodyHash": hashlib.new(self.algorithm, body, usedforsecurity=False).hexdigest(),
            "timestamp": str(int(now)),
            "milliseconds": str(int(now * 1000)),
            "date": datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "nonce": nonce,
            "keyId": self.key_id,
        }
        return {name: text.encode() for name, text in texts.items()} | {"body": body}


def _fill(template: str, values: Mapping[str, bytes]) -> bytes:
    pieces = _HOLE.split(template)  # text and names of holes take turns
    return b"".join(values.get(piece, b"") if at % 2 else piece.encode() for at, piece in enumerate(pieces))


@dataclass(frozen=True, slots=True)
class Veracode:
    """Credentials of Veracode, whose scheme its API documentation publishes. Signs as a ``Signer``."""

    api_id: str
    api_key: str = field(repr=False)
    headers: tuple[str, ...] = ("authorization",)

    def preview(self, request: Request) -> Request:
        """The request with a stand-in for the signature."""
        return wire.with_headers(request, ("Authorization", f"{_VERACODE} {_STAND_IN}"))

    def sign(self, request: Request, now: float, nonce: str) -> Request:
        """Add the ``Authorization`` header; regional prefixes of the credentials are not part of what is signed."""
        identity = _unprefixed(self.api_id)
        moment = str(int(now * 1000))
        host = wire.host(request).partition(":")[0]
        data = f"id={identity.lower()}&host={host}&url={wire.target(request)}&method={request.method.upper()}"
        key = bytes.fromhex(_unprefixed(self.api_key))
        for part in (bytes.fromhex(nonce), moment.encode(), b"vcode_request_version_1", data.encode()):
            key = hmac.digest(key, part, "sha256")
        value = f"{_VERACODE} id={identity},ts={moment},nonce={nonce},sig={key.hex()}"
        return wire.with_headers(request, ("Authorization", value))


def _unprefixed(credential: str) -> str:
    return credential.rpartition("-")[2]


def compile_hmac(block: Block) -> HmacHeader | Veracode:
    """``type: hmac``: ``secret`` with templates, or ``apiId`` and ``apiKey`` for Veracode's scheme."""
    if block.written("apiId") is not None and block.written("secret", "signs") is None:
        return _veracode(block)
    header = block.text("header", default="X-Signature")
    block.names_header(header, "header")
    written = ((header, block.text("value", default="{signature}")), *block.pairs("headers"))
    signs = block.template("signs") or _SIGNS
    _check(block, "signs", signs)
    for _name, template in written:
        _check(block, "value" if template == written[0][1] else "headers", template)
    return HmacHeader(
        secret=block.secret("secret", "secretKey", "apiKey"),
        signs=signs,
        written=written,
        key_id=block.text("keyId", "apiId"),
        algorithm=block.choice(ALGORITHMS, "algorithm"),
        encoding=block.choice(ENCODINGS, "encoding"),
    )


def _veracode(block: Block) -> Veracode:
    api_key = block.secret("apiKey")
    if api_key and not is_stand_in(api_key) and not _HEXADECIMAL.fullmatch(_unprefixed(api_key)):
        advice = "other schemes than Veracode's are described with `secret`, `signs` and `header`"
        block.doubt("AUT006", "`apiKey` is not the hexadecimal secret of Veracode credentials", "apiKey", advice)
    return Veracode(block.secret("apiId"), api_key)


def _check(block: Block, key: str, template: str) -> None:
    known = tuple(name for name in _HOLES if name != ("signature" if key == "signs" else "body"))
    for name in _HOLE.findall(template):
        if name not in known:
            block.refuse("AUT005", f"`{key}` holds `{{{name}}}`, which means nothing", key, *did_you_mean(name, known))
