"""How an MCP server describes what it offers: the entries of its lists."""

from typing import Any

from capably.plan.inputs import input_schema
from capably.plan.operation import Hints, Operation
from capably.servers.mcp_eras import Era


def tool_of(operation: Operation, era: Era) -> dict[str, Any]:
    """One entry of the list of tools, without what the document leaves out (MCP 2025-06-18 and later, Tools: Tool).

    A tool that is served under another name than its own bears that as its title.
    """
    title = operation.title or (operation.name if operation.served_as else "")
    tool: dict[str, Any] = {"name": operation.wire_name}
    if title:
        tool["title"] = title
    if operation.description:
        tool["description"] = operation.description
    tool["inputSchema"] = input_schema(operation)
    if operation.output is not None and (operation.output.is_object or era is Era.MODERN):
        tool["outputSchema"] = operation.output.schema
    annotations = _annotations(title, operation.hints)
    if annotations:
        tool["annotations"] = annotations
    return tool


def _annotations(title: str, hints: Hints | None) -> dict[str, Any]:
    """The hints that are set (MCP 2025-06-18, Schema: ToolAnnotations); 2025-03-26 has no other place for a title."""
    found: dict[str, Any] = {"title": title} if title else {}
    if hints is None:
        return found
    named = {
        "readOnlyHint": hints.read_only,
        "destructiveHint": hints.destructive,
        "idempotentHint": hints.idempotent,
        "openWorldHint": hints.open_world,
    }
    return found | {name: value for name, value in named.items() if value is not None}
