"""Digest authentication of callers (RFC 7616).

Nonces carry the time they were made and a MAC, so that challenges cost no memory. Only what was used with a right
answer is remembered: which counts of a nonce were taken, so that no request can be played again.
"""

import hashlib
import hmac
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from capably.plan.gate import REALM, DigestGate
from capably.plan.outcome import Fault
from capably.servers.gatekeeper.challenges import UNKNOWN
from capably.upstream.auth.challenge import read_challenges

LIFE_S: Final = 300
"""How long a nonce can be used, in seconds."""
_MOST_NONCES: Final = 10_000
_WINDOW: Final = 128
"""How far counts may arrive out of order, for requests that overtake each other."""
_ALGORITHMS: Final[Mapping[str, Callable[[bytes], "hashlib._Hash"]]] = {
    "SHA-256": hashlib.sha256,
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False),  # for clients that know no other
}
_COUNT: Final = re.compile(r"[0-9a-fA-F]{8}")
_NEEDED: Final = ("nonce", "uri", "response", "nc", "cnonce")


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that a digest must cover: ``target`` as it stands in the request line."""

    method: str
    target: str
    authorization: str | None


class Nonces:
    """Makes nonces and knows which counts of them were used."""

    def __init__(self, clock: Callable[[], float] = time.time, most: int = _MOST_NONCES) -> None:
        """Start with a key of its own: nonces of another process are stale.

        Args:
            clock: seconds since 1970.
            most: how many nonces are remembered; beyond that the older ones become stale.
        """
        self._clock = clock
        self._most = most
        self._key = secrets.token_bytes(32)
        self._used: dict[str, tuple[int, int]] = {}
        self._made_after = -1.0

    def make(self) -> str:
        """A fresh nonce."""
        stamp = int(self._clock() * 1000).to_bytes(8, "big") + secrets.token_bytes(8)
        return urlsafe_b64encode(stamp + self._mac(stamp)).decode().rstrip("=")

    def is_fresh(self, nonce: str) -> bool:
        """Whether a nonce is ours and not too old."""
        made = self._made(nonce)
        return made is not None and made > self._made_after and self._clock() - made <= LIFE_S

    def take(self, nonce: str, count: int) -> bool:
        """Use a count of a fresh nonce; whether it had not been used before."""
        highest, seen = self._used.get(nonce, (0, 0))
        if nonce not in self._used and len(self._used) >= self._most:
            self._forget_oldest()
        if count > highest:
            self._used[nonce] = (count, ((seen << (count - highest)) | 1) & ((1 << _WINDOW) - 1))
            return True
        bit = 1 << (highest - count)
        if highest - count >= _WINDOW or seen & bit:
            return False
        self._used[nonce] = (highest, seen | bit)
        return True

    def _forget_oldest(self) -> None:
        """Drop what is over, else the older half: those nonces, and all made before, are stale from now on."""
        made = {nonce: self._made(nonce) or 0.0 for nonce in self._used}
        limit = max(self._clock() - LIFE_S, sorted(made.values())[len(made) // 2])
        self._made_after = max(self._made_after, limit)
        self._used = {nonce: used for nonce, used in self._used.items() if made[nonce] > limit}

    def _made(self, nonce: str) -> float | None:
        try:
            raw = urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))
        except ValueError:
            return None
        if not hmac.compare_digest(raw[16:], self._mac(raw[:16])):
            return None
        # Only one spelling is ours: another one of the same bytes would be counted by itself.
        is_ours = urlsafe_b64encode(raw).decode().rstrip("=") == nonce
        return int.from_bytes(raw[:8], "big") / 1000 if is_ours else None

    def _mac(self, stamp: bytes) -> bytes:
        return hmac.digest(self._key, stamp, "sha256")[:16]


def check_digest(gate: DigestGate, nonces: Nonces, asked: Asked) -> None:
    """Refuse a request that does not prove to know the password.

    Raises:
        Fault: status 401, with a challenge for each algorithm; status 400, the digest covers another request.
    """
    stated = _stated(asked.authorization)
    algorithm = stated.get("algorithm", "MD5").upper()
    if algorithm not in _ALGORITHMS or any(name not in stated for name in _NEEDED) or stated.get("qop") != "auth":
        raise _refusal(nonces)
    if not hmac.compare_digest(stated["response"].encode(), _response(gate, asked, stated, algorithm).encode()):
        raise _refusal(nonces)
    if not hmac.compare_digest(_username(stated).encode(), gate.username.encode()) or stated.get("realm") != REALM:
        raise _refusal(nonces)
    if stated["uri"] != asked.target:
        # RFC 7616, section 3.4.6: somebody in between may be trying the answer on another resource
        detail = "`uri` of the Authorization header is not the target of this request"
        raise Fault(400, "wrong-digest-uri", "The digest is for another request", detail)
    count = _count(stated["nc"])
    if count is None:
        raise _refusal(nonces)
    if not nonces.is_fresh(stated["nonce"]) or not nonces.take(stated["nonce"], count):
        raise _refusal(nonces, is_stale=True)


def _stated(authorization: str | None) -> Mapping[str, str]:
    challenges = read_challenges([authorization or ""])
    return challenges[0][1] if len(challenges) == 1 and challenges[0][0] == "digest" else {}


def _username(stated: Mapping[str, str]) -> str:
    """The user's name; as RFC 5987 has it when it is not ASCII."""
    extended = stated.get("username*", "")
    if extended.upper().startswith("UTF-8''"):
        return unquote(extended[len("UTF-8''") :])
    # Headers are read as latin-1 (RFC 9110, section 5.5), what clients send is UTF-8.
    return stated.get("username", "").encode("latin-1", "replace").decode("utf-8", "replace")


def _response(gate: DigestGate, asked: Asked, stated: Mapping[str, str], algorithm: str) -> str:
    """What a right answer is (RFC 7616, section 3.4.1)."""

    def digest(text: str) -> str:
        return _ALGORITHMS[algorithm](text.encode()).hexdigest()

    secret = digest(f"{gate.username}:{REALM}:{gate.password}")
    about = digest(f"{asked.method}:{stated['uri']}")
    return digest(f"{secret}:{stated['nonce']}:{stated['nc']}:{stated['cnonce']}:auth:{about}")


def _count(text: str) -> int | None:
    """Eight hexadecimal digits (RFC 7616, section 3.4)."""
    return int(text, 16) if _COUNT.fullmatch(text) else None


def _refusal(nonces: Nonces, *, is_stale: bool = False) -> Fault:
    """A challenge for each algorithm, the better one first (RFC 7616, section 3.7).

    ``stale`` tells a client that its password was right: it tries again with the new nonce and asks nobody.
    """
    nonce = nonces.make()
    stale = ", stale=true" if is_stale else ""
    headers = tuple(
        (
            "www-authenticate",
            f'Digest realm="{REALM}", qop="auth", algorithm={algorithm}, nonce="{nonce}", charset=UTF-8{stale}',
        )
        for algorithm in _ALGORITHMS
    )
    return Fault(401, *UNKNOWN, "send Digest credentials that this server accepts", headers=headers)
