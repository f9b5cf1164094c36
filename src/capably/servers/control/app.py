"""The control server as an ASGI application: who may ask, what is asked for, and the answer."""

import asyncio
import logging
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any, Final

from capably.plan.control import CONSOLE, Control
from capably.plan.operation import ServerPlan
from capably.plan.outcome import Fault, Headers
from capably.servers.control.asked import Answer, Asked, EventStream, Instruments, Page, Room
from capably.servers.control.endpoints import find, not_enabled
from capably.servers.control.last_reload import LastReload
from capably.servers.control.levels import Levels
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import (
    ClientGoneError,
    Limits,
    Receive,
    Scope,
    Send,
    check_origin,
    check_same_origin,
    problem_body,
    read_body,
    send_body,
    until_answered,
)

_log = logging.getLogger("capably.control")

SAFETY: Final[Headers] = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"))
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_INTERNAL: Final = Fault(500, "internal", "Something went wrong in the server", "the server's log says what happened")


class ControlServer:
    """The control server of one process: an ASGI application. :meth:`close` ends what it has begun."""

    def __init__(
        self,
        plan: ServerPlan,
        instruments: Instruments,
        limits: Limits,
        gatekeeper: Gatekeeper,
        page: Page | None = None,
    ) -> None:
        """Know the process.

        Args:
            plan: the control server, with what it may show and do.
            instruments: the process.
            limits: caps, and whether only this machine may ask.
            gatekeeper: asks callers who they are.
            page: the console, which answers below ``/`` and ``/console/`` where ``management.console`` allows it.
        """
        telemetry = instruments.telemetry
        self._plan = plan
        self._limits = limits
        self._gatekeeper = gatekeeper
        self._page = page
        self._streams: set[asyncio.Task[None]] = set()
        self._room = Room(
            instruments,
            plan.control or Control(),
            LastReload(instruments.desk),
            Levels(telemetry.logs) if telemetry is not None else None,
        )

    def follow(self, plan: ServerPlan, page: Page | None = None) -> None:
        """Ask callers, and allow, as this plan says from now on; with a new console, if there is one."""
        if page is not None and self._page is not None:
            self._page.close()
        self._plan, self._page = plan, page or self._page
        self._room = replace(self._room, control=plan.control or Control())

    def close(self) -> None:
        """End streams, take back changed levels, hear no more of reloads."""
        for stream in self._streams:
            stream.cancel()
        if self._room.levels is not None:
            self._room.levels.close()
        self._room.last_reload.close()
        if self._page is not None:
            self._page.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_head = scope["method"] == "HEAD"
        has_begun = False

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._respond(scope, receive, noting)
        except Fault as fault:
            await _send_fault(send, fault, head=is_head)
        except ClientGoneError:
            return
        except Exception:  # the last resort: whatever happens, the caller gets a problem
            if has_begun:
                raise  # the connection is cut: what has begun cannot become one
            _log.exception("%s %s failed", scope["method"], scope["path"])
            await _send_fault(send, _INTERNAL, head=is_head)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        check_origin(scope, self._limits)
        method, path = scope["method"], scope["path"]
        page = self._page if self._page is not None and self._page.has(path) else None
        is_shown = page is not None and CONSOLE in self._room.control.allows
        if page is None or not is_shown or not page.is_public(path):
            await self._gatekeeper.admit(self._plan.gate, scope)
        if page is not None:
            if not is_shown:
                raise not_enabled(path, CONSOLE)
            await page.respond(scope, receive, send)
            return
        found = find(path, self._room.control)
        if method == "OPTIONS":
            await send_body(send, 204, None, b"", (*SAFETY, ("allow", found.methods)))
            return
        endpoint = found.endpoint(method)
        if method not in _READS:
            check_same_origin(scope)
        asked = self._plan.gate.asked if self._plan.gate is not None else ()
        proofs = frozenset(name for place, name in asked if place == "query")
        answer = await endpoint.handler(self._room, Asked(scope, receive, found.name, proofs))
        if isinstance(answer, Answer):
            headers = (*SAFETY, *answer.headers)
            await send_body(send, answer.status, answer.media_type, answer.body, headers, head=method == "HEAD")
        else:
            await self._stream(answer, scope, receive, send)

    async def _stream(self, answer: EventStream, scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(scope, receive, 0)  # so that the next message can only be that the caller has left
        work = asyncio.ensure_future(until_answered(scope, receive, _send_events(send, answer, scope["method"])))
        self._streams.add(work)
        try:
            await asyncio.wait({work})
        finally:
            work.cancel()
            await asyncio.wait({work})
            self._streams.discard(work)
            answer.close()


async def _send_events(send: Send, answer: EventStream, method: str) -> None:
    headers = [(name.encode(), value.encode()) for name, value in (*SAFETY, ("content-type", "text/event-stream"))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    try:
        if method != "HEAD":
            async for event in answer.events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
    finally:  # when the server ends as well: what was sent is whole
        await send({"type": "http.response.body", "body": b""})


async def _send_fault(send: Send, fault: Fault, *, head: bool) -> None:
    headers = (*SAFETY, *fault.headers)
    await send_body(send, fault.status, "application/problem+json", problem_body(fault), headers, head=head)
