"""Running calls: whatever happens in one, except being cancelled, becomes a reply."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
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


async def perform(call: Call, invoke: Invoke, cap: int, say: Say | None) -> Reply:
    """Run a call to its end.

    Args:
        call: what is to be run, and for whom.
        invoke: runs it.
        cap: how many bytes a streamed answer may have.
        say: sends the client messages meanwhile, if it takes any.
    """
    caller = McpCaller(call, say)
    try:
        with _cancellable(call) if call.client.session is not None else _BY_NOBODY:
            work = call.work
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


_BY_NOBODY: Final = contextlib.nullcontext()


@contextlib.contextmanager
def _cancellable(call: Call) -> Iterator[None]:
    """While the context lasts, the client can cancel the call by the id of its request."""
    session, request_id, task = call.client.session, call.request_id, asyncio.current_task()
    if session is None or request_id is None or task is None:
        yield
        return
    cancel = task.cancel
    session.running[request_id] = cancel
    session.in_use += 1
    try:
        yield
    finally:
        session.in_use -= 1
        if session.running.get(request_id) == cancel:
            del session.running[request_id]


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
