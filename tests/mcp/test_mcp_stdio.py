"""MCP over standard input and output, as clients start it: a process, its pipes, and the official client."""

import asyncio
import json
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.processes import CAPABLY

from capably.plan.caller import Ability, Caller, Question
from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Outcome
from capably.servers.mcp_changes import Change
from capably.servers.mcp_protocol import Protocol
from capably.servers.mcp_stdio import Connection

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}

DOCUMENT = textwrap.dedent("""
    capably: 1.0.0
    info: {display: Greetings, description: d}
    capability:
      exposes:
        - type: mcp
          transport: stdio
          namespace: greetings
          description: Says hello.
          tools:
            - name: hello
              description: Says hello
              inputParameters: [{name: who, type: string, required: true}]
              outputParameters: [{type: object, properties: {text: {type: string, value: "hello {{who}}"}}}]
        - type: rest
          namespace: beside
          port: 0
          resources:
            - path: /hello
              operations:
                - method: GET
                  name: hello
                  outputParameters: [{type: object, properties: {text: {type: string, value: hello}}}]
""").replace("capably: 1.0.0", "ikanos: 1.0.0-beta4")


@pytest.fixture
def document(tmp_path: Path) -> Path:
    file = tmp_path / "greetings.yaml"
    file.write_text(DOCUMENT, encoding="utf-8")
    return file


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--stdio", "greetings"], ["serve", "--stdio"]])
@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
async def test_the_official_client_calls_a_tool_over_stdio(
    document: Path, arguments: list[str], mode: str, version: str
) -> None:
    server = StdioServerParameters(command=str(CAPABLY), args=[*arguments, str(document)])
    async with mcp.Client(stdio_client(server), mode=mode) as client:
        assert client.protocol_version == version
        result = await client.call_tool("hello", {"who": "Ada"})
    assert result.structured_content == {"text": "hello Ada"}


async def _run(document: Path, given: bytes, *options: str) -> tuple[int | None, list[Any], str]:
    """What a process that is given all at once says: exit code, messages, and what is on standard error."""
    process = await asyncio.create_subprocess_exec(
        str(CAPABLY),
        "serve",
        *options,
        str(document),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, told = await asyncio.wait_for(process.communicate(given), 30)
    return process.returncode, [json.loads(line) for line in said.splitlines()], told.decode()


async def test_nothing_but_messages_is_on_standard_output_and_the_process_ends_with_its_input(document: Path) -> None:
    call = {"name": "hello", "arguments": {"who": "Ada"}}
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        "",
        "this is no JSON",
        json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}),
        json.dumps({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {**call, "_meta": META}}),
    ]
    code, said, told = await _run(document, "\n".join(lines).encode())
    assert code == 0
    by_id = {message["id"]: message for message in said}
    assert by_id[1]["result"]["serverInfo"]["name"] == "greetings"
    assert by_id[None]["error"]["code"] == -32700
    assert by_id[2]["result"]["structuredContent"] == {"text": "hello Ada"}
    assert by_id[3]["result"]["resultType"] == "complete"
    assert len(said) == 4
    assert "beside" in told  # the other server of the document is served over HTTP
    assert "this is no JSON" not in told


async def test_a_server_that_is_chosen_is_served_alone(document: Path) -> None:
    code, said, told = await _run(document, b"", "--stdio", "greetings")
    assert (code, said) == (0, [])
    assert "beside" not in told


async def test_a_server_that_is_not_there_is_told_with_the_nearest_name(document: Path) -> None:
    code, said, told = await _run(document, b"", "--stdio", "greeting")
    assert (code, said) == (2, [])
    assert "--stdio greeting: no MCP server has this name" in told
    assert "did you mean `greetings`?" in told


