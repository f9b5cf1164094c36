"""Who called: what a running operation may tell its caller, and ask of it.

Most callers only wait for the outcome. An MCP client can be told how far a long flow is, and may be asked for what the
flow needs from a person or a model. How a question travels is the server's affair: in the legacy era of MCP as a
request to the client, in the modern one as a result that asks for input, after which the call comes again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from capably.plan.operation import Inputs, Operation
from capably.plan.outcome import Fault, Outcome
from capably.plan.trace_context import NO_TRACE, TraceContext


class Ability(StrEnum):
    """What a caller can be asked to do."""

    ELICIT = "elicit"
    SAMPLE = "sample"
    ROOTS = "roots"


@dataclass(frozen=True, slots=True)
class Question:
    """What a step asks of the caller.

    ``key`` is the same whenever the same step of the same call asks again. For ``ELICIT``, ``message`` is shown to a
    person and ``schema`` is the JSON Schema of the answer (an object of plain fields). For ``SAMPLE``, ``sampling``
    holds the parameters of MCP's ``sampling/createMessage``. ``ROOTS`` asks for the roots a client works in and has no
    parameters.
    """

    key: str
    ability: Ability
    message: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: ``action`` is ``accept``, ``decline`` or ``cancel``, ``content`` what was given with it.

    A sampled message is an ``accept`` whose content is the result of ``sampling/createMessage``, a list of roots one
    whose content is the result of ``roots/list``.
    """

    action: str
    content: Mapping[str, Any] = field(default_factory=dict)


class InputRequiredError(Exception):
    """The call cannot go on before its caller comes back with answers to ``questions``."""

    def __init__(self, *questions: Question) -> None:
        """Keep what is asked."""
        super().__init__(", ".join(question.key for question in questions))
        self.questions = questions


class Caller(Protocol):
    """The other end of one call.

    ``journal`` holds, by step, what steps gave in earlier rounds of the same call; the runtime adds to it, so that a
    call that comes again repeats nothing. Its values are JSON values. ``trace`` goes with the call's upstream requests.
    """

    journal: dict[str, Any]
    trace: TraceContext

    async def ask(self, question: Question) -> Response:
        """Ask, and wait for the answer.

        Raises:
            Fault: this caller cannot be asked.
            InputRequiredError: the answer can only come with another call.
        """
        ...

    async def ask_all(self, questions: Sequence[Question]) -> tuple[Response, ...]:
        """Ask several questions at once, whose answers do not depend on each other, and wait for all of them.

        Raises:
            Fault: this caller cannot be asked one of them.
            InputRequiredError: the answers that are still missing can only come with another call.
        """
        ...

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Tell how far the call is."""
        ...

    async def log(self, level: str, text: str) -> None:
        """Tell something worth knowing; ``level`` is one of RFC 5424's names, as MCP uses them."""
        ...


def cannot_ask(question: Question, why: str) -> Fault:
    """The fault for a caller that cannot be asked; ``why`` goes on after "asks its caller,"."""
    detail = f"`{question.key}` asks its caller, {why}"
    return Fault(409, "cannot-ask", "This operation needs an answer from its caller", detail)


class SilentCaller:
    """A caller that only waits for the outcome, such as one that came over REST."""

    def __init__(self, trace: TraceContext = NO_TRACE) -> None:
        """Begin without a journal."""
        self.journal: dict[str, Any] = {}
        self.trace = trace

    async def ask(self, question: Question) -> Response:
        """Refuse.

        Raises:
            Fault: always, status 409.
        """
        raise cannot_ask(question, "which only works over MCP, with a client that can be asked")

    async def ask_all(self, questions: Sequence[Question]) -> tuple[Response, ...]:
        """Refuse.

        Raises:
            Fault: always, status 409.
        """
        return tuple([await self.ask(question) for question in questions])

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Keep it."""

    async def log(self, level: str, text: str) -> None:
        """Keep it."""


Invoke: TypeAlias = Callable[[Operation, Inputs, Caller], Awaitable[Outcome]]
"""All that a server knows of the rest of the program: run this operation for this caller.

Raises :class:`Fault`, or :class:`InputRequiredError` when the caller has to come again.
"""
