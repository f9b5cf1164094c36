"""MCP without a transport: bytes in, a reply or something to perform out.

:meth:`Protocol.handle` never waits, and raises only what the transport has to say by itself: that a caller may not use
what it asks for. What can be answered at once comes back as a :class:`Reply`, what has to be run as a :class:`Call`, a
wish to be told of changes as a :class:`Listen`, several messages as a :class:`Batch`. Spoken are the revisions of
:mod:`.mcp_eras`, both eras on one endpoint. What is answered is brought by the features of ``PARTS``.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from capably.plan.operation import ServerPlan
from capably.plan.outcome import Fault
from capably.servers.mcp_call import Call, client_of, error_reply, internal_error, memory_of
from capably.servers.mcp_changes import LISTS, Changes, listening
from capably.servers.mcp_completion import completion
from capably.servers.mcp_eras import MODERN_VERSIONS, Context, Era, check_modern, era_of, negotiate
from capably.servers.mcp_features import Dialogue, Handler, Listen, Marks, Part, Work, marks_of, merged
from capably.servers.mcp_greeting import greeting
from capably.servers.mcp_logging import logging as logging_part
from capably.servers.mcp_messages import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Message,
    ProtocolError,
    Reply,
    RequestId,
    Response,
    encode_error,
    encode_result,
    message_of,
    parse,
    shown,
)
from capably.servers.mcp_prompts import prompts
from capably.servers.mcp_resources import resources
from capably.servers.mcp_sessions import Session, Sessions
from capably.servers.mcp_state import Memory, Seal
from capably.servers.mcp_tools import tools
from capably.telemetry.current import asks_for

_LOGGER: Final = logging.getLogger("capably.mcp")

PARTS: Final[tuple[Part, ...]] = (tools, resources, prompts, completion, logging_part)
"""The parts of MCP that are served."""

_ACCEPTED: Final = Reply(202, b"")
"""The answer to a notification (MCP 2025-11-25, Transports: Sending Messages to the Server)."""

_BATCHING: Final = "2025-03-26"
"""The one revision with batches, which is also that of a message that names none (MCP 2025-11-25, Transports)."""

_MOST_IN_BATCH: Final = 100

_NOT_FOUND: Final = 404
_NOTIFICATIONS: Final = frozenset(
    {f"notifications/{name}" for name in ("initialized", "cancelled", "progress", "roots/list_changed")}
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Several messages that are answered together; notifications and responses among them are done already."""

    steps: tuple["Reply | Call", ...]


Step: TypeAlias = Reply | Call | Listen | Batch