class Pipes:
    """Both ends of a connection in this process."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.said: asyncio.Queue[Any] = asyncio.Queue()

    async def input(self) -> AsyncIterator[bytes | None]:
        while (line := await self.lines.get()) != b"end":
            yield line

    async def write(self, data: bytes) -> None:
        assert data.endswith(b"\n")
        assert data.count(b"\n") == 1
        self.said.put_nowait(json.loads(data))

    def send(self, method: str, request_id: Any = None, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.lines.put_nowait(json.dumps(message if request_id is None else {**message, "id": request_id}).encode())

    async def hear(self) -> Any:
        return await asyncio.wait_for(self.said.get(), 5)


Run = Callable[[Caller], Any]


@asynccontextmanager
async def connected(server: ServerPlan, run: Run) -> AsyncIterator[tuple[Pipes, Protocol]]:
    async def invoke(_operation: Operation, _inputs: Inputs, caller: Caller) -> Outcome:
        return Outcome(200, "application/json", json.dumps({"told": await run(caller)}, indent=1).encode())

    pipes, protocol = Pipes(), Protocol(server)
    serving = asyncio.create_task(Connection(protocol, invoke, 20_000, pipes.write).serve(pipes.input(), 5))
    yield pipes, protocol
    pipes.lines.put_nowait(b"end")
    await asyncio.wait_for(serving, 5)


CALL = {"name": "aimlapi-get-runs", "arguments": {"threadId": "t"}}


async def test_a_question_and_its_answer_pass_the_same_pipes(server: ServerPlan) -> None:
    async def ask(caller: Caller) -> Any:
        await caller.progress(1, 2, "half")
        response = await caller.ask(Question("roots", Ability.ROOTS))
        return dict(response.content)

    async with connected(server, ask) as (pipes, _protocol):
        pipes.send("initialize", 1, protocolVersion="2025-11-25", capabilities={"roots": {}})
        assert (await pipes.hear())["id"] == 1
        pipes.send("tools/call", 2, **CALL, _meta={"progressToken": 9})
        assert (await pipes.hear())["params"] == {"progressToken": 9, "progress": 1, "total": 2, "message": "half"}
        question = await pipes.hear()
        assert question["method"] == "roots/list"
        pipes.send("ping", 3)
        assert (await pipes.hear())["id"] == 3  # messages are answered while a call waits
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}}
        pipes.lines.put_nowait(json.dumps(answer).encode())
        assert (await pipes.hear())["result"]["structuredContent"] == {"told": {"roots": []}}


async def test_a_call_is_cancelled_by_its_id_in_both_eras(server: ServerPlan) -> None:
    stopped: list[str] = []

    async def wait(caller: Caller) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append("stopped")

    async with connected(server, wait) as (pipes, _protocol):
        pipes.send("tools/call", "modern", **CALL, _meta=META)
        pipes.send("tools/call", "legacy", **CALL)
        await asyncio.sleep(0.02)
        pipes.send("notifications/cancelled", requestId="modern")
        pipes.send("notifications/cancelled", requestId="legacy")
        pipes.send("ping", 3)
        assert (await pipes.hear())["id"] == 3
    assert stopped == ["stopped", "stopped"]
    assert pipes.said.empty()


async def test_a_modern_client_hears_what_it_listens_to_until_it_cancels(server: ServerPlan) -> None:
    async def nothing(caller: Caller) -> None: ...

    async with connected(server, nothing) as (pipes, protocol):
        wanted = {"toolsListChanged": True, "promptsListChanged": True}
        pipes.send("subscriptions/listen", 7, notifications=wanted, _meta=META)
        acknowledged = await pipes.hear()
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        meta = {"io.modelcontextprotocol/subscriptionId": 7}
        assert acknowledged["params"] == {"notifications": {"toolsListChanged": True}, "_meta": meta}
        protocol.changes.tell(Change.PROMPTS)
        protocol.changes.tell(Change.TOOLS)
        told = await pipes.hear()
        assert (told["method"], told["params"]) == ("notifications/tools/list_changed", {"_meta": meta})
        pipes.send("notifications/cancelled", requestId=7)
        pipes.send("subscriptions/listen", 8, notifications=wanted, _meta=META)
        await pipes.hear()
        protocol.changes.tell(Change.TOOLS)
        assert (await pipes.hear())["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 8}
    farewell = await pipes.hear()
    assert (farewell["id"], farewell["result"]["resultType"]) == (8, "complete")
    assert pipes.said.empty()


async def test_a_message_that_is_too_large_is_refused_and_the_next_is_answered(server: ServerPlan) -> None:
    async def nothing(caller: Caller) -> None: ...

    async with connected(server, nothing) as (pipes, _protocol):
        pipes.lines.put_nowait(None)
        assert (await pipes.hear())["error"]["message"] == "Invalid request: the message is too large"
        pipes.send("ping", 3)
        assert (await pipes.hear())["id"] == 3
