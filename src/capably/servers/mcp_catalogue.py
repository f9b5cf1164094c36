"""How an MCP server describes what it offers: the entries of its lists."""

from typing import Any

from capably.plan.inputs import input_schema
from capably.plan.operation import Hints, Operation


def tool_of(operation: Operation) -> dict[str, Any]:
    """One entry of the list of tools, without what the document leaves out (MCP 2025-06-18 and later, Tools: Tool)."""
    tool: dict[str, Any] = {"name": operation.name}
    if operation.title:
        tool["title"] = operation.title
    if operation.description:
        tool["description"] = operation.description
    tool["inputSchema"] = input_schema(operation.inputs)
    annotations = _annotations(operation.hints)
    if annotations:
        tool["annotations"] = annotations
    return tool


def _annotations(hints: Hints | None) -> dict[str, bool]:
    """The hints that are set (MCP 2025-06-18, Schema: ToolAnnotations)."""
    if hints is None:
        return {}
    named = {
        "readOnlyHint": hints.read_only,
        "destructiveHint": hints.destructive,
        "idempotentHint": hints.idempotent,
        "openWorldHint": hints.open_world,
    }
    return {name: value for name, value in named.items() if value is not None}
