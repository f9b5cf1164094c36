"""The client as the other end of a running call: what a flow tells it and asks of it, as MCP messages.

In the legacy era a question is a request to the client, and the call waits for the answer; in the modern one the call
ends with its questions and comes again with the answers (MCP 2026-07-28, Multi Round-Trip Requests).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from capably.plan.caller import Ability, InputRequiredError, Question, cannot_ask
from capably.plan.caller import Response as Answer
from capably.plan.outcome import Fault
from capably.servers.mcp_call import Call, asked_as, capability_of, lacking
from capably.servers.mcp_eras import Era
from capably.servers.mcp_messages import Response, encode_notification, encode_request

Say: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Sends one message to the client while its call runs; waits when the client is slow to take it."""

ANSWER_S: Final = 600.0
"""How long a legacy client may take to answer, in seconds: a person may have to think."""

_ACTIONS: Final = frozenset({"accept", "decline", "cancel"})


class McpCaller:
    """The client of one call; ``say`` is ``None`` when nothing can be sent to it before the call ends."""

    def __init__(self, call: Call, say: Say | None) -> None:
        """Remember what earlier rounds of the call gave."""
        self.journal: dict[str, Any] = dict(call.memory.journal)
        self.trace = call.client.trace
        self._call = call
        self._client = call.client
        self._say = say
        self._progress: float | None = None

    async def ask(self, question: Question) -> Answer:
        """Ask, and wait for the answer.

        Raises:
            Fault: this client cannot be asked, or did not answer.
            ProtocolError: it did not declare that it can be asked (modern era).
            InputRequiredError: the answer can only come with another call (modern era).
        """
        (answer,) = await self.ask_all((question,))
        return answer

    async def ask_all(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Ask several questions at once, and wait for all answers; raises what :meth:`ask` raises."""
        if self._call.era is Era.MODERN:
            return self._answers(questions)
        return tuple(await asyncio.gather(*(self._request(question) for question in questions)))

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Tell how far the call is, if the client asked for it; it only ever grows (MCP 2025-11-25, Progress)."""
        if self._say is None or self._client.token is None or (self._progress is not None and done <= self._progress):
            return
        self._progress = done
        params: dict[str, Any] = {"progressToken": self._client.token, "progress": done}
        if total is not None:
            params["total"] = total
        if message:
            params["message"] = message
        await self._say(encode_notification("progress", params))

    async def log(self, level: str, text: str) -> None:
        """Tell something worth knowing, if the client wants to know it."""
        if self._say is not None and self._client.wants(level):
            params = {"level": level, "logger": self._call.name, "data": text}
            await self._say(encode_notification("message", params))

    def _answers(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """The answers that came with this round.

        What a client can be asked is asked first, so that none is ever asked for what it did not declare; what is
        left then is an error.
        """
        given = [_answer(question, self._call.memory.answers.get(question.key)) for question in questions]
        pairs = list(zip(questions, given, strict=True))
        open_ones = [question for question, answer in pairs if answer is None]
        can = [question for question in open_ones if question.ability in self._client.abilities]
        if can:
            raise InputRequiredError(*can)
        if open_ones:
            raise lacking(open_ones)
        return tuple(answer for answer in given if answer is not None)

    async def _request(self, question: Question) -> Answer:
        session = self._client.session
        if session is None or self._say is None:
            raise cannot_ask(question, "which needs a session that `initialize` began and an event stream to ask on")
        if question.ability not in self._client.abilities:
            why = f"but the client did not declare the capability `{capability_of(question)}`"
            raise cannot_ask(question, why)
        request_id = session.next_question()
        waiting: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        session.asked[request_id] = waiting.set_result
        try:
            await self._say(encode_request(request_id, *asked_as(question, Era.LEGACY)))
            async with asyncio.timeout(ANSWER_S):
                response = await waiting
        except TimeoutError:
            params = {"requestId": request_id, "reason": "no answer came in time"}
            await self._say(encode_notification("cancelled", params))
            raise cannot_ask(question, f"who did not answer within {ANSWER_S:.0f} seconds") from None
        finally:
            session.asked.pop(request_id, None)
        answer = _answer(question, response.result)
        if answer is None:
            raise _unusable(question)
        return answer


def _answer(question: Question, given: object) -> Answer | None:
    """The answer that was given, ``None`` when there is none that can be used."""
    if not isinstance(given, Mapping):
        return None
    if question.ability is not Ability.ELICIT:
        needed = "roots" if question.ability is Ability.ROOTS else "content"
        return Answer("accept", dict(given)) if needed in given else None
    action, content = given.get("action"), given.get("content")
    if action not in _ACTIONS:
        return None
    if action != "accept":
        return Answer(str(action))
    if not isinstance(content, Mapping) or not _fits(question.schema, content):
        return None
    return Answer("accept", dict(content))


_CHECKS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
}


def _fits(schema: Mapping[str, Any], content: Mapping[str, Any]) -> bool:
    """Whether a form was filled in: all that is required is there, and every field is of its type.

    Forms are flat objects of plain fields (MCP 2025-11-25, Elicitation: Requested Schema).
    """
    if any(name not in content for name in schema.get("required", ())):
        return False
    fields = schema.get("properties", {})
    return all(_is_of_type(fields[name], value) for name, value in content.items() if name in fields)


def _is_of_type(field: Mapping[str, Any], value: object) -> bool:
    kind = _CHECKS.get(str(field.get("type", "")))
    if kind is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
        return False
    choices = field.get("enum")
    return not choices or value in choices


def _unusable(question: Question) -> Fault:
    detail = f"what came back for `{question.key}` is an error, or not what was asked for"
    return Fault(502, "caller-answer-unusable", "The caller's answer cannot be used", detail)
