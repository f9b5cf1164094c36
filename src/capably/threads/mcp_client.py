"""A small client of MCP servers over streamable HTTP: lists tools and calls them, in either era of the protocol.

A server is asked the modern way first (MCP 2026-07-28: every request stands alone). One that does not understand
that is opened with `initialize` (2025-11-25 and before), and its session is kept until it is forgotten there.
"""

import base64
import itertools
import json
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from capably import __version__

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26")
META = "io.modelcontextprotocol/"
INFO = {"name": "capably-threads", "version": __version__}
TIMEOUT = 120.0  # seconds for one request
LARGEST = 8 * 1024 * 1024  # bytes of one answer
MOST_TOOLS = 512
REMEMBERED = 256  # servers whose way of speaking is remembered


class McpError(Exception):
    """A server gave no good answer; the message is for a person and the model."""


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool as its server describes it."""

    name: str
    description: str
    input_schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class McpServer:
    """A server: its address, and the headers to ask it with."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    message: dict[str, Any] | None
    session: str | None


@dataclass(frozen=True, slots=True)
class _Way:
    """How a server is spoken to: its version, and the session of one that has sessions."""

    version: str
    session: str | None = None


class McpClient(AbstractAsyncContextManager["McpClient"]):
    """Asks MCP servers while its `async with` is open."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._ways: dict[McpServer, _Way] = {}
        self._ids = itertools.count(1)

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT, connect=10.0)
        self._session = aiohttp.ClientSession(timeout=timeout, read_bufsize=1024 * 1024)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def tools(self, server: McpServer) -> list[McpTool]:
        """All tools a server lists.

        Raises:
            McpError: if it gives no list.
        """
        found: list[McpTool] = []
        cursor: str | None = None
        while len(found) < MOST_TOOLS:
            result = await self._ask(server, "tools/list", {"cursor": cursor} if cursor else {})
            try:
                found += [
                    McpTool(tool["name"], tool.get("description") or "", tool.get("inputSchema") or {"type": "object"})
                    for tool in result["tools"]
                ]
            except (KeyError, TypeError, AttributeError):
                raise McpError("its list of tools cannot be read") from None
            cursor = result.get("nextCursor")
            if not cursor:
                break
        return found[:MOST_TOOLS]

    async def call(self, server: McpServer, name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        """What a tool gave, as text, and whether that is an error.

        Raises:
            McpError: if the server gives no answer to the call.
        """
        result = await self._ask(server, "tools/call", {"name": name, "arguments": arguments}, name)
        if result.get("resultType") == "input_required":
            raise McpError("the tool asks for an input that only a person could give")
        return _text(result), bool(result.get("isError"))

    async def _ask(
        self, server: McpServer, method: str, params: dict[str, Any], name: str | None = None
    ) -> dict[str, Any]:
        way = self._ways.get(server)
        for _ in range(2):
            if way is None:
                way = await self._meet(server)
                self._ways[server] = way
                if len(self._ways) > REMEMBERED:
                    del self._ways[next(iter(self._ways))]
            answer = await self._send(server, method, params, way, name)
            if answer.status == HTTPStatus.NOT_FOUND and way.session is not None:
                way = None  # the session is over; MCP 2025-11-25, Session Management
                continue
            return _result(answer)
        raise McpError("it forgets its sessions at once")

    async def _meet(self, server: McpServer) -> _Way:
        """Find out how a server speaks."""
        answer = await self._send(server, "tools/list", {}, _Way(MODERN))
        if answer.status == HTTPStatus.OK and answer.message is not None and "result" in answer.message:
            return _Way(MODERN)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            _result(answer)
        hello = {"protocolVersion": LEGACY[0], "capabilities": {}, "clientInfo": INFO}
        answer = await self._send(server, "initialize", hello, None)
        version = _result(answer).get("protocolVersion")
        if version not in LEGACY:
            raise McpError(f"it speaks the version '{version}' of MCP, which is not known here")
        way = _Way(str(version), answer.session)
        await self._send(server, "notifications/initialized", {}, way)
        return way

    async def _send(
        self,
        server: McpServer,
        method: str,
        params: dict[str, Any],
        way: _Way | None,
        name: str | None = None,
    ) -> _Answer:
        if self._session is None:
            raise RuntimeError("the client is not open")
        identity = None if method.startswith("notifications/") else next(self._ids)
        body: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if identity is not None:
            body["id"] = identity
        told = dict(server.headers) | {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        if way is not None:
            told["MCP-Protocol-Version"] = way.version
            if way.session is not None:
                told["Mcp-Session-Id"] = way.session
            if way.version == MODERN:
                told |= {"Mcp-Method": method} | ({"Mcp-Name": _header(name)} if name else {})
                body["params"] = params | {"_meta": _META}
        try:
            async with self._session.post(
                server.url, data=json.dumps(body), headers=told, allow_redirects=False
            ) as answer:
                message = await _message(answer, identity)
                return _Answer(answer.status, message, answer.headers.get("Mcp-Session-Id"))
        except (aiohttp.ClientError, ValueError) as failure:
            raise McpError(f"it cannot be reached or understood ({type(failure).__name__})") from None
        except TimeoutError:
            raise McpError(f"it gave no answer for {TIMEOUT:g} seconds") from None


_ACCEPT = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
_META = {META + "protocolVersion": MODERN, META + "clientCapabilities": {}, META + "clientInfo": INFO}


def _header(name: str) -> str:
    """A name as a header may carry it (MCP 2026-07-28, Streamable HTTP: Value Encoding)."""
    if name.isascii() and name.isprintable() and name == name.strip() and not name.startswith("=?base64?"):
        return name
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


async def _message(answer: aiohttp.ClientResponse, identity: int | None) -> dict[str, Any] | None:
    """The response in an answer, out of a body or a stream; None if there is none."""
    if answer.content_type != "text/event-stream":
        data = b""
        async for more in answer.content.iter_chunked(64 * 1024):
            data += more
            if len(data) > LARGEST:
                raise McpError("its answer is too large")
        return _decoded(data, identity)
    size, lines = 0, b""
    async for line in answer.content:
        size += len(line)
        if size > LARGEST:
            raise McpError("its answer is too large")
        if line.startswith(b"data:"):
            lines += line[5:].strip()
        elif not line.strip() and lines:
            found, lines = _decoded(lines, identity), b""
            if found is not None:
                return found
    return None


def _decoded(data: bytes, identity: int | None) -> dict[str, Any] | None:
    """A message, if it is the response asked for; an error may leave out which request it is about."""
    try:
        message = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if (
        isinstance(message, dict)
        and message.get("id") in (identity, None)
        and ("result" in message or "error" in message)
    ):
        return message
    return None


def _result(answer: _Answer) -> dict[str, Any]:
    message = answer.message
    if message is not None and isinstance(message.get("result"), dict):
        return dict(message["result"])
    if message is not None and isinstance(message.get("error"), dict):
        raise McpError(str(message["error"].get("message") or "it refuses without a word")[:500])
    raise McpError(f"it answers {answer.status} without a result")


def _text(result: dict[str, Any]) -> str:
    """What a result says, as text: a model behind the chat-completions API is given nothing else."""
    parts = result.get("content")
    words = [_part(part) for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    if not words and "structuredContent" in result:
        return json.dumps(result["structuredContent"], ensure_ascii=False)
    return "\n".join(words)


def _part(part: dict[str, Any]) -> str:
    if part.get("type") == "text":
        return str(part.get("text", ""))
    resource = part.get("resource")
    if isinstance(resource, dict) and "text" in resource:
        return str(resource["text"])
    return f"[{part.get('type', 'something')} {part.get('mimeType', part.get('uri', ''))}]".replace(" ]", "]")
