"""Ways to a server: over HTTP, over the standard input and output of a command, and within this process."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from capably.errors import CommandError
from capably.plan.operation import ServerPlan
from capably.servers.mcp_eras import NO_HEADERS
from capably.servers.mcp_messages import Reply
from capably.servers.mcp_protocol import Protocol
from capably.upstream.client import Client, ClientLimits
from capably.upstream.reply import ByteStream, UpstreamError
from capably.upstream.request import Request

_PATIENCE_S: Final = 30.0
_MOST_BYTES: Final = 64 * 1024 * 1024
_ACCEPTED: Final = "application/json, text/event-stream"
_NO_SUCCESS: Final = 400


class InProcess:
    """A server of a document, which is asked without being started."""

    def __init__(self, server: ServerPlan) -> None:
        """Prepare the server's side."""
        self._protocol = Protocol(server)

    async def exchange(self, message: Mapping[str, Any], _version: str | None) -> Mapping[str, Any] | None:
        """See :class:`~.conversation.Carrier`."""
        step = self._protocol.handle(json.dumps(message).encode(), NO_HEADERS)
        if not isinstance(step, Reply):
            raise CommandError(f"{message['method']} cannot be answered without starting the server")
        return _decoded(step.body) if step.body else None


class OverHttp:
    """A server behind a URL (MCP 2025-03-26 and later, Streamable HTTP)."""

    def __init__(self, client: Client, url: str, headers: Sequence[tuple[str, str]]) -> None:
        """Keep the way; ``headers`` go with every request."""
        self._client = client
        self._url = url
        self._headers = tuple(headers)
        self._session: str | None = None

    async def exchange(self, message: Mapping[str, Any], version: str | None) -> Mapping[str, Any] | None:
        """See :class:`~.conversation.Carrier`."""
        sent = [("Content-Type", "application/json"), ("Accept", _ACCEPTED), ("Mcp-Method", str(message["method"]))]
        if version is not None:
            sent.append(("MCP-Protocol-Version", version))
        if self._session is not None:
            sent.append(("Mcp-Session-Id", self._session))
        request = Request("POST", self._url, (*sent, *self._headers), json.dumps(message).encode())
        try:
            reply = await self._client.send(request)
            body = await self._body(reply.stream, message.get("id")) if reply.stream is not None else reply.body
        except UpstreamError as problem:
            raise CommandError(f"{self._url} gives no answer: {problem.reason}") from None
        self._session = reply.header("mcp-session-id") or self._session
        if reply.status in {401, 403}:
            advice = "give what it asks for with --header 'Authorization: Bearer …'"
            raise CommandError(f"{self._url} lets nobody in without credentials ({reply.status})", advice)
        if "id" not in message:
            return None
        with contextlib.suppress(CommandError):
            return _decoded(body)
        if reply.status >= _NO_SUCCESS:
            return {"error": {"code": None, "message": f"HTTP {reply.status}"}}
        raise CommandError(f"{self._url} does not answer with JSON-RPC", "is this the URL of an MCP server?")

    async def _body(self, stream: ByteStream, request_id: object) -> bytes:
        """The response in a stream of server-sent events; what comes before it is about other things."""
        received = b""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                async for chunk in stream:
                    received += chunk
                    if len(received) > _MOST_BYTES:
                        raise CommandError(f"{self._url} answers more than {_MOST_BYTES:,} bytes")
                    for data in _events(received):
                        if _is_response(data, request_id):
                            return data
        except TimeoutError:
            raise CommandError(f"{self._url} does not answer within {_PATIENCE_S:g} s") from None
        finally:
            await stream.aclose()
        return b""


@asynccontextmanager
async def over_http(url: str, headers: Sequence[tuple[str, str]]) -> AsyncIterator[OverHttp]:
    """The way to a server behind a URL."""
    async with Client(ClientLimits(answer_s=_PATIENCE_S, answer_bytes=_MOST_BYTES)) as client:
        yield OverHttp(client, url, headers)


class OverStdio:
    """A server that a command is (MCP, Transports: stdio)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Keep the process, whose standard input and output are pipes."""
        self._process = process

    async def exchange(self, message: Mapping[str, Any], _version: str | None) -> Mapping[str, Any] | None:
        """See :class:`~.conversation.Carrier`."""
        read, write = self._process.stdout, self._process.stdin
        if read is None or write is None:
            raise RuntimeError("the process was started without pipes")
        try:
            write.write(json.dumps(message).encode() + b"\n")
            await write.drain()
            if "id" not in message:
                return None
            async with asyncio.timeout(_PATIENCE_S):
                while line := await read.readline():
                    if _is_response(line, message["id"]):
                        return _decoded(line)
        except TimeoutError:
            raise CommandError(f"the command does not answer {message['method']} within {_PATIENCE_S:g} s") from None
        except (ConnectionError, ValueError) as problem:
            raise CommandError(f"the command broke off the conversation: {problem}") from None
        raise CommandError(f"the command ended without an answer to {message['method']}", "see what it wrote above")


@asynccontextmanager
async def over_stdio(command: Sequence[str]) -> AsyncIterator[OverStdio]:
    """The way to a server that a command is; it ends with the context."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_MOST_BYTES)
    except OSError as problem:
        raise CommandError(f"`{command[0]}` cannot be started: {problem.strerror}") from None
    try:
        yield OverStdio(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(2):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _events(received: bytes) -> Iterator[bytes]:
    """The data of the events that have come whole (HTML, Server-sent events)."""
    whole, separator, _rest = received.replace(b"\r\n", b"\n").rpartition(b"\n\n")
    for event in whole.split(b"\n\n") if separator else []:
        lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield b"\n".join(lines)


def _is_response(data: bytes, request_id: object) -> bool:
    try:
        value = json.loads(data)
    except ValueError:
        return False
    return isinstance(value, dict) and "method" not in value and value.get("id") in {request_id, None}


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not {"result", "error"}.intersection(value):
        raise CommandError("this is no JSON-RPC response")
    return value
