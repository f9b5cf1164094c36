"""MCP without a transport: bytes in, a reply or a call to perform out.

:meth:`Protocol.handle` never waits and never raises. What can be answered from the plan comes back as a
:class:`Reply`; ``tools/call`` comes back as a :class:`Call`, which whoever holds the sockets performs and ends with
:meth:`Call.answer`, :meth:`Call.refuse` or :meth:`Call.crash`. Spoken are the revisions of :mod:`.mcp_eras`, both
eras on one endpoint and without sessions (MCP 2025-11-25, Transports: Session Management: a server *may* assign one).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from capably.diagnostics import nearest
from capably.plan.inputs import accept
from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Fault, Outcome
from capably.servers.mcp_catalogue import NO_RESULT, Catalogue, catalogue_of
from capably.servers.mcp_eras import MODERN_VERSIONS, STATUSES, Context, Era, check_modern, era_of, negotiate
from capably.servers.mcp_messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Message,
    ProtocolError,
    Reply,
    RequestId,
    decode,
    encode_error,
    encode_result,
    shown,
)
from capably.servers.mcp_results import ToolResult, encode_tool_result, result_of, result_of_fault

_LOGGER: Final = logging.getLogger("capably.mcp")

_ACCEPTED: Final = Reply(202, b"")
"""The answer to a notification (MCP 2025-11-25, Transports: Sending Messages to the Server)."""

_NO_MARKS: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call to be performed: run ``operation`` with ``inputs``, then end it with exactly one of the methods."""

    operation: Operation
    inputs: Inputs
    request_id: RequestId | None
    era: Era
    marks: Mapping[str, object]

    def answer(self, outcome: Outcome) -> Reply:
        """The reply when the run ended; an upstream failure is a result with ``isError``."""
        return self._reply(result_of(self.operation, outcome, self.era))

    def refuse(self, fault: Fault) -> Reply:
        """The reply when the run gave no outcome, as a result with ``isError``."""
        return self._reply(result_of_fault(fault))

    def crash(self) -> Reply:
        """The reply when the run broke down; what happened is for the log, not for the caller."""
        return _internal_error(self.era, self.request_id)

    def _reply(self, result: ToolResult) -> Reply:
        return Reply(200, encode_result(self.request_id, encode_tool_result(result, self.marks)))


Step: TypeAlias = Reply | Call
Handler: TypeAlias = Callable[[Message], bytes | Call]
"""Answers one method: the result as JSON, or the call that will give it. Raises :class:`ProtocolError`."""


class Protocol:
    """One server's side of MCP. It keeps nothing between messages, so one instance serves every caller."""

    def __init__(self, server: ServerPlan) -> None:
        """Prepare all that does not depend on the caller."""
        catalogue = catalogue_of(server)
        self._methods: Mapping[Era, Mapping[str, Handler]] = MappingProxyType(
            {
                Era.LEGACY: MappingProxyType(
                    {
                        "initialize": lambda message: catalogue.initialized[negotiate(message.params)],
                        "ping": lambda _message: NO_RESULT,
                        "tools/list": _listing(catalogue.legacy_list),
                        "tools/call": _calling(catalogue, Era.LEGACY, _NO_MARKS),
                    }
                ),
                Era.MODERN: MappingProxyType(
                    {
                        "server/discover": lambda _message: catalogue.discovered,
                        "tools/list": _listing(catalogue.modern_list),
                        "tools/call": _calling(catalogue, Era.MODERN, catalogue.marks),
                    }
                ),
            }
        )

    def handle(self, raw: bytes, context: Context) -> Step:
        """Take one message.

        Args:
            raw: the message as it arrived.
            context: the headers that mirror it, or ``NO_HEADERS``.
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
            answer = self._handler(era, message.method)(message)
        except ProtocolError as error:
            return _error(era, error, request_id if error.request_id is None else error.request_id)
        except Exception:
            _LOGGER.exception("an MCP message could not be handled")
            return _internal_error(era, request_id)
        if isinstance(answer, Call):
            return answer
        return Reply(200, encode_result(request_id, answer))

    def _handler(self, era: Era, method: str) -> Handler:
        handler = self._methods[era].get(method)
        if handler is not None:
            return handler
        hint = f": it is not part of {' or '.join(MODERN_VERSIONS)}" if self._is_elsewhere(era, method) else ""
        raise ProtocolError(METHOD_NOT_FOUND, f"Method not found: {shown(method)}{hint}")

    def _is_elsewhere(self, era: Era, method: str) -> bool:
        return era is Era.MODERN and method in self._methods[Era.LEGACY]


def _listing(result: bytes) -> Handler:
    def list_tools(message: Message) -> bytes:
        # One page holds all, so no cursor was ever given out (MCP 2025-06-18 and later, Pagination: Error Handling).
        if message.params.get("cursor") is not None:
            raise ProtocolError(INVALID_PARAMS, "Invalid params: unknown `cursor`, the list has one page")
        return result

    return list_tools


def _calling(catalogue: Catalogue, era: Era, marks: Mapping[str, object]) -> Handler:
    def call_tool(message: Message) -> bytes | Call:
        operation = _tool(catalogue, message.params.get("name"))
        arguments = message.params.get("arguments")
        if arguments is None:
            arguments = {}
        elif not isinstance(arguments, dict):
            raise ProtocolError(INVALID_PARAMS, "Invalid params: `arguments` must be an object")
        try:
            inputs = accept(operation, arguments)
        except Fault as fault:
            # A model can mend its arguments, so it gets to see what is wrong (MCP 2025-11-25, Tools: Error Handling).
            return encode_tool_result(result_of_fault(fault), marks)
        return Call(operation, inputs, message.id, era, marks)

    return call_tool


def _tool(catalogue: Catalogue, name: object) -> Operation:
    if not isinstance(name, str):
        raise ProtocolError(INVALID_PARAMS, "Invalid params: `name` must be a string")
    operation = catalogue.tools.get(name)
    if operation is not None:
        return operation
    # Only as much of the name is compared as is shown: finding the nearest takes time that grows with its length.
    close = nearest(shown(name), catalogue.tools)
    hint = f". Did you mean `{close}`?" if close is not None else ""
    raise ProtocolError(INVALID_PARAMS, f"Unknown tool: {shown(name)}{hint}")


def _internal_error(era: Era, request_id: RequestId | None) -> Reply:
    return _error(era, ProtocolError(INTERNAL_ERROR, "Internal error"), request_id)


def _error(era: Era, error: ProtocolError, request_id: RequestId | None) -> Reply:
    return Reply(STATUSES[era].get(error.code, 200), encode_error(error, request_id))
