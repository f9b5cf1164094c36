"""How an outcome goes to its caller: in the media type it asked for, with a validator, compressed, or not at all (304).

For callers without wishes all of it comes to a few comparisons.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec

from capably.plan.operation import Operation
from capably.plan.outcome import Fault, Headers, Outcome
from capably.plan.representations import JSON, media_types
from capably.servers.compression import INLINE, SMALLEST, codings, is_compressible
from capably.servers.http import Send, send_body, send_head, send_stream
from capably.servers.preferences import coding, media_type
from capably.servers.rest_formats import SPELLINGS, WRITERS, NotFlatError
from capably.upstream.reply import ByteStream

Sent = Mapping[bytes, bytes]
"""Headers of a request, by lower-case name."""

_OK: Final = 200
_KEPT_WHEN_NOT_MODIFIED: Final = ("etag", "cache-control", "expires", "vary", "last-modified", "content-location")
_SAFE: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Offer:
    """The media types an operation's answers can have, as `media_types` tells them, and all spellings of them."""

    kinds: tuple[str, ...]
    spellings: tuple[str, ...]

    @property
    def is_choice(self) -> bool:
        """Whether there is more than one; bytes are told as they come, whatever media types are stated of them."""
        return len(self.kinds) > 1 and self.kinds[0] == JSON


def offer_of(operation: Operation) -> Offer:
    """What an operation offers."""
    kinds = media_types(operation)
    return Offer(kinds, tuple(each for kind in kinds for each in SPELLINGS.get(kind, (kind,))))


def wanted_type(offer: Offer, sent: Sent) -> str:
    """The media type of the answer, as far as it is known before there is one.

    Raises:
        Fault: status 406, the caller takes nothing that can be told. Nothing has been done yet.
    """
    accept = sent.get(b"accept")
    if accept is None or accept == b"*/*" or not offer.is_choice:
        return offer.spellings[0]
    chosen = media_type(accept.decode("latin-1"), offer.spellings)
    if chosen is None:
        raise _not_acceptable(offer.kinds)
    return chosen


def _not_acceptable(kinds: tuple[str, ...]) -> Fault:
    detail = f"ask for {' or '.join(kinds)} in Accept"
    return Fault(406, "not-acceptable", "The answer has no such media type", detail, headers=(("vary", "accept"),))


class Asked(msgspec.Struct, frozen=True):
    """What a request wants of its answer: the method, the headers, the media type of those offered."""

    method: str
    sent: Sent
    wanted: str
    offer: Offer


NO_CHOICE: Final = Offer((), ())


async def send_answer(send: Send, outcome: Outcome, asked: Asked) -> None:
    """Send an outcome.

    Raises:
        Fault: status 406, what came cannot be told in the wanted type, nor in another that the caller takes.
        StreamBrokenError: the upstream broke off while it was streamed.
    """
    sent, is_head = asked.sent, asked.method == "HEAD"
    if outcome.stream is not None:
        await _send_arriving(send, outcome, outcome.stream, asked)
        return
    kind, body, headers = outcome.media_type, outcome.body, outcome.headers
    if asked.offer.is_choice and _is_json(outcome):
        if asked.wanted != JSON:
            kind, body = _told(outcome, asked)
            headers = tuple(field for field in headers if field[0] != "etag")
        headers = (*headers, _VARY_ACCEPT)
    status = outcome.status
    code = _coding(kind, body, headers, status, sent)
    if code is not None:
        headers = (*headers, _VARY_ENCODING)
    if status == _OK and asked.method in _SAFE:
        headers = _with_tag(headers, body, code or "")
        if _is_known(headers, sent):
            await send_body(send, 304, None, b"", _kept(headers))
            return
    if code:
        compress = codings()[code]
        body = compress(body) if len(body) <= INLINE else await asyncio.to_thread(compress, body)
        headers = (*headers, ("content-encoding", code))
    await send_body(send, status, kind, body, headers, head=is_head)


