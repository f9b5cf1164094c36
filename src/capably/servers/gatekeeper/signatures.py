"""Signed tokens (RFC 7519, RFC 9068): the keys of an authorization server, and whether one of them signed.

Only the key decides what a signature is checked with: an algorithm is taken when the document allows it and the key is
of its kind, so that no token can have its signature left out, or checked as an HMAC with a public key (RFC 8725,
section 3.1). This module is imported when a document needs it: its JOSE library takes a while.
"""

import binascii
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from capably.servers.gatekeeper.claims import TokenRefusedError

_KINDS: Final[Mapping[str, type[RSAKey | ECKey | OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_FEWEST_RSA_BITS: Final = 2048  # RFC 7518, section 3.3
_MOST_KEYS: Final = 100
_MOST_TRIED: Final = 8
LONGEST_TOKEN: Final = 16 * 1024
_TYPES: Final = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})

_MALFORMED: Final = "the token is not a signed JWT"


class _Registry(JWSRegistry):
    max_header_length = 4096  # certificates may stand in a header


@dataclass(frozen=True, slots=True)
class Key:
    """A public key that may check signatures; ``id`` is empty where its set gives it none."""

    id: str
    kind: str
    material: RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a token says, unchecked: which key and which algorithm."""

    algorithm: str
    key_id: str


def read_keys(body: bytes) -> tuple[Key, ...]:
    """The keys of a JWK set (RFC 7517, section 5) that may check signatures; those not understood are left out.

    Raises:
        ValueError: this is no JWK set.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ValueError("this is no JSON") from problem
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("this is no JWK set")  # noqa: TRY004 -- what came is wrong, not what we gave
    return tuple(key for each in listed[:_MOST_KEYS] if (key := _key(each)) is not None)


def _key(stated: Any) -> Key | None:
    if not isinstance(stated, dict) or stated.get("use", "sig") != "sig":
        return None
    kind = stated.get("kty")
    importer = _KINDS.get(kind) if isinstance(kind, str) else None
    if importer is None or "d" in stated:
        return None  # a symmetric key, or a private one, is nobody's to publish
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            material = importer.import_key(stated)
            if isinstance(material, RSAKey) and material.raw_value.key_size < _FEWEST_RSA_BITS:
                return None
            material.check_key_op("verify")
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    name = stated.get("kid")
    return Key(name if isinstance(name, str) else "", str(kind), material)


def read_header(token: str, algorithms: Iterable[str]) -> Header:
    """The header of a token.

    Raises:
        TokenRefusedError: it is none, its algorithm is not allowed, or it belongs to a token of another kind.
    """
    if len(token) > LONGEST_TOKEN or token.count(".") != 2:  # noqa: PLR2004 -- three parts, RFC 7515, section 7.1
        raise TokenRefusedError(_MALFORMED)
    try:
        text = token.partition(".")[0]
        stated = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (msgspec.DecodeError, binascii.Error, UnicodeError, ValueError, RecursionError):
        raise TokenRefusedError(_MALFORMED) from None
    if not isinstance(stated, dict):
        raise TokenRefusedError(_MALFORMED)
    algorithm, key_id, kind = stated.get("alg"), stated.get("kid", ""), stated.get("typ", "")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise TokenRefusedError("the token is signed with an algorithm that is not allowed here")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenRefusedError("the token is no access token")
    if not isinstance(key_id, str):
        raise TokenRefusedError(_MALFORMED)
    return Header(algorithm, key_id)


def fitting(keys: Iterable[Key], header: Header) -> list[Key]:
    """The keys that may have signed: of the kind of the algorithm and, where the token names one, of that name."""
    kind = JWSRegistry.algorithms[header.algorithm].key_type
    return [key for key in keys if key.kind == kind and header.key_id in {"", key.id}][:_MOST_TRIED]


def verified_claims(token: str, header: Header, keys: Iterable[Key]) -> Mapping[str, Any]:
    """The claims of a token that one of the keys signed.

    Raises:
        TokenRefusedError: none of them did.
    """
    for key in keys:
        payload = _payload(token, header, key)
        if payload is not None:
            break
    else:
        raise TokenRefusedError("the signature of the token is not right")
    try:
        claims = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenRefusedError(_MALFORMED)
    return claims


def _payload(token: str, header: Header, key: Key) -> bytes | None:
    registry = _Registry(algorithms=[header.algorithm], strict_check_header=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # EdDSA is an older name of Ed25519, not a weaker one
            return jws.deserialize_compact(token, key.material, registry=registry).payload
    except (JoseError, ValueError, TypeError, KeyError):
        return None
