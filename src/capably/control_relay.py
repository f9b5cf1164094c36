"""With several workers, what is changed in one is changed in all: the first has the control server, and tells the rest.

The others have the same control server without an address. They are asked over the door by which workers bring each
other requests, with a secret that the supervisor hands to all of them.
"""

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any, Final

from capably.plan.outcome import Fault
from capably.relay import Neighbours
from capably.servers.http import Application, ClientGoneError, Receive, Scope, Send, read_body, send_fault
from capably.upstream.reply import UpstreamError
from capably.upstream.request import Request
from capably.worker_gate import proof

_log = logging.getLogger("capably.control")

DOOR_NAME: Final = "*control"
"""What the control server of a worker is called at its door; no namespace can be called so."""
_CHANGES: Final = ("/scripting", "/logs/", "/config/reload")
_RELOADS: Final = {"/console/reload": "/config/reload"}
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED: Final = 300
_BODY_BYTES: Final = 64 * 1024


class ControlRelay:
    """The control server of the first worker, which has what changes something done by all: an ASGI application."""

    def __init__(self, application: Application, neighbours: Neighbours, state_key: str) -> None:
        """Stand before the control server of this worker."""
        self._application = application
        self._neighbours = neighbours
        self._proof = proof(state_key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path: str = _RELOADS.get(scope["path"]) or scope["path"]
        if scope["method"] in _READS or not path.startswith(_CHANGES):
            await self._application(scope, receive, send)
            return
        try:
            body = await read_body(scope, receive, _BODY_BYTES)
            answer = await self._own(scope, body, receive)
            if answer[0]["status"] < _REFUSED:
                await self._tell_others(scope["method"], path, body)
        except Fault as fault:
            await send_fault(send, fault)
            return
        except ClientGoneError:
            return
        for message in answer:
            await send(message)

    async def _own(self, scope: Scope, body: bytes, receive: Receive) -> list[MutableMapping[str, Any]]:
        """What this worker answers, with the message that begins the answer first."""
        messages: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
        answer: list[MutableMapping[str, Any]] = []

        async def given() -> MutableMapping[str, Any]:
            return messages.pop() if messages else await receive()

        async def keep(message: MutableMapping[str, Any]) -> None:
            answer.append(message)

        await self._application(scope, given, keep)
        return answer

    async def _tell_others(self, method: str, path: str, body: bytes) -> None:
        """Have the others do the same.

        Raises:
            Fault: status 502, one of them did not; this one and perhaps others did.
        """
        seat = self._neighbours.seat
        others = [number for number in range(1, len(seat.doors) + 1) if number != seat.number]
        headers = (self._proof, ("content-type", "application/json"))
        request = Request(method, f"/{DOOR_NAME}{path}", headers, body or None)
        told = await asyncio.gather(*(self._ask(number, request) for number in others))
        problems = [f"worker {number}: {problem}" for number, problem in zip(others, told, strict=True) if problem]
        if problems:
            _log.error("%s %s was not done by all workers: %s", method, path, "; ".join(problems))
            raise Fault(502, "not-all-workers", "Not all workers did what was asked", "; ".join(problems))

    async def _ask(self, number: int, request: Request) -> str:
        """What went wrong, empty when nothing did."""
        try:
            reply = await self._neighbours.fetch(number, request)
        except UpstreamError as problem:
            return f"it gives no answer: {problem.reason}"
        return f"it answers {reply.status}" if reply.status >= _REFUSED else ""
