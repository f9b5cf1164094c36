"""A call that a message asked for: what to run, what its client can be told and asked, and how it ends.

Whoever holds the sockets runs it and ends it with exactly one of the methods that give a :class:`Reply`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from capably.plan.caller import Ability, Question
from capably.plan.outcome import Fault, Outcome
from capably.plan.steps import Flow
from capably.plan.trace_context import NAMES, NO_TRACE, TraceContext, trace_of
from capably.servers.mcp_eras import CAPABILITIES_KEY, LOG_LEVEL_KEY, STATUSES, Context, Era
from capably.servers.mcp_features import Dialogue, Marks, Work
from capably.servers.mcp_messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    MISSING_CAPABILITY,
    Message,
    ProtocolError,
    Reply,
    RequestId,
    encode_error,
    encode_result,
)
from capably.servers.mcp_sessions import CAPABILITIES, Session, abilities_of
from capably.servers.mcp_state import Memory, Seal

LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Log levels, the least severe first (RFC 5424, section 6.2.1)."""

_UNASKED_LEVEL: Final = "info"
"""What a legacy client is told that has not said what it wants (MCP 2025-11-25, Logging: Setting Log Level)."""


class Client(msgspec.Struct, frozen=True):
    """What one request says of the client that sent it.

    ``abilities`` is what it can be asked for, ``level`` the least severe log level it wants (``None``: no log at all),
    ``token`` what its progress is told by, ``trace`` what goes with the upstream requests made for it.
    """

    abilities: frozenset[Ability] = frozenset()
    level: str | None = None
    token: RequestId | None = None
    session: Session | None = None
    trace: TraceContext = NO_TRACE

    def wants(self, level: str) -> bool:
        """Whether it wants to be told what is logged at that level."""
        return self.level is not None and level in LEVELS and LEVELS.index(level) >= LEVELS.index(self.level)


def client_of(message: Message, context: Context, era: Era) -> Client:
    """Who sent a message."""
    meta = message.params.get("_meta")
    if not isinstance(meta, dict):
        meta = {}
    token = meta.get("progressToken")
    if not isinstance(token, str | int):
        token = None
    if era is Era.MODERN:
        level = meta.get(LOG_LEVEL_KEY)
        # Nothing is logged to a client that names no level (MCP 2026-07-28, Logging: Log Level).
        level = level if isinstance(level, str) and level in LEVELS else None
        # Headers tell the trace where `_meta` does not (MCP 2026-07-28, SEP-414).
        trace = context.trace if NAMES.isdisjoint(meta) else trace_of(meta, context.trace)
        return Client(abilities_of(meta.get(CAPABILITIES_KEY)), level, token, context.session, trace)
    session = context.session
    if session is None:
        return Client(frozenset(), _UNASKED_LEVEL, token, trace=context.trace)
    return Client(session.abilities, session.level or _UNASKED_LEVEL, token, session, context.trace)


_METHODS: Final[Mapping[Ability, str]] = {
    Ability.ELICIT: "elicitation/create",
    Ability.SAMPLE: "sampling/createMessage",
    Ability.ROOTS: "roots/list",
}
_NAMES: Final[Mapping[Ability, str]] = {ability: name for name, ability in CAPABILITIES.items()}


def asked_as(question: Question, era: Era) -> tuple[str, Mapping[str, Any]]:
    """The method and the parameters by which a question is asked."""
    params: Mapping[str, Any] = {}
    if question.ability is Ability.ELICIT:
        mode = {"mode": "form"} if era is Era.MODERN else {}
        params = {**mode, "message": question.message, "requestedSchema": question.schema}
    elif question.ability is Ability.SAMPLE:
        params = question.sampling
    return _METHODS[question.ability], params


def lacking(questions: Sequence[Question]) -> ProtocolError:
    """The error for a client that did not declare what it would be asked for (MCP 2026-07-28, Capabilities)."""
    needed: dict[str, dict[str, Any]] = {_NAMES[question.ability]: {} for question in questions}
    names = " and ".join(f"`{name}`" for name in needed)
    data = {"requiredCapabilities": needed}
    return ProtocolError(MISSING_CAPABILITY, f"This call needs a client with the capability {names}", data=data)