class Protocol:
    """One server's side of MCP.

    ``sessions`` are those of the legacy era, ``changes`` knows who wants to be told what; the rest of it keeps nothing
    between messages, so one instance serves every caller.
    """

    def __init__(
        self,
        server: ServerPlan,
        seal: Seal | None = None,
        sessions: Sessions | None = None,
        changes: Changes | None = None,
    ) -> None:
        """Prepare all that does not depend on the caller."""
        self.sessions = sessions or Sessions(time.monotonic)
        self.changes = changes or Changes()
        self._seal = seal or Seal()
        self._eras = {era: _Era(server, era) for era in Era}

    def successor(self, server: ServerPlan) -> "Protocol":
        """What speaks for another plan with the clients of this one."""
        return Protocol(server, self._seal, self.sessions, self.changes)

    def tell_since(self, before: "Protocol") -> None:
        """Tell clients which lists are other ones than those of the protocol this one succeeds."""
        for name, change in LISTS.items():
            if any(before._eras[era].lists.get(name) != self._eras[era].lists.get(name) for era in Era):  # noqa: SLF001
                self.changes.tell(change)

    def handle(self, raw: bytes, context: Context) -> Step:
        """Take one message, or in the oldest revision a batch of them.

        Args:
            raw: what arrived.
            context: what the transport knows of it, or ``NO_HEADERS``.

        Raises:
            Fault: status 403, the caller may not use what it asks for.
        """
        try:
            value = parse(raw)
            if isinstance(value, list) and _takes_batches(context, self._session(context)):
                return self._batch(value, context)
        except ProtocolError as error:
            return error_reply(Era.LEGACY, error, None)
        return self._one(value, context)

    def _one(self, value: Any, context: Context) -> Reply | Call | Listen:
        era, request_id = Era.LEGACY, None
        try:
            message = message_of(value)
            if isinstance(message, Response):
                return self._take(message, context)
            request_id = message.id
            era = era_of(message, context)
            if era is Era.MODERN:
                return self._modern(message, context)
            return self._legacy(message, context)
        except ProtocolError as error:
            return error_reply(era, error, request_id if error.request_id is None else error.request_id)
        except Fault:
            raise
        except Exception:
            _LOGGER.exception("an MCP message could not be handled")
            return internal_error(era, request_id)

    def _modern(self, message: Message, context: Context) -> Reply | Call | Listen:
        if message.id is None:
            _notified(message, context.session)
            return _ACCEPTED
        check_modern(message, context)
        answer = self._handler(Era.MODERN, message.method)(message, context)
        if isinstance(answer, Work | Dialogue):
            memory = memory_of(message, context.principal.subject, self._seal)
            return self._call(answer, message, context, self._eras[Era.MODERN].marks, memory)
        if isinstance(answer, Listen):
            return answer
        return Reply(200, encode_result(message.id, answer))

    def _legacy(self, message: Message, context: Context) -> Reply | Call | Listen:
        is_first = message.method == "initialize"
        if context.session_id is not None and not is_first:
            session = self._session(context)
            if session is None:
                return _without_session(message.id)
            context = msgspec.structs.replace(context, session=session)
        if message.id is None:
            _notified(message, context.session)
            return _ACCEPTED
        answer = self._handler(Era.LEGACY, message.method)(message, context)
        if isinstance(answer, Work | Dialogue):
            return self._call(answer, message, context, self._eras[Era.LEGACY].marks, Memory())
        if isinstance(answer, Listen):
            return answer
        reply = Reply(200, encode_result(message.id, answer))
        if not is_first:
            return reply
        return msgspec.structs.replace(reply, session_id=self._begun(message, context))

    def _call(self, work: Work | Dialogue, message: Message, context: Context, marks: Marks, memory: Memory) -> Call:
        client = client_of(message, context, marks.era)
        return Call(work, message, marks, client, context.principal.subject, self._seal, memory)

    def _begun(self, message: Message, context: Context) -> str | None:
        """Begin a session; the id of one that is named by id."""
        session = context.session or self.sessions.open(context.principal.subject)
        session.begin(negotiate(message.params), message.params.get("capabilities"))
        return session.id or None

    def _take(self, response: Response, context: Context) -> Reply:
        asks_for("response")
        session = context.session or self._session(context)
        if session is None:
            error = ProtocolError(
                INVALID_REQUEST, "Invalid request: this server has asked nothing, a response is stray"
            )
            return Reply(_NOT_FOUND if context.session_id is not None else 400, encode_error(error, None))
        session.take(response)
        return _ACCEPTED

    def _session(self, context: Context) -> Session | None:
        if context.session_id is None:
            return context.session
        return self.sessions.find(context.session_id, context.principal.subject)

    def _batch(self, values: list[Any], context: Context) -> Reply | Batch:
        if not 0 < len(values) <= _MOST_IN_BATCH:
            what = "a batch must not be empty" if not values else f"a batch holds at most {_MOST_IN_BATCH} messages"
            return error_reply(Era.LEGACY, ProtocolError(INVALID_REQUEST, f"Invalid request: {what}"), None)
        steps = [self._in_batch(value, context) for value in values]
        asks_for("batch")
        kept = tuple(step for step in steps if isinstance(step, Call) or step.body)
        return Batch(kept) if kept else _ACCEPTED

    def _in_batch(self, value: Any, context: Context) -> Reply | Call:
        if isinstance(value, dict) and value.get("method") == "initialize":
            error = ProtocolError(INVALID_REQUEST, "Invalid request: `initialize` must not be part of a batch")
            return error_reply(Era.LEGACY, error, None)
        step = self._one(value, context)
        if isinstance(step, Listen):
            error = ProtocolError(INVALID_REQUEST, "Invalid request: nothing can be listened to in a batch")
            return error_reply(Era.LEGACY, error, step.request_id)
        return step

    def _handler(self, era: Era, method: str) -> Handler:
        handler = self._eras[era].methods.get(method)
        if handler is not None:
            asks_for(method)
            return handler
        hint = f": it is not part of {' or '.join(MODERN_VERSIONS)}" if self._is_elsewhere(era, method) else ""
        raise ProtocolError(METHOD_NOT_FOUND, f"Method not found: {shown(method)}{hint}")

    def _is_elsewhere(self, era: Era, method: str) -> bool:
        return era is Era.MODERN and method in self._eras[Era.LEGACY].methods


class _Era:
    """What one server answers in one era."""

    def __init__(self, server: ServerPlan, era: Era) -> None:
        self.marks = marks_of(server, era)
        features = [part(server, self.marks) for part in PARTS]
        capabilities = merged([feature.capabilities for feature in features])
        features += [greeting(server, self.marks, capabilities), listening(self.marks, capabilities)]
        self.methods: Mapping[str, Handler] = MappingProxyType(
            {method: handler for feature in features for method, handler in feature.methods.items()}
        )
        self.lists = {name: shown for feature in features for name, shown in feature.lists.items()}


def _takes_batches(context: Context, session: Session | None) -> bool:
    if context.method is not None:
        return False
    version = session.version if session is not None else context.version
    return version == _BATCHING or (version is None and context.session is None)


def _notified(message: Message, session: Session | None) -> None:
    """Heed a notification; without a session none means anything, a caller cancels by hanging up."""
    if message.method in _NOTIFICATIONS:
        asks_for(message.method)
    if message.method == "notifications/cancelled" and session is not None:
        session.cancel(message.params.get("requestId"))


def _without_session(request_id: RequestId | None) -> Reply:
    """The reply to a session that is over (MCP 2025-11-25, Transports: Session Management, 3)."""
    error = ProtocolError(INVALID_REQUEST, "Session not found: it has ended, begin a new one with `initialize`")
    return Reply(_NOT_FOUND, encode_error(error, request_id))
