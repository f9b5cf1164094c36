"""AWS Signature Version 4: requests signed with an access key, for one region and service."""

import hashlib
import hmac
import posixpath
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes, urlsplit

from capably.upstream.auth import wire
from capably.upstream.auth.block import Block
from capably.upstream.request import Request

_ALGORITHM = "AWS4-HMAC-SHA256"
_END = "aws4_request"
_SIGNED = frozenset({"host", "content-type", "content-md5", "range"})
_HOSTS = (".amazonaws.com.cn", ".amazonaws.com", ".api.aws")
_GLOBAL_REGION = "us-east-1"
_S3 = "s3"


@dataclass(frozen=True, slots=True)
class SigV4:
    """An access key. Empty ``region`` and ``service`` are read from the host. Signs as a ``Signer``."""

    access_key_id: str
    secret_key: str = field(repr=False)
    region: str = ""
    service: str = ""
    session_token: str = field(default="", repr=False)
    headers: tuple[str, ...] = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")

    def preview(self, request: Request) -> Request:
        """The request with a stand-in for the signature."""
        region, service = self._place(request)
        value = (
            f"{_ALGORITHM} Credential={self.access_key_id}/<date>/{region}/{service}/{_END}, <signed when it is sent>"
        )
        return wire.with_headers(request, ("Authorization", value))

    def sign(self, request: Request, now: float, nonce: str) -> Request:  # noqa: ARG002 -- the scheme has no nonce
        """Add ``Authorization`` and the headers it covers."""
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        region, service = self._place(request)
        digest = hashlib.sha256(request.body or b"").hexdigest()
        added = [("Host", wire.host(request)), ("X-Amz-Date", moment)]
        if self.session_token:
            added.append(("X-Amz-Security-Token", self.session_token))
        if service == _S3:
            added.append(("X-Amz-Content-SHA256", digest))
        dated = wire.with_headers(request, *added)
        canonical, signed = canonical_request(dated, digest, encodes_twice=service != _S3)
        scope = f"{moment[:8]}/{region}/{service}/{_END}"
        text = "\n".join([_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{self.secret_key}".encode()
        for part in (moment[:8], region, service, _END):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        value = f"{_ALGORITHM} Credential={self.access_key_id}/{scope}, SignedHeaders={signed}, Signature={signature}"
        return wire.with_headers(dated, ("Authorization", value))

    def _place(self, request: Request) -> tuple[str, str]:
        service, region = service_and_region(urlsplit(request.url).hostname or "")
        return self.region or region, self.service or service


def service_and_region(host: str) -> tuple[str, str]:
    """What an AWS host says of itself: ``ce.us-east-1.amazonaws.com`` is service ``ce`` in region ``us-east-1``."""
    suffix = next((end for end in _HOSTS if host.endswith(end)), None)
    labels = host.removesuffix(suffix).split(".") if suffix is not None else []
    if not labels:
        return "", _GLOBAL_REGION
    return (labels[0], _GLOBAL_REGION) if len(labels) == 1 else (labels[-2], labels[-1])


def canonical_request(request: Request, digest: str, *, encodes_twice: bool) -> tuple[str, str]:
    """The text that is hashed and signed, and the names of the headers it covers.

    Args:
        request: the request, with all headers that are to be covered.
        digest: the SHA-256 of its body in hexadecimal digits.
        encodes_twice: whether the path is percent-encoded once more, as every service but S3 wants it.
    """
    covered: dict[str, list[str]] = {}
    for name, value in request.headers:
        folded = name.lower()
        if folded in _SIGNED or folded.startswith("x-amz-"):
            covered.setdefault(folded, []).append(" ".join(value.split()))
    lines = [f"{name}:{','.join(values)}\n" for name, values in sorted(covered.items())]
    signed = ";".join(sorted(covered))
    path = _path(wire.path(request), encodes_twice=encodes_twice)
    parts = [request.method, path, _query(wire.query(request)), "".join(lines), signed, digest]
    return "\n".join(parts), signed


def _path(path: str, *, encodes_twice: bool) -> str:
    if not encodes_twice:
        return "/".join(_again(segment) for segment in path.split("/"))
    normal = posixpath.normpath(path) if path != "/" else path
    normal = "/" + normal.lstrip("/")
    return quote(normal + "/" if path.endswith("/") and normal != "/" else normal, safe="/")


def _query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&") if part)
    encoded = [(_again(name), _again(value)) for name, _equals, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _again(encoded: str) -> str:
    return quote(unquote_to_bytes(encoded), safe="")


def compile_sigv4(block: Block) -> SigV4:
    """``type: aws-sig-v4``."""
    return SigV4(
        access_key_id=block.secret("accessKeyId", "accessKey"),
        secret_key=block.secret("secretKey", "secretAccessKey"),
        region=block.text("region"),
        service=block.text("service"),
        session_token=block.optional_secret("sessionToken"),
    )
