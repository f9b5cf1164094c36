"""What every request passes before it reaches a route: its id, its host, its key, its size.

Pure ASGI, so that a refusal costs nothing and a streamed answer is not held back.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from capably.threads.errors import ApiError, error_body
from capably.threads.keys import Holder
from capably.threads.objects import new_id
from capably.threads.rates import Rates
from capably.threads.settings import LOOPBACK_NAMES

log = logging.getLogger("capably.threads")

OPEN_PATHS = frozenset({"/", "/health", "/v1/health", "/openapi.json", "/docs"})
Check = Callable[[str], Awaitable[Holder | None]]


VERSION = "/v1"
_BEARER = {"www-authenticate": "Bearer"}


class TooLarge(HTTPException):
    """A body over the limit, noticed while it is read."""

    def __init__(self, limit: int) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {limit} bytes.")


class Guard:
    """Lets a request through to the application, or answers it with a refusal.

    Args:
        app: the application behind it.
        holder: says whose a bearer key is, or that it opens nothing.
        rates: counts the requests of each key.
        only_loopback: refuse host names that are not this machine's, as a web page that rebinds its own
            name to 127.0.0.1 would send.
        max_body: bytes a request body may have.
        advice: how to get a key, said with a refusal.
    """

    def __init__(
        self, app: ASGIApp, *, holder: Check, rates: Rates, only_loopback: bool, max_body: int, advice: str
    ) -> None:
        self._app = app
        self._holder = holder
        self._rates = rates
        self._only_loopback = only_loopback
        self._max_body = max_body
        self._advice = advice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(VERSION + "/"):
            scope["root_path"] = VERSION  # what routes are looked up without (ASGI, root_path)
        answer = _Answer(send)
        try:
            await self._admit(scope)
            await self._app(scope, _limited(receive, self._max_body), answer.send)
        except ApiError as refusal:
            await answer.refuse(refusal.status, refusal.as_body(), refusal.headers)
        except Exception:
            log.exception("%s %s failed (%s)", scope["method"], scope["path"], answer.request_id)
            if answer.started:
                raise
            message = f"The service failed in a way it should not. Its log says how, under {answer.request_id}."
            await answer.refuse(500, error_body(500, message, code="internal_error"), {})

    async def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if self._only_loopback and _host_name(headers.get("host", "")) not in LOOPBACK_NAMES:
            message = "This service answers on this machine only, as localhost, 127.0.0.1 or [::1]."
            raise ApiError(HTTPStatus.MISDIRECTED_REQUEST, message, code="invalid_host")
        if scope["path"] not in OPEN_PATHS:
            known = await self._check_key(headers.get("authorization", ""))
            scope.setdefault("state", {})["tenant"] = known.tenant
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_body:
            raise ApiError(413, f"The body is larger than {self._max_body} bytes.", code="body_too_large")

    async def _check_key(self, authorization: str) -> Holder:
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            message = f"This needs a bearer key: send 'Authorization: Bearer KEY'. {self._advice}"
            raise ApiError(HTTPStatus.UNAUTHORIZED, message, code="missing_api_key", headers=_BEARER)
        known = await self._holder(key.strip())
        if known is None:
            message = f"This key is unknown here or revoked. {self._advice}"
            raise ApiError(HTTPStatus.UNAUTHORIZED, message, code="invalid_api_key", headers=_BEARER)
        if wait := ceil(self._rates.take(known.key_id)):
            message = f"This key makes more requests than it may. Try again in {wait} seconds."
            headers = {"retry-after": str(wait)}
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, message, code="rate_limit_exceeded", headers=headers)
        return known


class _Answer:
    """The answer of one request: adds its id, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.request_id = new_id("req")
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            MutableHeaders(scope=message)["x-request-id"] = self.request_id
        await self._send(message)

    async def refuse(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        data = json.dumps(body).encode()
        told = {"content-type": "application/json", "content-length": str(len(data)), **headers}
        raw = [(name.encode(), value.encode()) for name, value in told.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": data})


def _host_name(host: str) -> str:
    """The name in a Host header, lower case, without its port: `[::1]:8890` gives `[::1]`."""
    name, colon, port = host.strip().lower().rpartition(":")
    return name if colon and port.isdecimal() else host.strip().lower()


def _limited(receive: Receive, limit: int) -> Receive:
    """Count what is received: a chunked body announces no length."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLarge(limit)
        return message

    return counted
