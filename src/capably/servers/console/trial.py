"""Trying an operation from the page: what happens is told as it happens, one JSON object a line.

The operation runs as its callers have it run, with the checks of inputs they meet; only who calls is not asked, for
that was asked by the control server. Questions of a flow are put to the person at the page.
"""

import asyncio
import codecs
import logging
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from time import perf_counter
from typing import Any, Final, TypeAlias

from capably.plan.caller import Ability, InputRequiredError, Invoke, Question, Response, cannot_ask
from capably.plan.effects import Call, Execute, Progress
from capably.plan.inputs import accept
from capably.plan.operation import Kind, Operation
from capably.plan.outcome import Fault, Outcome
from capably.plan.trace_context import NO_TRACE
from capably.servers.console.exchange import (
    Object,
    advice,
    body_json,
    ended_json,
    fault_json,
    outcome_json,
    performed_json,
    refused_json,
)
from capably.servers.console.hiding import hidden
from capably.servers.mcp_eras import Era
from capably.servers.mcp_results import encode_tool_result, result_of, result_of_fault
from capably.servers.mcp_running import collected
from capably.telemetry.redaction import Hide
from capably.upstream.reply import ByteStream, UpstreamError

Events: TypeAlias = asyncio.Queue[Object | None]

STREAM_BYTES: Final = 1024 * 1024
"""How much of a streamed answer is shown; then it is cut."""

_ANSWER_S: Final = 600.0
_LONGEST_LINE: Final = 4096
_log = logging.getLogger("capably.console")


