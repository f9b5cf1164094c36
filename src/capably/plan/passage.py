"""What passes a forward: the request that goes up and the answer that comes down, without what belongs to one hop.

Everything is refused unless it is known to be harmless: of the caller's headers only those that describe the request
itself and those the document trusts are passed on; a path cannot leave the base path.
"""

import re
from urllib.parse import SplitResult, quote, quote_from_bytes, unquote_to_bytes, urljoin, urlsplit

from capably.plan.operation import REST_OF_PATH, Forward
from capably.plan.outcome import Fault, Headers, Outcome, Passage
from capably.upstream.reply import Reply
from capably.upstream.request import OF_THE_CONNECTION, Request, RequestError, build_request

# What says how a request is to be read, or which part or version of the answer is wanted (RFC 9110, sections 8, 12.5.1,
# 13 and 14). Nothing here tells who the caller is.
_DESCRIBING = frozenset(
    {
        *("accept", "content-encoding", "content-language", "content-type", "range"),
        *("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since"),
    }
)
_OURS = frozenset({"alt-svc", "date"})  # each server tells its own
_NEVER_PASSED = frozenset({"CONNECT", "TRACE"})  # a trace would tell the caller our credentials (RFC 9110, 9.3.8)
_PLACES = frozenset({"location", "content-location"})
_SAFE = "/:@!$&'()*+,;=%~-._"
_SAFE_IN_QUERY = _SAFE + '?[]{}|\\^`"<>'
_BODILESS = frozenset({204, 205, 304})
_DECODINGS = 4  # deeper encoded than any server decodes


def request_of(forward: Forward, passage: Passage) -> Request:
    """The upstream request, without its body.

    Raises:
        Fault: status 400, the path would leave the base path, or a part of it cannot be sent; status 405, the method is
            none to pass on.
    """
    if passage.method in _NEVER_PASSED:
        raise Fault(405, "method-not-allowed", "The method is not allowed here", f"{passage.method} is not passed on")
    try:
        added = build_request(forward.request, passage.values)
    except RequestError as problem:
        raise _malformed(str(problem)) from None
    base, _, own_query = added.url.partition("?")
    url = base if passage.rest is None else f"{base}/{_below(passage.rest)}"
    query = "&".join(part for part in (_query(forward, passage.query), own_query) if part)
    own = {name.lower() for name, _value in added.headers}
    passed = (pair for pair in _passed(passage.headers, forward.trusted) if pair[0] not in own)
    headers = (*passed, *added.headers, ("Via", "1.1 capably"))  # RFC 9110, section 7.6.3
    if not any(name.lower() == "accept-encoding" for name, _value in headers):
        headers = (*headers, ("Accept-Encoding", "identity"))
    body = passage.body if isinstance(passage.body, bytes) else None
    return Request(passage.method, f"{url}?{query}" if query else url, headers, body)


def outcome_of(forward: Forward, passage: Passage, request: Request, reply: Reply) -> Outcome:
    """What the caller gets: the upstream's answer as it is, its addresses told as ours."""
    media_type = reply.header("content-type")
    dropped = _one_hop(reply.headers) | _OURS | {"content-type"}
    if reply.stream is not None and reply.status not in _BODILESS:
        dropped -= {"content-length"}
    headers: list[tuple[str, str]] = []
    for name, value in reply.headers:
        if name in dropped or (name == "set-cookie" and name not in forward.trusted):
            continue
        told = _told(forward, passage, request, value) if name in _PLACES else value
        if told is not None:
            headers.append((name, _as_bytes(told)))
    media_type = _as_bytes(media_type) if media_type is not None else None
    return Outcome(reply.status, media_type, reply.body, tuple(headers), reply.stream)


def _passed(headers: Headers, trusted: frozenset[str]) -> Headers:
    allowed = (_DESCRIBING | trusted) - _one_hop(headers)
    return tuple((name, value) for name, value in headers if name in allowed or name == "content-length")


def _one_hop(headers: Headers) -> frozenset[str]:
    """Headers that end here: those of every connection, and those this one names (RFC 9110, section 7.6.1)."""
    named = (word.strip().lower() for name, value in headers if name == "connection" for word in value.split(","))
    return OF_THE_CONNECTION | frozenset(named)


def _below(rest: str) -> str:
    """A path below the base, encoded as it came.

    However often it is decoded on the way, by whatever rules, no segment of it may mean "up".
    """
    decoded = rest.encode("latin-1")
    for _ in range(_DECODINGS):
        if any(_is_dots(segment) for segment in re.split(rb"[/\\]", decoded)):
            raise _malformed("the path must not have segments that are `.` or `..`, in any encoding")
        decoded, before = unquote_to_bytes(decoded), decoded
        if decoded == before:
            return quote_from_bytes(rest.encode("latin-1"), safe=_SAFE)
    raise _malformed("the path is percent-encoded too many times")


def _is_dots(segment: bytes) -> bool:
    return segment.partition(b";")[0].strip() in {b".", b".."}  # some servers cut parameters off: `..;x=1`


def _query(forward: Forward, query: str) -> str:
    """The query, byte for byte, but for what is meant for this server."""
    kept = query
    if forward.withheld:
        kept = "&".join(pair for pair in query.split("&") if _name(pair) not in forward.withheld)
    return quote(kept, safe=_SAFE_IN_QUERY, encoding="latin-1")


def _name(pair: str) -> str:
    return unquote_to_bytes(pair.partition("=")[0].replace("+", " ")).decode("utf-8", "replace")


def _told(forward: Forward, passage: Passage, request: Request, location: str) -> str | None:
    """An address of the upstream as callers know it: ``None`` when it is not below the base."""
    try:
        target, base = urlsplit(urljoin(request.url, location)), urlsplit(_base(forward, passage))
        is_same = (target.scheme, target.hostname, _port(target)) == (base.scheme, base.hostname, _port(base))
    except ValueError:
        return None
    below = target.path.removeprefix(base.path)
    is_below = target.path.startswith(base.path) and (not below or below.startswith("/"))
    if not is_same or not is_below or target.username is not None or _leaves(below):
        return None
    path = _our_path(forward, passage, below)
    if path is None:
        return None
    tail = f"?{target.query}" if target.query else ""
    return path + tail + (f"#{target.fragment}" if target.fragment else "")


def _leaves(path: str) -> bool:
    try:
        _below(path)
    except (Fault, UnicodeEncodeError):
        return True
    return False


def _base(forward: Forward, passage: Passage) -> str:
    return build_request(forward.request, passage.values).url.partition("?")[0]


def _port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _our_path(forward: Forward, passage: Passage, below: str) -> str | None:
    """The path of this server that leads to a path below the base."""
    route = forward.route
    if not route.takes_rest and below:
        return None
    values = {item.wire_name: passage.values.get(item.name, "") for item in forward.inputs}
    values[REST_OF_PATH] = ""
    segments = [
        segment if isinstance(segment, str) else _filled(segment, values)
        for segment in (route.segments[:-1] if route.takes_rest else route.segments)
    ]
    path = "/" + "/".join(segments)
    return f"{path.rstrip('/')}{below or '/'}" if route.takes_rest else path


def _filled(segment: tuple[str, ...], values: dict[str, str]) -> str:
    return "".join(quote(values.get(part, ""), safe="") if at % 2 else part for at, part in enumerate(segment))


def _as_bytes(value: str) -> str:
    """A header value such that its latin-1 bytes are those the upstream sent."""
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


def _malformed(detail: str) -> Fault:
    return Fault(400, "malformed-path", "The path cannot be passed on", detail)
