"""One answer over HTTP: plain JSON, or an event stream once there is something to tell before the answer.

A caller that hangs up cancels its call, unless the call's stream can be gone on with: then it is kept for a while, for
a client that comes back (MCP 2025-11-25, Transports: Sending Messages to the Server, 6; 2026-07-28, Streamable HTTP:
Cancellation).
"""

import asyncio
from contextlib import aclosing
from copy import copy
from itertools import count
from typing import Any, Final, TypeAlias

import msgspec

from capably.plan.caller import Invoke
from capably.servers.http import Receive, Send, send_body, while_connected
from capably.servers.mcp_call import Call
from capably.servers.mcp_changes import LISTS, Change, Changes, Listener
from capably.servers.mcp_features import Listen
from capably.servers.mcp_messages import Reply
from capably.servers.mcp_protocol import Batch
from capably.servers.mcp_running import perform
from capably.servers.mcp_sessions import Session
from capably.servers.mcp_streams import EVENT_STREAM, STREAM_HEADERS, Stream, event_id

RESUME_S: Final = 60.0
"""How long a call whose client was cut off runs on, in seconds, before nobody is expected to come back."""

_MOST_STREAMS: Final = 64
"""How many streams of a session are kept."""

_STANDALONE: Final = "0"
"""The key of the stream that a session's client opens with GET."""

_PRIMED: Final = "2025-11-25"

Work: TypeAlias = Call | Batch


async def send_reply(send: Send, reply: Reply) -> None:
    """Send what is whole."""
    headers = (("mcp-session-id", reply.session_id),) if reply.session_id is not None else ()
    await send_body(send, reply.status, "application/json" if reply.body else None, reply.body, headers)