class Trial:
    """One call from the page: who watches it, and whom its flow asks.

    ``id`` cannot be guessed; ``status`` is that of the answer once there is one, 0 until then.
    """

    def __init__(self, operation: Operation, hide: Hide) -> None:
        """Begin with nothing told."""
        self.id = secrets.token_urlsafe(16)
        self.journal: dict[str, Any] = {}
        self.trace = NO_TRACE
        self.status = 0
        self._operation = operation
        self._hide = hide
        self._events: Events = asyncio.Queue()
        self._asked: dict[str, asyncio.Future[Response]] = {}

    @property
    def name(self) -> str:
        """What is tried, as traces name it."""
        operation = self._operation
        route = operation.route
        return f"tools/call {operation.wire_name}" if route is None else f"{route.path} {operation.method}"

    async def run(self, invoke: Invoke, given: Mapping[str, Any], trace_id: str) -> AsyncIterator[Object]:
        """Run the operation, and tell what happens until it has ended; leaving early cancels it."""
        task = asyncio.ensure_future(self._run(invoke, given))
        try:
            yield {"event": "begun", "id": self.id, "trace": trace_id}
            while (event := await self._events.get()) is not None:
                yield event
        finally:
            task.cancel()
            await asyncio.wait({task})

    def respond(self, key: str, response: Response) -> bool:
        """Answer a question of the flow. Whether it waits for one."""
        waiting = self._asked.get(key)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(response)
        return True

    # What the runtime tells (a Watch).

    def performed(self, key: str, effect: Call | Execute, answer: Any, seconds: float) -> None:
        """An upstream call or a script has ended."""
        self._tell(performed_json(key, effect, answer, seconds, self._hide))

    def ended(self, progress: Progress) -> None:
        """A step has ended."""
        self._tell(ended_json(progress, self._hide))

    # What the flow asks and tells (a Caller).

    async def ask(self, question: Question) -> Response:
        """Ask the person at the page, and wait.

        Raises:
            Fault: nobody answered in time, or a person cannot answer that.
        """
        if question.ability is Ability.ROOTS:
            raise cannot_ask(question, "which folders it works in: the console has none")
        waiting: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._asked[question.key] = waiting
        self._tell(_question(question, self._hide))
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await waiting
        except TimeoutError:
            raise cannot_ask(question, f"who did not answer within {_ANSWER_S:g} s") from None
        finally:
            del self._asked[question.key]

    async def ask_all(self, questions: Sequence[Question]) -> tuple[Response, ...]:
        """Ask several questions at once.

        Raises:
            Fault: one of them was not answered.
        """
        return tuple(await asyncio.gather(*map(self.ask, questions)))

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Keep it: the page is told of every step."""

    async def log(self, level: str, text: str) -> None:
        """Tell what the flow says."""
        self._tell({"event": "log", "level": level, "text": self._hide(text)})

    # How it goes.

    def _tell(self, event: Object) -> None:
        self._events.put_nowait(event)

    async def _run(self, invoke: Invoke, given: Mapping[str, Any]) -> None:
        began = perf_counter()
        try:
            end = await self._ended(invoke, given)
            self.status = end["status"]
            self._tell({"event": "outcome", "ms": (perf_counter() - began) * 1000, **end})
        except Exception:  # noqa: BLE001 -- the last resort: the page is told, the log says what
            _log.exception("trying %s broke down", self._operation.name)
            self._tell({"event": "broken", "detail": "something went wrong in this server: its log says what happened"})
        finally:
            self._events.put_nowait(None)

    async def _ended(self, invoke: Invoke, given: Mapping[str, Any]) -> Object:
        try:
            outcome = await invoke(self._operation, accept(self._operation, given), self)
            if self._operation.server is Kind.MCP:
                outcome = await collected(outcome, STREAM_BYTES)
                return self._as_result(encode_tool_result(result_of(self._operation, outcome, Era.MODERN), {}), outcome)
            if outcome.stream is not None:
                await self._told_in_pieces(outcome, outcome.stream)
            return {"advice": advice(outcome), **outcome_json(outcome, self._hide)}
        except InputRequiredError as required:
            detail = f"it asks for {required}, which the console cannot give"
            return self._refused(Fault(409, "cannot-ask", "This operation needs an answer from its caller", detail))
        except Fault as fault:
            return self._refused(fault)

    def _refused(self, fault: Fault) -> Object:
        told = {"fault": fault_json(fault, self._hide)}
        if self._operation.server is Kind.MCP:
            return {**self._as_result(encode_tool_result(result_of_fault(fault), {}), None), **told}
        return {**refused_json(fault, self._hide), **told}

    def _as_result(self, result: bytes, outcome: Outcome | None) -> Object:
        """A tool result: MCP answers with 200 whatever came of the call."""
        is_error = outcome is None or outcome.is_error or self._operation.tells_failure
        body = body_json(result, "application/json", self._hide)
        told = {"status": 200, "is_error": is_error, "is_result": True, "headers": [], "body": body}
        return told if outcome is None else {**told, "advice": advice(outcome)}

    async def _told_in_pieces(self, outcome: Outcome, stream: ByteStream) -> None:
        """Tell a streamed answer as it comes, up to the cap.

        Raises:
            Fault: it broke off.
        """
        self._tell({"event": "head", **outcome_json(outcome, self._hide)})
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        left, waiting = STREAM_BYTES, ""
        try:
            async for chunk in stream:
                waiting += decoder.decode(chunk[:left])
                left -= len(chunk)
                whole, end, rest = waiting.rpartition("\n")  # whole lines: a secret is not cut where a chunk ends
                if end or len(rest) > _LONGEST_LINE or left <= 0:
                    self._tell({"event": "chunk", "text": self._hide(whole + end if end else rest)})
                    waiting = rest if end else ""
                if left <= 0:
                    self._tell({"event": "cut", "detail": f"only the first {STREAM_BYTES:,} bytes are shown"})
                    return
            self._tell({"event": "chunk", "text": self._hide(waiting + decoder.decode(b"", final=True))})
        except UpstreamError as problem:
            _log.warning("a streamed answer broke off: %s", problem.reason)
            detail = "it ended before it was complete; its callers see the connection break"
            raise Fault(502, "upstream-broken", "The upstream's answer broke off", detail) from problem
        finally:
            await stream.aclose()


def _question(question: Question, hide: Hide) -> Object:
    told: Object = {"key": question.key, "ability": question.ability.value, "message": question.message}
    told |= {"schema": dict(question.schema), "sampling": dict(question.sampling)}
    return {"event": "question", **hidden(told, hide)}
