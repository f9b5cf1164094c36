"""Running calls: whatever happens in one, except being cancelled from outside, becomes a reply."""

import asyncio
import logging
from typing import Final

import msgspec

from capably.plan.caller import InputRequiredError, Invoke
from capably.plan.outcome import Fault, Outcome
from capably.servers.mcp_call import Call
from capably.servers.mcp_caller import McpCaller, Say
from capably.servers.mcp_features import Dialogue
from capably.servers.mcp_messages import ProtocolError, Reply
from capably.servers.mcp_state import Memory
from capably.upstream.reply import UpstreamError

_LOGGER: Final = logging.getLogger("capably.mcp")

NOTHING: Final = Reply(202, b"")
"""What a call that its client cancelled is answered with: no message (MCP 2025-11-25, Cancellation)."""


async def perform(call: Call, invoke: Invoke, cap: int, say: Say | None) -> Reply:
    """Run a call to its end.

    Args:
        call: what is to be run, and for whom.
        invoke: runs it.
        cap: how many bytes a streamed answer may have.
        say: sends the client messages meanwhile, if it takes any.
    """
    with _Cancellable(call):
        return await _run(call, invoke, cap, McpCaller(call, say))
    return NOTHING


async def _run(call: Call, invoke: Invoke, cap: int, caller: McpCaller) -> Reply:
    work = call.work
    try:
        if isinstance(work, Dialogue):
            return call.end(await work.hold(caller))
        outcome = await invoke(work.operation, work.inputs, caller)
        return call.answer(work, outcome if outcome.stream is None else await collected(outcome, cap))
    except InputRequiredError as needed:
        return call.come_again(needed.questions, Memory(caller.journal, call.memory.answers))
    except Fault as fault:
        return call.refuse(fault)
    except ProtocolError as error:
        return call.fail(error)
    except Exception:
        _LOGGER.exception("the call of %s broke down", call.name)
        return call.crash()


class _Cancellable:
    """While this context lasts, a session's client can cancel the call by the id of its request.

    The task goes on behind it then: it may be that of a connection, which answers other requests as well.
    """

    __slots__ = ("_is_cancelled", "_request_id", "_session", "_task")

    def __init__(self, call: Call) -> None:
        self._session = call.client.session
        self._request_id = call.request_id
        self._task: asyncio.Task[object] | None = None
        self._is_cancelled = False

    def __enter__(self) -> None:
        if self._session is not None and self._request_id is not None:
            self._task = asyncio.current_task()
            self._session.running[self._request_id] = self._cancel
            self._session.in_use += 1

    def _cancel(self) -> None:
        if self._task is not None and not self._is_cancelled:
            self._is_cancelled = True
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_exc: object) -> bool:
        if self._session is None or self._request_id is None or self._task is None:
            return False
        self._session.in_use -= 1
        if self._session.running.get(self._request_id) == self._cancel:
            del self._session.running[self._request_id]
        # Somebody else may have cancelled the task as well, as who hangs up does.
        return self._is_cancelled and self._task.uncancel() == 0 and kind is asyncio.CancelledError


async def collected(outcome: Outcome, cap: int) -> Outcome:
    """The outcome with its stream, if it has one, read to the end and closed.

    Raises:
        Fault: the stream broke off, or is longer than ``cap`` bytes.
    """
    stream = outcome.stream
    if stream is None:
        return outcome
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in stream:
            size += len(chunk)
            if size > cap:
                detail = f"it did not end within {cap:,} bytes: ask for less, or for an answer that is no stream"
                raise Fault(502, "upstream-too-large", "The upstream's answer is too large", detail)
            chunks.append(chunk)
    except UpstreamError as problem:
        # The reason may name hosts, so it is for the operator only.
        _LOGGER.warning("a streamed answer broke off: %s", problem.reason)
        detail = "it ended before it was complete: try again"
        raise Fault(502, f"upstream-{problem.trouble.value}", "The upstream's answer broke off", detail) from problem
    finally:
        await stream.aclose()
    return msgspec.structs.replace(outcome, body=b"".join(chunks), stream=None)
