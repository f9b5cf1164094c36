"""Digest authentication: the server's challenge is answered with a hash of the password (RFC 7616)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from capably.upstream.auth import wire
from capably.upstream.auth.block import Block
from capably.upstream.auth.challenge import read_challenges, read_parameters
from capably.upstream.request import Request

_ALGORITHMS = {"md5": "md5", "sha-256": "sha256"}
_SESSION = "-sess"


@dataclass(frozen=True, slots=True)
class Digest:
    """A user and a password."""

    username: str
    password: str = field(repr=False)
    headers: tuple[str, ...] = ("authorization",)

    def preview(self, request: Request) -> Request:
        """The request with a stand-in for the answer."""
        return wire.with_headers(request, ("Authorization", "Digest <the answer to the upstream's challenge>"))


@dataclass(frozen=True, slots=True)
class Session:
    """A challenge and what was answered to it so far.

    ``cnonce`` stays the same as long as the nonce, so that the key of ``-sess`` algorithms does too (RFC 7616, section
    3.4.2); ``count`` tells the requests of the session apart.
    """

    realm: str
    nonce: str
    algorithm: str
    qop: str
    cnonce: str
    opaque: str | None = None
    hides_user: bool = False
    count: int = 0

    def next(self) -> "Session":
        """The session with one more request."""
        return replace(self, count=self.count + 1)


@dataclass(frozen=True, slots=True)
class Challenged:
    """A challenge that can be answered. ``is_stale``: the last answer was right, but for a nonce that is over."""

    session: Session
    is_stale: bool


def read_challenge(headers: Iterable[tuple[str, str]], cnonce: str) -> Challenged | None:
    """The first challenge of a refusal that can be answered (RFC 7616, sections 3.3 and 3.7).

    Args:
        headers: the headers of the reply, names in lower case.
        cnonce: random text for the session that begins.
    """
    values = [value for name, value in headers if name == "www-authenticate"]
    for scheme, stated in read_challenges(values):
        algorithm = stated.get("algorithm", "MD5")
        offered = [word.strip().lower() for word in stated.get("qop", "").split(",") if word.strip()]
        qop = next((word for word in ("auth", "auth-int") if word in offered), "")
        is_known = algorithm.lower().removesuffix(_SESSION) in _ALGORITHMS and (qop or not offered)
        if scheme == "digest" and "nonce" in stated and is_known:
            session = Session(
                realm=stated.get("realm", ""),
                nonce=stated["nonce"],
                algorithm=algorithm,
                qop=qop,
                cnonce=cnonce,
                opaque=stated.get("opaque"),
                hides_user=stated.get("userhash", "").lower() == "true",
            )
            return Challenged(session, stated.get("stale", "").lower() == "true")
    return None


def next_session(session: Session, headers: Iterable[tuple[str, str]], cnonce: str) -> Session:
    """The session to go on with after a success: a new one when the server names its next nonce (section 3.5)."""
    told = next((value for name, value in headers if name == "authentication-info"), "")
    nonce = read_parameters(told).get("nextnonce")
    return session if nonce is None else replace(session, nonce=nonce, cnonce=cnonce, count=0)


def answer(digest: Digest, session: Session, request: Request) -> Request:
    """Add the ``Authorization`` header of RFC 7616, section 3.4; ``session.count`` is this request's."""
    uri = wire.target(request)
    username = _hash(session, f"{digest.username}:{session.realm}") if session.hides_user else digest.username
    stated = [
        _user(username),
        f'realm="{_quoted(session.realm)}"',
        f'nonce="{_quoted(session.nonce)}"',
        f'uri="{_quoted(uri)}"',
        f"algorithm={session.algorithm}",
        f'response="{_response(digest, session, request, uri)}"',
    ]
    if session.hides_user:
        stated.append("userhash=true")
    if session.opaque is not None:
        stated.append(f'opaque="{_quoted(session.opaque)}"')
    if session.qop:
        stated += [f"qop={session.qop}", f"nc={session.count:08x}"]
    if session.qop or _is_session(session):
        stated.append(f'cnonce="{session.cnonce}"')
    return wire.with_headers(request, ("Authorization", f"Digest {', '.join(stated)}"))


def _response(digest: Digest, session: Session, request: Request, uri: str) -> str:
    """RFC 7616, sections 3.4.1 to 3.4.3; without ``qop`` as RFC 2069 had it."""
    first = _hash(session, f"{digest.username}:{session.realm}:{digest.password}")
    if _is_session(session):
        first = _hash(session, f"{first}:{session.nonce}:{session.cnonce}")
    asked = f"{request.method}:{uri}"
    if session.qop == "auth-int":
        asked = f"{asked}:{_hash(session, request.body or b'')}"
    second = _hash(session, asked)
    if not session.qop:
        return _hash(session, f"{first}:{session.nonce}:{second}")
    return _hash(session, f"{first}:{session.nonce}:{session.count:08x}:{session.cnonce}:{session.qop}:{second}")


def _hash(session: Session, data: str | bytes) -> str:
    name = _ALGORITHMS[session.algorithm.lower().removesuffix(_SESSION)]
    encoded = data.encode() if isinstance(data, str) else data
    return hashlib.new(name, encoded, usedforsecurity=False).hexdigest()  # what the server asks for, not our choice


def _is_session(session: Session) -> bool:
    return session.algorithm.lower().endswith(_SESSION)


def _user(name: str) -> str:
    if name.isascii():
        return f'username="{_quoted(name)}"'
    return f"username*=UTF-8''{quote(name, safe='')}"  # RFC 7616, section 3.4: as RFC 5987 has it


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def compile_digest(block: Block) -> Digest:
    """``type: digest``."""
    return Digest(*block.user())
