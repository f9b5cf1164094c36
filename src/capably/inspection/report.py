"""What a server says of itself, collected and measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from capably.inspection.conversation import Conversation

BYTES_PER_TOKEN: Final = 4
"""How tokens are estimated: tokenizers of current models make one of about four bytes of English text or JSON."""

SERVER_INFO_KEY: Final = "io.modelcontextprotocol/serverInfo"


@dataclass(frozen=True, slots=True)
class Report:
    """What one server shows to a client, each entry as the server wrote it."""

    at: str
    version: str
    server: Mapping[str, Any]
    capabilities: Mapping[str, Any]
    instructions: str
    tools: list[dict[str, Any]]
    resources: list[dict[str, Any]]
    templates: list[dict[str, Any]]
    prompts: list[dict[str, Any]]

    @property
    def tools_bytes(self) -> int:
        """What all tools take as compact JSON, which is what a model is shown of them."""
        return size_of(self.tools)

    def as_data(self) -> dict[str, Any]:
        """The report for programs."""
        measured = [
            {**tool, "bytes": size_of(tool), "estimatedTokens": tokens_of(size_of(tool))} for tool in self.tools
        ]
        return {
            "at": self.at,
            "protocolVersion": self.version,
            "serverInfo": self.server,
            "capabilities": self.capabilities,
            "instructions": self.instructions,
            "tools": measured,
            "toolsBytes": self.tools_bytes,
            "estimatedTokens": tokens_of(self.tools_bytes),
            "tokensEstimatedBy": f"{BYTES_PER_TOKEN} bytes of compact JSON are one token",
            "resources": self.resources,
            "resourceTemplates": self.templates,
            "prompts": self.prompts,
        }


async def inspect_server(at: str, conversation: Conversation) -> Report:
    """Ask a server for all it shows.

    Raises:
        CommandError: it cannot be reached, or does not answer as an MCP server.
    """
    greeting = await conversation.greet()
    result = greeting.result
    meta = result.get("_meta")
    modern = meta.get(SERVER_INFO_KEY) if isinstance(meta, dict) else None
    server = result.get("serverInfo") if modern is None else modern
    capabilities = result.get("capabilities")
    known = capabilities if isinstance(capabilities, dict) else {}

    async def listed(capability: str, method: str, key: str) -> list[dict[str, Any]]:
        return await conversation.listed(method, key) if capability in known else []

    return Report(
        at=at,
        version=greeting.version,
        server=server if isinstance(server, dict) else {},
        capabilities=known,
        instructions=str(result.get("instructions") or ""),
        tools=await listed("tools", "tools/list", "tools"),
        resources=await listed("resources", "resources/list", "resources"),
        templates=await listed("resources", "resources/templates/list", "resourceTemplates"),
        prompts=await listed("prompts", "prompts/list", "prompts"),
    )


def size_of(value: Any) -> int:
    """What a value takes as compact JSON, in bytes."""
    return len(msgspec.json.encode(value))


def tokens_of(size: int) -> int:
    """About how many tokens so many bytes are."""
    return -(-size // BYTES_PER_TOKEN)
