"""The ASGI application of a mock: reads requests, sends answers, tells each on the log."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from random import SystemRandom
from typing import TypeAlias
from urllib.parse import parse_qsl

from capably.mock.answer import Answer, Mock
from capably.mock.api import Api, Place
from capably.mock.request import Request
from capably.plan.outcome import Fault
from capably.servers.http import (
    Application,
    ClientGoneError,
    Limits,
    Receive,
    Scope,
    Send,
    check_origin,
    read_body,
    send_body,
    send_fault,
)

_log = logging.getLogger("capably.mock")
_INTERNAL = Fault(500, "internal", "Something went wrong in the server", "the server's log says what happened")
_LONGEST_LOGGED = 500

Log: TypeAlias = Callable[[str], None]
"""Takes a line for whoever watches the mock."""


def build_app(api: Api, mock: Mock, limits: Limits, log: Log) -> Application:
    """The ASGI application of a mock."""
    chance = SystemRandom()
    secret = frozenset(scheme.key for scheme in api.schemes if scheme.place is Place.QUERY)

    def told(scope: Scope, status: int, story: str, start: float, *remarks: str) -> str:
        first = "  ".join(filter(None, (_target(scope, secret), str(status), story, _since(start))))
        return "\n".join(_printable(line) for line in (first, *(f"  ! {remark}" for remark in remarks)))

    async def respond(scope: Scope, receive: Receive) -> Answer:
        check_origin(scope, limits)
        body = await read_body(scope, receive, limits.body_bytes)
        return mock.answer(_request(scope, body), lambda: datetime.now(UTC), chance)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        is_head = scope["method"] == "HEAD"
        try:
            answer = await respond(scope, receive)
        except ClientGoneError:
            return
        except Fault as fault:
            log(told(scope, fault.status, str(fault), start))
            await send_fault(send, fault, head=is_head)
            return
        except Exception:  # noqa: BLE001 -- the last resort: whatever happens, the caller gets a problem
            _log.exception("%s %s failed", scope["method"], scope["path"])
            await send_fault(send, _INTERNAL, head=is_head)
            return
        log(told(scope, answer.status, answer.story, start, *answer.remarks))
        await send_body(send, answer.status, answer.media_type, answer.body, answer.headers, head=is_head)

    return app


def _request(scope: Scope, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text  # RFC 9110, section 5.3
    query = tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Request(scope["method"], scope["raw_path"].decode("latin-1"), query, headers, body)


def _target(scope: Scope, secret: frozenset[str]) -> str:
    """``GET /ships?status=active``; keys in the query are not told."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    query = "&".join(f"{name}={'***' if name in secret else value}" for name, value in pairs)
    return f"{scope['method']} {scope['raw_path'].decode('latin-1')}" + (f"?{query}" if query else "")


def _since(start: float) -> str:
    return f"{(time.perf_counter() - start) * 1000:.1f} ms"


def _printable(line: str) -> str:
    """A line that cannot drive a terminal."""
    cut = line if len(line) <= _LONGEST_LOGGED else f"{line[:_LONGEST_LOGGED]}..."
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)
