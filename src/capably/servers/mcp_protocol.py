"""MCP without a transport: bytes in, a reply or a call to perform out.

:meth:`Protocol.handle` never waits, and raises only what the transport has to say by itself: that a caller may not use
what it asks for. What can be answered from the plan comes back as a
:class:`Reply`; what has to be run comes back as a :class:`Call`, which whoever holds the sockets performs and ends with
:meth:`Call.answer`, :meth:`Call.refuse` or :meth:`Call.crash`. Spoken are the revisions of :mod:`.mcp_eras`, both
eras on one endpoint. What is answered is brought by the features of ``PARTS``.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Fault, Outcome
from capably.servers.mcp_eras import MODERN_VERSIONS, STATUSES, Context, Era, check_modern, era_of
from capably.servers.mcp_features import Handler, Part, Work, marks_of, merged
from capably.servers.mcp_greeting import greeting
from capably.servers.mcp_messages import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    ProtocolError,
    Reply,
    RequestId,
    decode,
    encode_error,
    encode_result,
    shown,
)
from capably.servers.mcp_tools import tools

_LOGGER: Final = logging.getLogger("capably.mcp")

PARTS: Final[tuple[Part, ...]] = (tools,)
"""The parts of MCP that are served."""

_ACCEPTED: Final = Reply(202, b"")
"""The answer to a notification (MCP 2025-11-25, Transports: Sending Messages to the Server)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A message that needs work: run ``operation`` with ``inputs``, then end it with exactly one of the methods."""

    work: Work
    request_id: RequestId | None
    era: Era

    @property
    def operation(self) -> Operation:
        """What is to be run."""
        return self.work.operation

    @property
    def inputs(self) -> Inputs:
        """What it is to be run with."""
        return self.work.inputs

    def answer(self, outcome: Outcome) -> Reply:
        """The reply when the run ended; an upstream failure is a result with ``isError``."""
        try:
            return self._reply(self.work.tell(outcome))
        except ProtocolError as error:
            return _error(self.era, error, self.request_id)

    def refuse(self, fault: Fault) -> Reply:
        """The reply when the run gave no outcome, as a result with ``isError``."""
        try:
            return self._reply(self.work.tell_fault(fault))
        except ProtocolError as error:
            return _error(self.era, error, self.request_id)

    def crash(self) -> Reply:
        """The reply when the run broke down; what happened is for the log, not for the caller."""
        return _internal_error(self.era, self.request_id)

    def _reply(self, result: bytes) -> Reply:
        return Reply(200, encode_result(self.request_id, result))


Step: TypeAlias = Reply | Call


class Protocol:
    """One server's side of MCP. It keeps nothing between messages, so one instance serves every caller."""

    def __init__(self, server: ServerPlan) -> None:
        """Prepare all that does not depend on the caller."""
        self._methods = MappingProxyType({era: _methods(server, era) for era in Era})

    def handle(self, raw: bytes, context: Context) -> Step:
        """Take one message.

        Args:
            raw: the message as it arrived.
            context: the headers that mirror it, or ``NO_HEADERS``.

        Raises:
            Fault: status 403, the caller may not use what it asks for.
        """
        era, request_id = Era.LEGACY, None
        try:
            message = decode(raw)
            request_id = message.id
            era = era_of(message, context)
            if request_id is None:
                # No notification means anything to a server without sessions: a caller cancels by hanging up.
                return _ACCEPTED
            if era is Era.MODERN:
                check_modern(message, context)
            answer = self._handler(era, message.method)(message, context)
        except ProtocolError as error:
            return _error(era, error, request_id if error.request_id is None else error.request_id)
        except Fault:
            raise
        except Exception:
            _LOGGER.exception("an MCP message could not be handled")
            return _internal_error(era, request_id)
        if isinstance(answer, Work):
            return Call(answer, request_id, era)
        return Reply(200, encode_result(request_id, answer))

    def _handler(self, era: Era, method: str) -> Handler:
        handler = self._methods[era].get(method)
        if handler is not None:
            return handler
        hint = f": it is not part of {' or '.join(MODERN_VERSIONS)}" if self._is_elsewhere(era, method) else ""
        raise ProtocolError(METHOD_NOT_FOUND, f"Method not found: {shown(method)}{hint}")

    def _is_elsewhere(self, era: Era, method: str) -> bool:
        return era is Era.MODERN and method in self._methods[Era.LEGACY]


def _methods(server: ServerPlan, era: Era) -> Mapping[str, Handler]:
    marks = marks_of(server, era)
    features = [part(server, marks) for part in PARTS]
    greeted = greeting(server, marks, merged([feature.capabilities for feature in features]))
    return MappingProxyType(
        {method: handler for feature in (*features, greeted) for method, handler in feature.methods.items()}
    )


def _internal_error(era: Era, request_id: RequestId | None) -> Reply:
    return _error(era, ProtocolError(INTERNAL_ERROR, "Internal error"), request_id)


def _error(era: Era, error: ProtocolError, request_id: RequestId | None) -> Reply:
    return Reply(STATUSES[era].get(error.code, 200), encode_error(error, request_id))
