"""How a server introduces itself: ``initialize`` in the legacy era, ``server/discover`` in the modern one."""

from collections.abc import Mapping
from typing import Any

import msgspec

from capably.plan.operation import ServerPlan
from capably.servers.mcp_eras import LEGACY_VERSIONS, SUPPORTED_VERSIONS, Context, Era, negotiate
from capably.servers.mcp_features import Feature, Handler, Marks, server_info
from capably.servers.mcp_messages import Message


def greeting(server: ServerPlan, marks: Marks, capabilities: Mapping[str, Any]) -> Feature:
    """The method that begins everything in an era; ``capabilities`` are those of all other features."""
    instructions = {"instructions": server.description} if server.description else {}
    if marks.era is Era.MODERN:
        fields = {"supportedVersions": SUPPORTED_VERSIONS, "capabilities": capabilities, **instructions}
        return Feature({"server/discover": _always(marks.listing(fields))})
    return Feature({"initialize": _initialize(server, capabilities, instructions), "ping": _always(b"{}")})


def _initialize(server: ServerPlan, capabilities: Mapping[str, Any], instructions: Mapping[str, str]) -> Handler:
    """The handler of ``initialize``, with an answer for each version (MCP 2025-11-25, Lifecycle: Initialization)."""
    info = server_info(server)
    answers = {
        version: msgspec.json.encode(
            {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info, **instructions}
        )
        for version in LEGACY_VERSIONS
    }
    return lambda message, _context: answers[negotiate(message.params)]


def _always(result: bytes) -> Handler:
    def answer(_message: Message, _context: Context) -> bytes:
        return result

    return answer
