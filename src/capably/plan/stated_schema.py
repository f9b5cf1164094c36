"""A tool's `inputSchema`: the JSON Schema of its arguments as a whole, and the inputs that it speaks of."""

from collections.abc import Mapping as AnyMapping
from typing import Any

from capably.diagnostics import Diagnostic, error
from capably.document import Mapping, Node, Scalar, Sequence, plain
from capably.model.exposes import Exposed, Tool
from capably.model.values import Parameter
from capably.plan.schema_check import SchemaCheck


def stated_schema(exposed: Exposed) -> AnyMapping[str, Any] | None:
    """The schema that a tool states, if it does."""
    node = exposed.input_schema if isinstance(exposed, Tool) else None
    return plain(node) if isinstance(node, Mapping) else None


def stated_inputs(tool: Tool, found: list[Diagnostic]) -> tuple[Parameter, ...]:
    """The inputs of a tool: those of its schema, where it states one, else its `inputParameters`."""
    node = tool.input_schema
    if node is None:
        return tool.inputs
    span = tool.key_span("inputSchema")
    fault = _fault(node)
    if fault is not None:
        found.append(error("INP003", f"`inputSchema` cannot be used: {fault}", span, "see JSON Schema 2020-12"))
        return ()
    if tool.inputs:
        message = f"`{tool.name}` has both `inputSchema` and `inputParameters`"
        found.append(error("INP003", message, span, "keep one of them: the schema says all there is to say"))
    properties = node.get("properties") if isinstance(node, Mapping) else None
    required = node.get("required") if isinstance(node, Mapping) else None
    names = {item.text for item in required.items if isinstance(item, Scalar)} if isinstance(required, Sequence) else ()
    entries = properties.entries.items() if isinstance(properties, Mapping) else ()
    return tuple(_parameter(name, entry.value, required=name in names) for name, entry in entries)


def _fault(node: Node) -> str | None:
    if not isinstance(node, Mapping):
        return "it is no mapping"
    kind = node.get("type")
    if not isinstance(kind, Scalar) or kind.text != "object":
        return "it must say `type: object`"  # MCP 2025-06-18 and later, Schema: Tool
    return SchemaCheck(plain(node)).fault()


def _parameter(name: str, node: Node, *, required: bool) -> Parameter:
    stated = node if isinstance(node, Mapping) else Mapping({}, node.span)
    kind, description = stated.get("type"), stated.get("description")
    return Parameter(
        node=stated,
        name=name,
        type=kind.text if isinstance(kind, Scalar) else "object",
        required=required,
        description=description.text if isinstance(description, Scalar) else None,
    )
