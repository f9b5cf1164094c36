"""Passing a request on through a forward: its body goes up as it arrives, the answer comes down as it arrives.

Nothing is kept: whoever reads decides how fast the other side may send. When the caller goes away the upstream call is
cancelled, wherever it is.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

import msgspec

from capably.plan.operation import Forward
from capably.plan.outcome import Passage, PassOn
from capably.servers.http import (
    Limits,
    Receive,
    Scope,
    Send,
    header,
    read_body,
    send_body,
    send_stream,
    text_of,
    while_connected,
)
from capably.servers.router import Match


class _Arriving:
    """The body of a request while it arrives. It is read once, by whoever passes it on."""

    def __init__(self, receive: Receive, *, is_empty: bool) -> None:
        """Know where messages come from; of a body that is empty there is nothing to read."""
        self._receive = receive
        self._let_go = asyncio.Event()
        if is_empty:
            self._let_go.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    self._let_go.set()
                    await asyncio.get_running_loop().create_future()  # until the call is cancelled
                if message.get("body"):
                    yield message["body"]
                if not message.get("more_body", False):
                    return
        finally:
            self._let_go.set()

    async def gone(self) -> None:
        """Wait until the caller is gone. What nobody reads of the body any more is read here, and dropped."""
        await self._let_go.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Exchange(msgspec.Struct, frozen=True):
    """One request of a caller and the way to answer it, as ASGI hands them over."""

    scope: Scope
    receive: Receive
    send: Send


async def pass_through(forward: Forward, match: Match, exchange: Exchange, pass_on: PassOn, limits: Limits) -> None:
    """Pass one request on and send its answer.

    Raises:
        Fault: the path cannot be passed on, or the upstream gave no answer.
        StreamBrokenError: the answer broke off after it had begun.
    """
    scope, receive, send = exchange.scope, exchange.receive, exchange.send
    is_empty = header(scope, b"transfer-encoding") is None and (header(scope, b"content-length") or "0") == "0"
    arriving = _Arriving(receive, is_empty=is_empty or forward.reads_body)
    body: AsyncIterable[bytes] | bytes | None = None if is_empty else arriving
    if forward.reads_body and not is_empty:
        body = await read_body(scope, receive, limits.body_bytes)
    passage = _passage(forward, match, scope, body)
    await while_connected(arriving.gone, _answer(forward, passage, send, pass_on))


async def _answer(forward: Forward, passage: Passage, send: Send, pass_on: PassOn) -> None:
    outcome = await pass_on(forward, passage)
    if outcome.stream is None:
        await send_body(send, outcome.status, outcome.media_type, outcome.body, outcome.headers)
    else:
        await send_stream(send, outcome, outcome.stream)


def _passage(forward: Forward, match: Match, scope: Scope, body: AsyncIterable[bytes] | bytes | None) -> Passage:
    names = [name for segment in forward.route.segments if not isinstance(segment, str) for name in segment[1::2]]
    places = dict(zip(names, match.values, strict=True))
    return Passage(
        method=scope["method"],
        rest=match.rest.decode("latin-1") if match.rest is not None else None,
        query=scope["query_string"].decode("latin-1"),
        values={item.name: places[item.wire_name] for item in forward.inputs if item.wire_name in places},
        headers=tuple((name.decode("latin-1").lower(), text_of(value)) for name, value in scope["headers"]),
        body=body,
    )
