"""What an MCP server offers, written as JSON once, when the server is built.

Tools stand in the order of the document, which is the same for every caller and every time (MCP 2026-07-28, Tools:
Capabilities), so clients and model providers can cache the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

from capably.plan.inputs import input_schema
from capably.plan.operation import Hints, Operation, ServerPlan
from capably.servers.mcp_eras import LEGACY_VERSIONS, SERVER_INFO_KEY, SUPPORTED_VERSIONS

NO_RESULT: Final = b"{}"
"""The result of a legacy request that asks for nothing, such as ``ping``."""

_CAPABILITIES: Final[Mapping[str, Any]] = MappingProxyType({"tools": {}})
"""``listChanged`` is left out: the list of one server never changes."""

_FRESHNESS: Final[Mapping[str, Any]] = MappingProxyType({"ttlMs": 0, "cacheScope": "private"})
"""A restarted server may offer other tools, so lists are stale at once (MCP 2026-07-28, Caching)."""

_UNVERSIONED: Final = "unspecified"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The results that are the same for every caller.

    ``initialized`` is the result of ``initialize`` by negotiated version. ``marks`` are the fields every modern
    result has; they are part of ``discovered`` and ``modern_list`` already.
    """

    tools: Mapping[str, Operation]
    initialized: Mapping[str, bytes]
    discovered: bytes
    legacy_list: bytes
    modern_list: bytes
    marks: Mapping[str, Any]


def catalogue_of(server: ServerPlan) -> Catalogue:
    """Write what a server offers."""
    tools = [_tool(operation) for operation in server.operations]
    instructions = {"instructions": server.description} if server.description else {}
    info = _server_info(server)
    meta = {SERVER_INFO_KEY: info}
    modern = {"resultType": "complete", "_meta": meta, **_FRESHNESS}
    discovered = {
        "supportedVersions": SUPPORTED_VERSIONS,
        "capabilities": dict(_CAPABILITIES),
        **instructions,
        **modern,
    }
    return Catalogue(
        tools=MappingProxyType({operation.name: operation for operation in server.operations}),
        initialized=MappingProxyType(
            {version: _initialized(version, info, instructions) for version in LEGACY_VERSIONS}
        ),
        discovered=msgspec.json.encode(discovered),
        legacy_list=msgspec.json.encode({"tools": tools}),
        modern_list=msgspec.json.encode({"tools": tools, **modern}),
        marks=MappingProxyType({"result_type": "complete", "meta": msgspec.Raw(msgspec.json.encode(meta))}),
    )


def _initialized(version: str, info: Mapping[str, str], instructions: Mapping[str, str]) -> bytes:
    """The result of ``initialize`` (MCP 2025-11-25, Lifecycle: Initialization)."""
    capabilities = dict(_CAPABILITIES)
    return msgspec.json.encode(
        {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info, **instructions}
    )


def _server_info(server: ServerPlan) -> dict[str, str]:
    """How the server names itself; ``version`` must be there (MCP 2025-11-25, Schema: Implementation)."""
    title = {"title": server.title} if server.title else {}
    return {"name": server.namespace, **title, "version": server.version or _UNVERSIONED}


def _tool(operation: Operation) -> dict[str, Any]:
    """One entry of the list (MCP 2025-06-18 and later, Tools: Tool); what the document leaves out is left out."""
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
