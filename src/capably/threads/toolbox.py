"""The MCP servers a run may use: which of their tools the model is offered, and the calls of them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from capably.threads.mcp_client import McpClient, McpError, McpServer, McpTool
from capably.threads.objects import Json, Run
from capably.threads.prompt import as_arguments

LONGEST_NAME = 64
LONGEST_OUTPUT = 256_000  # characters of what a call gave


class ToolboxError(Exception):
    """A server of tools cannot be used; the message is for a person."""


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool as a run knows it: its server and its own name there, and whether a call waits for an approval."""

    server_label: str
    name: str
    approval: bool


@dataclass(frozen=True, slots=True)
class Offered:
    """The tools of servers in one turn: as functions for the model, and by the names it calls them."""

    functions: Sequence[Json] = ()
    by_name: Mapping[str, OfferedTool] = field(default_factory=dict)

    def tool(self, called: str) -> OfferedTool | None:
        """The tool behind a function's name, or None if it is no server's."""
        return self.by_name.get(called)

    def needs_approval(self, called: str) -> bool:
        """Whether a call of it waits for an approval."""
        return self.by_name[called].approval


class Toolbox:
    """Lists and calls the tools of MCP servers.

    Args:
        client: open for as long as this is used.
        allows: says whether an address may be asked at all; the operator decides that, not the assistant.
    """

    def __init__(self, client: McpClient, allows: Callable[[str], bool]) -> None:
        self._client = client
        self._allows = allows

    async def offered(self, run: Run) -> Offered:
        """What the servers of a run offer.

        Raises:
            ToolboxError: if one of them may not be asked, or gives no list.
        """
        servers = [tool for tool in run.tools if tool["type"] == "mcp"]
        if not servers or run.tool_choice == "none":
            return Offered()
        taken = {tool["function"]["name"] for tool in run.tools if tool["type"] == "function"}
        functions: list[Json] = []
        by_name: dict[str, OfferedTool] = {}
        for server in servers:
            for tool in await self._list(server):
                called = _free_name(f"{server['server_label']}_{tool.name}", taken)
                taken.add(called)
                by_name[called] = OfferedTool(server["server_label"], tool.name, _waits(server, tool.name))
                function = {"name": called, "description": tool.description, "parameters": tool.input_schema}
                functions.append({"type": "function", "function": function})
        return Offered(functions, by_name)

    async def call(self, run: Run, call: Json) -> tuple[str, str | None]:
        """Make a call; its output as text, and what went wrong, which the model is told as the output."""
        server = next((tool for tool in run.tools if tool.get("server_label") == call["server_label"]), None)
        try:
            if server is None or not _allowed(server, call["name"]):
                return _failed(f"The tool '{call['name']}' is not offered here.")
            arguments = as_arguments(call["arguments"])
            text, is_error = await self._client.call(self._server(server), call["name"], arguments)
        except (McpError, ToolboxError) as failure:
            return _failed(str(failure))
        except ValueError:
            return _failed("The arguments are not a JSON object.")
        cut = text if len(text) <= LONGEST_OUTPUT else text[:LONGEST_OUTPUT] + "…"
        return cut, cut if is_error else None

    async def _list(self, server: Json) -> list[McpTool]:
        try:
            found = await self._client.tools(self._server(server))
        except McpError as failure:
            raise ToolboxError(f"The tools of '{server['server_label']}' cannot be listed: {failure}") from None
        return [tool for tool in found if _allowed(server, tool.name)]

    def _server(self, server: Json) -> McpServer:
        url: str = server["server_url"]
        if not self._allows(url):
            parts = urlsplit(url)
            place = f"{parts.scheme}://{parts.hostname or ''}"
            raise ToolboxError(f"The MCP server at {place} is not among those this service may ask (--allow-mcp).")
        headers = dict(server.get("headers") or {})
        if key := server.get("authorization"):
            headers["Authorization"] = f"Bearer {key}"
        return McpServer(url, tuple(sorted(headers.items())))


def _failed(message: str) -> tuple[str, str]:
    return f"Error: {message}", message


def _names(listed: Any) -> list[str] | None:
    if isinstance(listed, Mapping):
        listed = listed.get("tool_names")
    return None if listed is None else list(listed)


def _allowed(server: Json, name: str) -> bool:
    allowed = _names(server.get("allowed_tools"))
    return allowed is None or name in allowed


def _waits(server: Json, name: str) -> bool:
    """Whether calls of a tool wait for an approval: they do unless the assistant's maker has said otherwise."""
    rule = server.get("require_approval") or "always"
    if isinstance(rule, str):
        return rule == "always"
    return name in (_names(rule.get("always")) or ()) or name not in (_names(rule.get("never")) or ())


def _free_name(wanted: str, taken: set[str]) -> str:
    """A function's name the API allows and nothing else has."""
    base = re.sub(r"[^A-Za-z0-9_-]", "_", wanted)[:LONGEST_NAME]
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base[: LONGEST_NAME - len(str(number)) - 1]}_{number}"
    return name