class Exchange:
    """Answers what needs work.

    Args:
        changes: who wants to be told what.
        invoke: runs operations.
        cap: how many bytes an upstream's stream may have.
    """

    def __init__(self, changes: Changes, invoke: Invoke, cap: int) -> None:
        """Begin with nothing under way."""
        self._changes = changes
        self._invoke = invoke
        self._cap = cap
        self._subscriptions: set[Stream] = set()
        self._runs: set[asyncio.Future[Any]] = set()  # those nobody waits for at present
        self._keys = count(1)

    def successor(self, invoke: Invoke) -> "Exchange":
        """The same, with all that is under way, running operations in another way from now on."""
        twin = copy(self)
        twin._invoke = invoke  # noqa: SLF001 -- its own
        return twin

    @property
    def unattended(self) -> "frozenset[asyncio.Future[Any]]":
        """The calls that run although nobody waits for them at present."""
        return frozenset(self._runs)

    def close(self) -> None:
        """End what has no end of its own, because the server stops."""
        for stream in tuple(self._subscriptions):
            stream.end()
        for run in tuple(self._runs):
            run.cancel()

    async def answer_quietly(self, call: Call, send: Send) -> None:
        """Run a call that is quiet, and send how it ended."""
        await send_reply(send, await perform(call, self._invoke, self._cap, None))

    async def answer(self, work: Work, receive: Receive, send: Send, *, takes_stream: bool) -> None:
        """Run what a message asks for, and send what it tells and how it ended.

        Args:
            work: what to run.
            receive: tells when the caller is gone.
            send: sends to the caller.
            takes_stream: whether the caller accepts an event stream.
        """
        outlet = _Outlet(self, _session_of(work))
        task = asyncio.ensure_future(self._run(work, outlet if takes_stream else None))
        left = asyncio.ensure_future(receive())
        awaited: set[asyncio.Future[Any]] = {task, left, outlet.begun}
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if outlet.stream is not None:
                await self._stream(outlet.stream, task, left, send)
                return
        finally:
            left.cancel()
            if outlet.stream is None and not task.done():
                task.cancel()
                await asyncio.wait({task})
        if not task.cancelled():
            await send_reply(send, task.result())

    async def listen(self, session: Session, last: str | None, receive: Receive, send: Send) -> None:
        """Send what a session's client is told outside its calls, or what it missed of a stream that was cut."""
        key, after = event_id(last) or ("", 0)
        stream = session.streams.get(key)
        if not isinstance(stream, Stream):
            stream = self._standalone(session)
            after = stream.seen
        session.in_use += 1
        try:
            await while_connected(receive, _pump(stream, send, after))
        finally:
            session.in_use -= 1

    async def subscribe(self, wish: Listen, receive: Receive, send: Send) -> None:
        """Send the changes that a client listens to, until it hangs up."""
        stream = Stream()
        stream.offer(wish.greeting)
        lists = frozenset(Change(item) for item in wish.lists)
        leave = self._changes.join(Listener(lists, wish.watched, stream.offer, wish.meta))
        self._subscriptions.add(stream)
        try:
            await while_connected(receive, _pump(stream, send, 0, wish.farewell))
        finally:
            leave()
            self._subscriptions.discard(stream)

    def open_stream(self, session: Session | None) -> Stream:
        """A stream for a call that has something to tell; that of a session can be resumed."""
        if session is None:
            return Stream()
        stream = Stream(str(next(self._keys)), is_primed=(session.version or "") >= _PRIMED)
        session.streams[stream.key] = stream
        if len(session.streams) > _MOST_STREAMS:
            session.streams.pop(_let_go(session)).end()
        return stream

    async def _run(self, work: Work, outlet: "_Outlet | None") -> Reply:
        """Run what is to be run; when its stream has begun, the answer ends it."""
        say = outlet.say if outlet is not None else None
        try:
            if isinstance(work, Call):
                reply = await perform(work, self._invoke, self._cap, say)
            else:
                replies = await asyncio.gather(*(self._in_batch(step, outlet) for step in work.steps))
                reply = Reply(200, msgspec.json.encode([msgspec.Raw(item.body) for item in replies if item.body]))
            if outlet is not None and outlet.stream is not None and reply.body:
                await outlet.stream.send(reply.body)
            return reply
        finally:
            if outlet is not None and outlet.stream is not None:
                outlet.stream.end()

    async def _in_batch(self, step: Reply | Call, outlet: "_Outlet | None") -> Reply:
        """The reply of one of several; one that its client cancels has none, and the others go on."""
        if isinstance(step, Reply):
            return step
        return await perform(step, self._invoke, self._cap, outlet.say if outlet else None)

    async def _stream(
        self, stream: Stream, task: "asyncio.Future[Reply]", left: "asyncio.Future[Any]", send: Send
    ) -> None:
        """Send a call's stream until it ends or the caller is gone."""
        pumping = asyncio.ensure_future(_pump(stream, send, 0))
        try:
            await asyncio.wait({pumping, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pumping.cancel()
            await asyncio.wait({pumping})
            if not task.done():
                self._leave(stream, task)

    def _leave(self, stream: Stream, task: "asyncio.Future[Reply]") -> None:
        """Nobody reads a call's stream any more: cancel the call, at once or when its client does not come back."""
        if not stream.key:
            task.cancel()
            return
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        asyncio.get_running_loop().call_later(RESUME_S, lambda: stream.is_read or task.cancel())

    def _standalone(self, session: Session) -> Stream:
        """The stream a session hears of changes on."""
        stream = session.streams.get(_STANDALONE)
        if isinstance(stream, Stream):
            return stream
        stream = Stream(_STANDALONE)
        session.streams[_STANDALONE] = stream
        listener = Listener(frozenset(LISTS.values()), session.watched, stream.offer, {})
        session.endings.append(self._changes.join(listener))
        return stream


class _Outlet:
    """Where a call says things: the first of them opens its stream."""

    def __init__(self, exchange: Exchange, session: Session | None) -> None:
        self.stream: Stream | None = None
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._exchange = exchange
        self._session = session

    async def say(self, message: bytes) -> None:
        if self.stream is None:
            self.stream = self._exchange.open_stream(self._session)
            self.begun.set_result(None)
        await self.stream.send(message)


def _session_of(work: Work) -> Session | None:
    calls = (work,) if isinstance(work, Call) else (step for step in work.steps if isinstance(step, Call))
    return next((call.client.session for call in calls), None)


def _let_go(session: Session) -> str:
    """The stream to let go of: the oldest whose call has ended, else the oldest call's."""
    calls = [(key, stream) for key, stream in session.streams.items() if key != _STANDALONE]
    ended = (key for key, stream in calls if isinstance(stream, Stream) and stream.has_ended)
    return next(ended, calls[0][0])


async def _pump(stream: Stream, send: Send, after: int, farewell: bytes = b"") -> None:
    """Send the events of a stream; ``farewell`` is the message that says the server has ended it."""
    headers = [(name.encode(), value.encode()) for name, value in (("content-type", EVENT_STREAM), *STREAM_HEADERS)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async with aclosing(stream.read(after)) as events:
        async for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
    last = b"event: message\ndata: " + farewell + b"\n\n" if farewell and stream.has_ended else b""
    await send({"type": "http.response.body", "body": last})
