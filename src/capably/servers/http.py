"""What every HTTP server of capably does alike: read a body within its cap, answer, refuse with a problem.

Errors of ours are RFC 9457 problem details. Requests from web pages of other origins, and requests for a host name
that is not ours, are refused while a server listens on loopback (DNS rebinding).
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable
from urllib.parse import urlsplit

import msgspec

from capably.plan.outcome import Fault, Headers, Outcome
from capably.upstream.reply import ByteStream, UpstreamError

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


@runtime_checkable
class Closing(Protocol):
    """An application with answers that have no end of their own, such as event streams."""

    def close(self) -> None:
        """End them, because the server stops."""
        ...


@runtime_checkable
class Succeeding(Protocol):
    """An application that goes on with the clients of the one before it, as sessions outlive a reload."""

    async def take_over(self) -> None:
        """Do so: the one before it answers no more requests."""
        ...

    @property
    def unattended(self) -> "frozenset[asyncio.Future[Any]]":
        """What runs although no request waits for it."""
        ...


PROBLEM_TYPE = "urn:problem-type:capably:"


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of one server: bytes of a request body, and whether host and origin must be local."""

    body_bytes: int = 10 * 1024 * 1024
    local_only: bool = True


class StreamBrokenError(Exception):
    """An answer broke off after its first part was sent: the server must cut the connection."""


class ClientGoneError(Exception):
    """The caller closed the connection before its request was answered."""


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that lower-case name, decoded as latin-1 (RFC 9110, section 5.5)."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


