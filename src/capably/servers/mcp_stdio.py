"""MCP over standard input and output: one client, one message a line, both eras.

:class:`Connection` does no I/O of its own: lines come in as they were read, messages go out by a function that is
given. Calls run at the same time, and everything that is said passes one queue, so that no two messages mix (MCP
2026-07-28, stdio; 2025-11-25, Transports: stdio).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec

from capably.plan.caller import Invoke
from capably.plan.outcome import Fault
from capably.servers.mcp_call import Call, error_reply
from capably.servers.mcp_changes import LISTS, Change, Listener
from capably.servers.mcp_eras import Context, Era
from capably.servers.mcp_features import Listen
from capably.servers.mcp_messages import INTERNAL_ERROR, INVALID_REQUEST, ProtocolError, Reply, Response, on_one_line
from capably.servers.mcp_protocol import Batch, Protocol
from capably.servers.mcp_running import perform
from capably.servers.mcp_sessions import Session
from capably.telemetry.entry import RecordedMessages

_MOST_AT_ONCE: Final = 256
_MOST_QUEUED: Final = 1024

_TOO_LONG: Final = error_reply(
    Era.LEGACY, ProtocolError(INVALID_REQUEST, "Invalid request: the message is too large"), None
).body


class Connection:
    """One client on the other end of two pipes.

    Args:
        protocol: decides.
        invoke: runs operations.
        cap: how many bytes a message, or an upstream's stream, may have.
        write: writes bytes; waits while nobody reads them.
        recorded: records messages, if anybody does.
    """

    def __init__(
        self,
        protocol: Protocol,
        invoke: Invoke,
        cap: int,
        write: Callable[[bytes], Awaitable[None]],
        recorded: RecordedMessages | None = None,
    ) -> None:
        """Begin with nothing under way."""
        self._recorded = recorded
        self._protocol = protocol
        self._invoke = invoke
        self._cap = cap
        self._write = write
        self._session = Session()
        self._context = Context(session=self._session)
        self._said: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_QUEUED)
        self._calls: set[asyncio.Task[None]] = set()
        self._farewells: dict[Any, bytes] = {}

    def swap(self, protocol: Protocol, invoke: Invoke) -> None:
        """Answer as a successor of the protocol decides from now on, and tell the client what has changed."""
        before, self._protocol = self._protocol, protocol
        self._invoke = invoke
        protocol.tell_since(before)

    @property
    def calls(self) -> "frozenset[asyncio.Task[None]]":
        """The calls that run just now."""
        return frozenset(self._calls)

    async def serve(self, lines: AsyncIterator[bytes | None], drain_s: float) -> None:
        """Answer messages until there are no more.

        Args:
            lines: the messages; ``None`` stands for one that was too large.
            drain_s: how long calls that still run may take then, in seconds.
        """
        writing = asyncio.create_task(self._writing())
        leave = self._protocol.changes.join(
            Listener(frozenset(LISTS.values()), self._session.watched, self._tell_session, {})
        )
        try:
            async for line in lines:
                await self._take(line)
            self._answer_nothing()
            if self._calls:
                await asyncio.wait(self._calls, timeout=drain_s)
        finally:
            leave()
            for farewell in self._farewells.values():
                self._offer(farewell)
            self._session.end()
            if self._calls:
                await asyncio.wait(self._calls)
            self._said.put_nowait(None) if not self._said.full() else writing.cancel()
            await asyncio.wait({writing})

    async def _take(self, line: bytes | None) -> None:
        if line is None:
            await self._say(_TOO_LONG)
            return
        if not line.strip():
            return
        if self._recorded is None:
            await self._heed(line)
            return
        with self._recorded() as ended:
            task = await self._heed(line)
        if task is None:
            ended()
        else:
            task.add_done_callback(lambda _task: ended())

    async def _heed(self, line: bytes) -> "asyncio.Task[None] | None":
        """Answer a message; what takes longer is a task."""
        try:
            step = self._protocol.handle(line, self._context)
        except Fault:  # who may not use something is told over HTTP only; whoever started this process may use all
            return None
        if isinstance(step, Reply):
            await self._say(step.body)
        elif isinstance(step, Listen):
            await self._listen(step)
        elif len(self._calls) >= _MOST_AT_ONCE:
            await self._refuse(step)
        else:
            task = asyncio.create_task(self._run(step, self._invoke))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
            return task
        return None

    async def _run(self, step: Call | Batch, invoke: Invoke) -> None:
        if isinstance(step, Call):
            await self._say((await perform(step, invoke, self._cap, self._say)).body)
            return
        tasks = [asyncio.create_task(self._reply(item, invoke)) for item in step.steps]
        try:
            await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
        bodies = [msgspec.Raw(task.result().body) for task in tasks if task.result().body]
        if bodies:
            await self._say(msgspec.json.encode(bodies))

    async def _reply(self, step: Reply | Call, invoke: Invoke) -> Reply:
        return await perform(step, invoke, self._cap, self._say) if isinstance(step, Call) else step

    async def _refuse(self, step: Call | Batch) -> None:
        error = ProtocolError(INTERNAL_ERROR, f"Internal error: more than {_MOST_AT_ONCE} calls at once")
        for call in (step,) if isinstance(step, Call) else step.steps:
            if isinstance(call, Call):
                await self._say(call.fail(error).body)

    async def _listen(self, wish: Listen) -> None:
        """Tell changes until the client cancels the request that asked for them."""
        if wish.request_id is None:
            return
        await self._say(wish.greeting)
        lists = frozenset(Change(item) for item in wish.lists)
        leave = self._protocol.changes.join(Listener(lists, wish.watched, self._offer, wish.meta))
        request_id = wish.request_id
        self._farewells[request_id] = wish.farewell

        def stop() -> None:
            leave()
            self._farewells.pop(request_id, None)
            self._session.running.pop(request_id, None)

        self._session.running[request_id] = stop

    def _tell_session(self, message: bytes) -> None:
        """Tell a legacy client, which has initialized; a modern one listens to what it wants."""
        if self._session.version is not None:
            self._offer(message)

    def _answer_nothing(self) -> None:
        """Nobody is there to answer questions any more."""
        for request_id in list(self._session.asked):
            self._session.take(Response(request_id, None))

    async def _say(self, message: bytes) -> None:
        if message:
            await self._said.put(message)

    def _offer(self, message: bytes) -> None:
        """Say something that can be left out when the client does not read."""
        if not self._said.full():
            self._said.put_nowait(message)

    async def _writing(self) -> None:
        while (message := await self._said.get()) is not None:
            await self._write(on_one_line(message) + b"\n")
