"""Answers as AIMLAPI gives them, for clients written for it.

It says 201 to every POST, lists the runs of a thread as a bare array, and has an error body of its own. Its ids are
bare UUIDs; those are made where objects are.
"""

import json
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_RUNS = re.compile(r"(/v1)?/threads/[^/]+/runs")


class Aimlapi:
    """Rewrites the answers of the application behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        await self._app(scope, receive, answer.send)


class _Answer:
    """One answer: passed on as it comes, or gathered where its body has to be written anew."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]
            listed = self._scope["method"] == "GET" and _RUNS.fullmatch(self._scope["path"]) is not None
            if status >= HTTPStatus.BAD_REQUEST or listed:
                self._start = message
                return
            if self._scope["method"] == "POST" and status == HTTPStatus.OK:
                message["status"] = HTTPStatus.CREATED
        elif self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)
            return
        await self._send(message)

    async def _finish(self, start: Message) -> None:
        body = json.dumps(self._rewritten(start)).encode()
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await self._send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
        await self._send({"type": "http.response.body", "body": body})

    def _rewritten(self, start: Message) -> Any:
        found = json.loads(self._body or b"{}")
        if start["status"] < HTTPStatus.BAD_REQUEST:
            return found["data"]
        headers = {name.lower(): value for name, value in start["headers"]}
        return {
            "message": found["error"]["message"],
            "path": self._scope["path"],
            "requestId": headers.get(b"x-request-id", b"").decode(),
            "statusCode": start["status"],
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
