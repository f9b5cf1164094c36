"""Tools: ``tools/list`` and ``tools/call``."""

from collections.abc import Mapping

from capably.diagnostics import nearest
from capably.plan.gate import Gate
from capably.plan.inputs import accept
from capably.plan.operation import Operation, ServerPlan
from capably.plan.outcome import Fault
from capably.servers.gatekeeper.challenges import allow
from capably.servers.mcp_catalogue import tool_of
from capably.servers.mcp_eras import Context, Era
from capably.servers.mcp_features import Feature, Handler, Marks, Work
from capably.servers.mcp_messages import INVALID_PARAMS, Message, ProtocolError, shown
from capably.servers.mcp_mirrors import check_mirrors, mirrors_of
from capably.servers.mcp_pages import listing
from capably.servers.mcp_results import encode_tool_result, result_of, result_of_fault
from capably.servers.mcp_views import Entry


def tools(server: ServerPlan, marks: Marks) -> Feature:
    """The tools of a server.

    They stand in the order of the document, which is the same for every caller and every time (MCP 2026-07-28, Tools:
    Capabilities), so clients and model providers can cache the list.
    """
    by_name: dict[str, Operation] = {}
    for operation in server.operations:
        by_name.setdefault(operation.wire_name, operation)  # of two with one name the first is served
    entries = tuple(Entry(operation.scopes, tool_of(operation, marks.era)) for operation in by_name.values())
    listed = listing("tools", entries, marks)
    methods = {"tools/list": listed.handler, "tools/call": _calling(by_name, server.gate, marks)}
    return Feature(methods, {"tools": {"listChanged": True}}, {"tools": listed.everything})


def _calling(by_name: Mapping[str, Operation], gate: Gate | None, marks: Marks) -> Handler:
    era, always = marks.era, marks.always
    mirrors = {name: found for name, operation in by_name.items() if (found := mirrors_of(operation))}

    def call_tool(message: Message, context: Context) -> bytes | Work:
        operation = _named(by_name, message.params.get("name"))
        allow(gate, context.principal, operation.scopes)
        arguments = message.params.get("arguments")
        if arguments is None:
            arguments = {}
        elif not isinstance(arguments, dict):
            raise ProtocolError(INVALID_PARAMS, "Invalid params: `arguments` must be an object")
        if operation.wire_name in mirrors and context.over_http and era is Era.MODERN:
            check_mirrors(mirrors[operation.wire_name], arguments, context.mirrored)

        def tell_fault(fault: Fault) -> bytes:
            return encode_tool_result(result_of_fault(fault), always)

        try:
            inputs = accept(operation, arguments)
        except Fault as fault:
            # A model can mend its arguments, so it gets to see what is wrong (MCP 2025-11-25, Tools: Error Handling).
            return tell_fault(fault)
        return Work(
            operation,
            inputs,
            lambda outcome: encode_tool_result(result_of(operation, outcome, era), always),
            tell_fault,
        )

    return call_tool


def _named(by_name: Mapping[str, Operation], name: object) -> Operation:
    if not isinstance(name, str):
        raise ProtocolError(INVALID_PARAMS, "Invalid params: `name` must be a string")
    operation = by_name.get(name)
    if operation is not None:
        return operation
    # Only as much of the name is compared as is shown: finding the nearest takes time that grows with its length.
    close = nearest(shown(name), by_name)
    hint = f". Did you mean `{close}`?" if close is not None else ""
    raise ProtocolError(INVALID_PARAMS, f"Unknown tool: {shown(name)}{hint}")
