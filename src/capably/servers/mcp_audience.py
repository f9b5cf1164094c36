"""Those who listen: requests that last as long as their callers like, whatever plan they began with.

When a server begins to ask its callers for something else, those who are in already are asked again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from capably.plan.outcome import Fault
from capably.plan.principal import Principal
from capably.servers.http import LASTING, Receive, Scope, Send

_LOGGER = logging.getLogger("capably.mcp")

_LEAVING_S: Final = 1.0

Admit: TypeAlias = Callable[[Scope], Awaitable[Principal]]
"""Lets a request in. Raises :class:`Fault`."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seat:
    """One who listens: its request, who it is, whether it has to leave, and whether it has left."""

    scope: Scope
    principal: Principal
    must_leave: asyncio.Event = field(default_factory=asyncio.Event)
    has_left: asyncio.Event = field(default_factory=asyncio.Event)


class Audience:
    """Those who listen to one server."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._seats: dict[_Seat, None] = {}

    @asynccontextmanager
    async def seat(self, scope: Scope, principal: Principal, receive: Receive, send: Send) -> AsyncIterator[Receive]:
        """Listen while the context lasts.

        Gives what returns when the caller has gone or has to leave; who has to leave gets a proper end of its answer.
        """
        seat = _Seat(scope, principal)
        lasting: set[object] = (scope.get("extensions") or {}).get(LASTING, set())
        self._seats[seat] = None
        lasting.add(seat)

        async def gone() -> dict[str, Any]:
            waiting = {asyncio.ensure_future(receive()), asyncio.ensure_future(seat.must_leave.wait())}
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
            return {"type": "http.disconnect"}

        try:
            yield gone
        finally:
            del self._seats[seat]
            lasting.discard(seat)
            seat.has_left.set()
        if seat.must_leave.is_set():
            await send({"type": "http.response.body", "body": b""})

    async def check(self, admit: Admit) -> None:
        """Ask everybody again; who is not let in, or is somebody else now, has to leave, and has left then."""
        seats = tuple(self._seats)
        await asyncio.gather(*(_check(seat, admit) for seat in seats))
        leaving = [asyncio.ensure_future(seat.has_left.wait()) for seat in seats if seat.must_leave.is_set()]
        if leaving:
            await asyncio.wait(leaving, timeout=_LEAVING_S)
            for each in leaving:
                each.cancel()


async def _check(seat: _Seat, admit: Admit) -> None:
    try:
        principal = await admit(seat.scope)
    except Fault:
        seat.must_leave.set()
    except Exception:
        _LOGGER.exception("whether somebody may still listen could not be found out")
        seat.must_leave.set()
    else:
        if principal.subject != seat.principal.subject:
            seat.must_leave.set()