async def _send_arriving(send: Send, outcome: Outcome, stream: ByteStream, asked: Asked) -> None:
    """Send what is still arriving, its headers alone to HEAD, nothing to callers who have it by its own validators."""
    is_known = outcome.status == _OK and asked.method in _SAFE and _is_known(outcome.headers, asked.sent)
    if not is_known and asked.method != "HEAD":
        await send_stream(send, outcome, stream)
        return
    await stream.aclose()
    if is_known:
        await send_body(send, 304, None, b"", _kept(outcome.headers))
    else:
        await send_head(send, outcome)


def _kept(headers: Headers) -> Headers:
    """What an answer without its body still says (RFC 9110, section 15.4.5)."""
    return tuple(field for field in headers if field[0] in _KEPT_WHEN_NOT_MODIFIED)


_VARY_ACCEPT: Final = ("vary", "accept")
_VARY_ENCODING: Final = ("vary", "accept-encoding")


def _is_json(outcome: Outcome) -> bool:
    """Whether the outcome is a success told as JSON."""
    kind = outcome.media_type
    if not outcome.body or outcome.is_error or kind is None:
        return False
    return kind == JSON or kind.partition(";")[0].strip().lower() == JSON


def _told(outcome: Outcome, asked: Asked) -> tuple[str, bytes]:
    """The outcome in the wanted type, or in another that the caller takes, when it is no table."""
    try:
        value: Any = msgspec.json.decode(outcome.body)
    except (msgspec.DecodeError, UnicodeDecodeError):  # the upstream's JSON is none: it is told as it came
        return outcome.media_type or JSON, outcome.body
    wanted, left = asked.wanted, asked.offer.spellings
    while wanted != JSON:
        told, write = WRITERS[wanted]
        try:
            return told, write(value)
        except NotFlatError:
            left = tuple(each for each in left if each != wanted)
            other = media_type(asked.sent[b"accept"].decode("latin-1"), left)
            if other is None and asked.method in _SAFE:
                raise _not_acceptable(tuple(each for each in asked.offer.kinds if each in left)) from None
            wanted = other or JSON  # what has been done cannot be undone by refusing to tell it
    return outcome.media_type or JSON, outcome.body


def _coding(kind: str | None, body: bytes, headers: Headers, status: int, sent: Sent) -> str | None:
    """The content coding of an answer: empty for one that could be coded and is not, ``None`` for one that never is."""
    if len(body) < SMALLEST or status < _OK or kind is None or not is_compressible(kind):
        return None
    if any(name == "set-cookie" or (name == "cache-control" and "no-transform" in value) for name, value in headers):
        return None
    wished = sent.get(b"accept-encoding")
    return (coding(wished.decode("latin-1"), tuple(codings())) if wished is not None else None) or ""


def _with_tag(headers: Headers, body: bytes, code: str) -> Headers:
    """The headers with a validator (RFC 9110, section 8.8.3).

    The upstream's is kept, and weak when the bytes are not its own; ours is strong: a hash of the body, and the coding.
    """
    for name, value in headers:
        if name == "etag":
            if not code or value.startswith("W/"):
                return headers
            return (*(field for field in headers if field[0] != "etag"), ("etag", f"W/{value}"))
    if not body:
        return headers
    tag = blake2b(body, digest_size=12).hexdigest()
    return (*headers, ("etag", f'"{tag}-{code}"' if code else f'"{tag}"'))


def _is_known(headers: Headers, sent: Sent) -> bool:
    """Whether the caller has what would be sent (RFC 9110, section 13.2.2: If-None-Match goes first)."""
    known = sent.get(b"if-none-match")
    if known is not None:
        tag = next((value for name, value in headers if name == "etag"), None)
        if known.strip() == b"*":
            return True
        return tag is not None and tag.removeprefix("W/") in {
            each.strip().removeprefix("W/") for each in known.decode("latin-1").split(",")
        }
    since = sent.get(b"if-modified-since")
    if since is None:
        return False
    changed = next((value for name, value in headers if name == "last-modified"), None)
    if changed is None:
        return False
    try:
        return parsedate_to_datetime(changed) <= parsedate_to_datetime(since.decode("latin-1"))
    except (TypeError, ValueError):
        return False