def capability_of(question: Question) -> str:
    """The capability that a client must declare to be asked."""
    return _NAMES[question.ability]


class Call(msgspec.Struct, frozen=True):
    """Work that a request asked for. ``memory`` is what earlier rounds of the call gave."""

    work: Work | Dialogue
    message: Message
    marks: Marks
    client: Client
    principal: str
    seal: Seal
    memory: Memory = msgspec.field(default_factory=Memory)

    @property
    def name(self) -> str:
        """What it is called in log messages."""
        return self.work.name if isinstance(self.work, Dialogue) else self.work.operation.name

    @property
    def is_quiet(self) -> bool:
        """Whether it tells nothing before its answer."""
        work = self.work
        return isinstance(work, Work) and not isinstance(work.operation.work, Flow)

    @property
    def era(self) -> Era:
        """How the answer looks."""
        return self.marks.era

    @property
    def request_id(self) -> RequestId | None:
        """The id of the request."""
        return self.message.id

    def answer(self, work: Work, outcome: Outcome) -> Reply:
        """The reply when the work has been run; an upstream failure is a result as well."""
        try:
            return self.end(work.tell(outcome))
        except ProtocolError as error:
            return self.fail(error)

    def end(self, result: bytes) -> Reply:
        """The reply that holds a result."""
        return Reply(200, encode_result(self.request_id, result))

    def refuse(self, fault: Fault) -> Reply:
        """The reply when the run gave no outcome."""
        try:
            return self.end(self.work.tell_fault(fault))
        except ProtocolError as error:
            return self.fail(error)

    def come_again(self, questions: Sequence[Question], memory: Memory) -> Reply:
        """The reply that asks the client for input (MCP 2026-07-28, Multi Round-Trip Requests: InputRequiredResult)."""
        try:
            state = self.seal.close(self.message, self.principal, memory)
        except ValueError as problem:
            detail = f"what it has gathered cannot be kept until the answer comes: {problem}"
            return self.refuse(Fault(500, "state-too-large", "The call cannot be interrupted", detail))
        requests = {}
        for question in questions:
            method, params = asked_as(question, self.era)
            requests[question.key] = {"method": method, "params": params}
        fields = {"resultType": "input_required", "inputRequests": requests, "requestState": state}
        return self.end(self.marks.result(fields))

    def fail(self, error: ProtocolError) -> Reply:
        """The reply when the message turned out to be wrong while it ran."""
        return error_reply(self.era, error, self.request_id)

    def crash(self) -> Reply:
        """The reply when the run broke down; what happened is for the log, not for the caller."""
        return internal_error(self.era, self.request_id)


def memory_of(message: Message, principal: str, seal: Seal) -> Memory:
    """What earlier rounds of a call gave, with the answers that came now.

    Raises:
        ProtocolError: the state is not one of ours for this call, or the answers are no object.
    """
    params = message.params
    if "requestState" not in params and "inputResponses" not in params:
        return _NO_MEMORY
    state, answers = params.get("requestState"), params.get("inputResponses")
    if answers is not None and not isinstance(answers, dict):
        raise ProtocolError(INVALID_PARAMS, "Invalid params: `inputResponses` must be an object")
    held = seal.open(message, principal, state) if state is not None else _NO_MEMORY
    return Memory(held.journal, {**held.answers, **(answers or {})})


_NO_MEMORY: Final = Memory()


def internal_error(era: Era, request_id: RequestId | None) -> Reply:
    """The reply when something broke down."""
    return error_reply(era, ProtocolError(INTERNAL_ERROR, "Internal error"), request_id)


def error_reply(era: Era, error: ProtocolError, request_id: RequestId | None) -> Reply:
    """The reply to a message that is refused."""
    return Reply(STATUSES[era].get(error.code, 200), encode_error(error, request_id))