def text_of(value: bytes) -> str:
    """The text of a header: UTF-8 where it is, as callers write today, else latin-1 (RFC 9110, section 5.5)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """The headers of a request by lower-case name; repeated ones are one list (RFC 9110, section 5.3)."""
    fields = scope["headers"]
    found: dict[bytes, bytes] = dict(fields)
    if len(found) == len(fields):
        return found
    lists: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        lists.setdefault(name, []).append(value)
    return {name: (b"; " if name == b"cookie" else b", ").join(values) for name, values in lists.items()}


async def read_body(scope: Scope, receive: Receive, cap: int) -> bytes:
    """The request body.

    Raises:
        Fault: status 413, the body is larger than ``cap`` bytes.
        ClientGoneError: the connection closed before the body was complete.
    """
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > cap:
        raise too_large(cap)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > cap:
            raise too_large(cap)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def too_large(cap: int) -> Fault:
    """The fault for a body over its cap."""
    return Fault(413, "body-too-large", "The request body is too large", f"send at most {cap:,} bytes")


async def send_body(
    send: Send, status: int, media_type: str | None, body: bytes, headers: Headers = (), *, head: bool = False
) -> None:
    """Send a whole answer. With ``head`` the body is left out, its length told (RFC 9110, section 9.3.2)."""
    fields = _fields(media_type, headers)
    if status not in _BODILESS:
        fields.append((b"content-length", str(len(body)).encode()))
    elif status == _RESET:
        fields.append((b"content-length", b"0"))  # RFC 9110, section 15.3.6: nothing else says that it ends here
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": b"" if head or status in _BODILESS else body})


_BODILESS = frozenset({204, 205, 304})
_RESET = 205


async def send_head(send: Send, outcome: Outcome) -> None:
    """Answer HEAD for a body whose length is only known where a header says it (RFC 9110, section 8.6)."""
    fields = _fields(outcome.media_type, outcome.headers)
    await send({"type": "http.response.start", "status": outcome.status, "headers": fields})
    await send({"type": "http.response.body", "body": b""})


async def send_stream(send: Send, outcome: Outcome, stream: ByteStream) -> None:
    """Send an answer as it arrives, and close its stream whatever happens.

    Raises:
        StreamBrokenError: the upstream broke off. The answer has begun, so the connection must be cut.
    """
    fields = _fields(outcome.media_type, outcome.headers)
    try:
        await send({"type": "http.response.start", "status": outcome.status, "headers": fields})
        async for chunk in stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        # Closed before the last part is sent: once the answer is complete, the server reports the caller as gone.
        await stream.aclose()
        await send({"type": "http.response.body", "body": b""})
    except UpstreamError as problem:
        raise StreamBrokenError(problem.reason) from problem
    finally:
        await stream.aclose()


def _fields(media_type: str | None, headers: Headers) -> list[tuple[bytes, bytes]]:
    fields = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
    if media_type is not None:
        fields.append((b"content-type", media_type.encode("latin-1", "replace")))
    return fields


def problem_body(fault: Fault) -> bytes:
    """A fault as an RFC 9457 problem detail."""
    problem: dict[str, Any] = {
        "type": PROBLEM_TYPE + fault.kind,
        "title": fault.title,
        "status": fault.status,
        "detail": fault.detail,
    }
    if fault.problems:
        problem["errors"] = [
            {"input": item.input, "in": item.location, "detail": item.message} for item in fault.problems
        ]
    return msgspec.json.encode(problem)


async def send_fault(send: Send, fault: Fault, *, head: bool = False) -> None:
    """Answer with a problem detail."""
    await send_body(send, fault.status, "application/problem+json", problem_body(fault), fault.headers, head=head)


def check_origin(scope: Scope, limits: Limits, is_allowed: Callable[[str], bool] | None = None) -> None:
    """Refuse a request that a web page or a rebound name made us get.

    Args:
        scope: the request.
        limits: whether host and origin must be local.
        is_allowed: whether pages of an origin may call all the same.

    Raises:
        Fault: status 403 (the Origin header is not local) or 421 (the Host header is not local).
    """
    if not limits.local_only:
        return
    host = header(scope, b"host")
    if host is not None and not _is_local(f"//{host}"):
        detail = "this server listens on loopback and answers to localhost, 127.0.0.1 and [::1] only"
        raise Fault(421, "wrong-host", "The Host header is not this server's", detail)
    origin = header(scope, b"origin")
    if origin is not None and not _is_local(origin) and not (is_allowed is not None and is_allowed(origin)):
        detail = "requests from web pages of other origins are refused while the server listens on loopback"
        raise Fault(403, "wrong-origin", "The Origin header is not allowed", detail)


def check_same_origin(scope: Scope) -> None:
    """Refuse what a web page of another origin could make a browser send.

    A page can send texts and forms across origins without being asked for leave, but no JSON (Fetch standard, section
    2.2.2: CORS-safelisted request-header); browsers say where a request comes from (RFC 6454, section 7, and Fetch
    Metadata, section 2.3).

    Raises:
        Fault: status 403, or 415 for a body that is no JSON.
    """
    origin, site = header(scope, b"origin"), header(scope, b"sec-fetch-site")
    is_foreign = origin is not None and origin.partition("://")[2] != header(scope, b"host")
    if is_foreign or site not in {None, "same-origin", "none"}:
        detail = "web pages of other origins may change nothing here"
        raise Fault(403, "wrong-origin", "The Origin header is not allowed", detail)
    media_type = header(scope, b"content-type")
    has_body = header(scope, b"content-length") not in {None, "0"} or header(scope, b"transfer-encoding") is not None
    if (media_type is not None or has_body) and (media_type or "").partition(";")[0].strip().lower() != _JSON:
        detail = f"send `content-type: {_JSON}`, or no body"
        raise Fault(415, "unsupported-media-type", "The body has to be JSON", detail)


_JSON: Final = "application/json"


@lru_cache(maxsize=256)
def _is_local(url: str) -> bool:
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return False
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


DISCONNECT = "capably.disconnect"
"""An ASGI extension of our listeners: a set of functions that are called when the connection is lost.

Other servers tell it only to who waits in ``receive``, for which a task of its own is needed: a tenth of what a whole
request costs.
"""


LASTING = "capably.lasting"
"""An ASGI extension of our listeners: a set. While it holds something, the request only listens to what is told, as
event streams do: it belongs to no document, and no reload waits for its end."""


async def until_answered(scope: Scope, receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work; cancel it when the caller goes away. The request body must have been read."""
    waiting: set[Callable[[], object]] | None = (scope.get("extensions") or {}).get(DISCONNECT)
    task = asyncio.current_task()
    if waiting is None or task is None:
        await while_connected(receive, work)
        return
    is_gone = False

    def leave() -> None:
        nonlocal is_gone
        is_gone = True
        task.cancel()

    waiting.add(leave)
    try:
        await work
    except asyncio.CancelledError:
        if task.cancelling() > is_gone:  # somebody else cancelled it
            raise
    finally:
        waiting.discard(leave)
        if is_gone:
            task.uncancel()


async def while_connected(gone: Callable[[], Awaitable[object]], work: Coroutine[Any, Any, None]) -> None:
    """Do the work; cancel it, and wait for its clean-up, when the caller goes away.

    Args:
        gone: returns when the caller is gone, as ``receive`` does once the request body has been read: the next
            message can only be the disconnect.
        work: what is done meanwhile.
    """
    task = asyncio.ensure_future(work)
    left = asyncio.ensure_future(gone())
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        left.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if not task.cancelled():
        task.result()
