"""Runs that call the tools of MCP servers by themselves."""

import contextlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.upstreams import Quiet, answering

from capably.threads.mcp_client import McpClient, McpError, McpServer
from capably.threads.settings import ThreadsSettings

if TYPE_CHECKING:
    from tests.threads.conftest import ScriptedModel, Serve, Service

DOCUMENT = """
ikanos: 1.0.0-beta5
info: {label: Harbour, description: What the harbour knows.}
capability:
  exposes:
  - type: mcp
    namespace: harbour
    port: 0
    tools:
      berth-of:
        description: Where a ship lies.
        inputParameters:
          ship: {type: string, description: Its name., required: true}
        outputParameters:
        - type: object
          properties:
            berth: {type: string, value: "Berth of {{tools.ship}}: 7"}
      close-harbour:
        description: Close the harbour.
        outputParameters:
        - {type: object, properties: {closed: {type: boolean, value: true}}}
"""


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of capably's own MCP server."""
    document = tmp_path_factory.mktemp("harbour") / "harbour.yaml"
    document.write_text(DOCUMENT)
    command = [sys.executable, "-m", "capably", "serve", str(document)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"(http://127\.0\.0\.1:\d+\S*)", line):
                yield found.group(1).removesuffix("/mcp") + "/mcp"
                break
        else:
            raise AssertionError(said)
        process.terminate()
        process.communicate(timeout=20)


def _tool(url: str, **choices: Any) -> Any:
    return {"type": "mcp", "server_label": "harbour", "server_url": url} | choices


def _calls(name: str, arguments: str) -> dict[str, Any]:
    return {"pieces": (), "calls": (("call_1", name, arguments),), "finish": "tool_calls"}


def test_a_run_lists_and_calls_the_tools_of_a_server_as_a_step(
    asking: "Service", model: "ScriptedModel", harbour: str
) -> None:
    model.play(**_calls("harbour_berth-of", '{"ship": "Northern Star"}'))
    model.play(pieces=("At berth 7.",))
    assistant = asking.assistant(tools=[_tool(harbour, require_approval="never")])
    run = asking.ended(asking.start(asking.thread("Where is she?"), assistant))
    assert run.status == "completed"
    offered = {tool["function"]["name"]: tool["function"] for tool in model.requests[0][1]["tools"]}
    assert offered.keys() == {"harbour_berth-of", "harbour_close-harbour"}
    assert offered["harbour_berth-of"]["parameters"]["properties"]["ship"]["description"] == "Its name."
    result = model.requests[1][1]["messages"][-1]
    assert (result["role"], result["tool_call_id"]) == ("tool", "call_1")
    assert "Berth of Northern Star: 7" in result["content"]
    steps = asking.call("GET", f"/threads/{run.thread_id}/runs/{run.id}/steps?order=asc").json["data"]
    call = steps[0]["step_details"]["tool_calls"][0]
    assert (call["type"], call["server_label"], call["name"]) == ("mcp", "harbour", "berth-of")
    assert "Berth of Northern Star: 7" in call["output"]
    assert "called" not in call
    assert "requires_action" not in [name.rpartition(".")[2] for _, name, _ in asking.log(run)]


@pytest.mark.parametrize(("approve", "told"), [(True, '"closed":true'), (False, "The call was not approved.")])
def test_a_call_waits_for_its_approval_unless_the_assistant_says_otherwise(
    asking: "Service", model: "ScriptedModel", harbour: str, *, approve: bool, told: str
) -> None:
    model.play(**_calls("harbour_close-harbour", "{}"))
    rules = {"never": {"tool_names": ["berth-of"]}}
    assistant = asking.assistant(tools=[_tool(harbour, require_approval=rules)])
    run = asking.ended(asking.start(asking.thread("Close it."), assistant))
    assert run.status == "requires_action"
    path = f"/threads/{run.thread_id}/runs/{run.id}"
    action = asking.call("GET", path).json["required_action"]
    call = {"id": "call_1", "type": "mcp", "server_label": "harbour", "name": "close-harbour", "arguments": "{}"}
    assert action == {"type": "submit_tool_approval", "submit_tool_approval": {"tool_calls": [call]}}
    refused = asking.call("POST", f"{path}/submit_tool_outputs", {"tool_outputs": []})
    assert refused.json["error"]["message"] == "Expected tool approvals for call_ids ['call_1'], got []"
    decision = {"tool_approvals": [{"tool_call_id": "call_1", "approve": approve}]}
    assert asking.call("POST", f"{path}/submit_tool_outputs", decision).json["status"] == "queued"
    assert asking.ended(run).status == "completed"
    assert told in model.requests[1][1]["messages"][-1]["content"]


def test_only_allowed_tools_are_offered_and_called(asking: "Service", model: "ScriptedModel", harbour: str) -> None:
    model.play(**_calls("harbour_berth-of", '{"ship": "A"}'))
    tool = _tool(harbour, require_approval="never", allowed_tools=["berth-of"])
    asking.ended(asking.start(asking.thread("hi"), asking.assistant(tools=[tool])))
    assert [tool["function"]["name"] for tool in model.requests[0][1]["tools"]] == ["harbour_berth-of"]


def test_a_failing_call_is_told_to_the_model(asking: "Service", model: "ScriptedModel", harbour: str) -> None:
    model.play(**_calls("harbour_berth-of", "{}"))
    model.play(**_calls("harbour_berth-of", '["no object"]'))
    assistant = asking.assistant(tools=[_tool(harbour, require_approval="never")])
    run = asking.ended(asking.start(asking.thread("hi"), assistant))
    assert run.status == "completed"
    told = [message["content"] for message in model.requests[2][1]["messages"] if message["role"] == "tool"]
    assert "ship" in told[0]
    assert told[1] == "Error: The arguments are not a JSON object."


def test_a_server_elsewhere_is_asked_only_if_the_operator_allows_it(asking: "Service", model: "ScriptedModel") -> None:
    tool = _tool("https://tools.example/mcp?key=hidden", authorization="sk-mine", headers={"X-Key": "mine"})
    assistant = asking.call("POST", "/assistants", {"model": "m", "tools": [tool]}).json
    assert assistant["tools"] == [_tool("https://tools.example/mcp?key=hidden")]
    body = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": "hi"}]}}
    started = asking.call("POST", "/threads/runs", body).json
    assert "mine" not in json.dumps(started)
    run = asking.ended(asking.client.beta.threads.runs.retrieve(started["id"], thread_id=started["thread_id"]))
    assert run.last_error is not None
    assert run.last_error.message == (
        "The MCP server at https://tools.example is not among those this service may ask (--allow-mcp)."
    )
    assert model.requests == []


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://a.example/mcp", True),
        ("https://a.example/mcp/more", True),
        ("https://a.example/mcpx", False),
        ("https://a.example:8443/mcp", False),
        ("http://a.example/mcp", False),
        ("https://a.example.evil/mcp", False),
        ("https://a.example@evil/mcp", False),
        ("http://localhost:1/x", False),
        ("http://127.0.0.1:1/x", False),
    ],
)
def test_what_may_be_asked_is_compared_by_its_parts(*, url: str, allowed: bool) -> None:
    settings = ThreadsSettings(Path(), host="192.0.2.1", allow_mcp=("https://a.example/mcp",))
    assert settings.may_ask(url) is allowed


class _Legacy(Quiet):
    """A server of the older era, with sessions that it forgets, answering in streams."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = cast("Any", self.server)
        server.heard.append((body["method"], self.headers.get("mcp-session-id")))
        if body["method"] == "initialize":
            server.session += 1
            result = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}}
            self._answer(200, body, {"result": result}, {"Mcp-Session-Id": str(server.session)})
        elif self.headers.get("mcp-session-id") != str(server.session):
            known = self.headers.get("mcp-session-id") is not None
            self._answer(404 if known else 400, body, {"error": {"code": -32600, "message": "no session"}}, {})
        elif body["method"].startswith("notifications/"):
            self.send_response(202)
            self.send_header("content-length", "0")
            self.end_headers()
        elif body["method"] == "tools/list":
            page = body["params"].get("cursor", "1")
            tools = [{"name": f"tool{page}", "inputSchema": {"type": "object"}}]
            self._answer(200, body, {"result": {"tools": tools} | ({"nextCursor": "2"} if page == "1" else {})}, {})
        else:
            content = [{"type": "text", "text": "done"}, {"type": "image", "data": "", "mimeType": "image/png"}]
            self._answer(200, body, {"result": {"content": content, "isError": True}}, {})

    def _answer(self, status: int, body: Any, message: Any, headers: dict[str, str]) -> None:
        data = json.dumps({"jsonrpc": "2.0", "id": body["id"]} | message)
        streamed = f'event: message\ndata: {{"jsonrpc":"2.0","method":"notifications/x"}}\n\ndata: {data}\n\n'
        payload = (streamed if status == 200 else data).encode()
        self.send_response(status)
        self.send_header("content-type", "text/event-stream" if status == 200 else "application/json")
        self.send_header("content-length", str(len(payload)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)


@contextlib.contextmanager
def _legacy() -> Iterator[Any]:
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _Legacy)) as server:
        state = cast("Any", server)
        state.heard, state.session = [], 0
        yield server


async def test_a_server_of_the_older_era_is_opened_once_and_again_when_it_forgets() -> None:
    with _legacy() as server:
        target = McpServer(f"http://127.0.0.1:{server.server_address[1]}/mcp")
        async with McpClient() as client:
            assert [tool.name for tool in await client.tools(target)] == ["tool1", "tool2"]
            assert await client.call(target, "tool1", {}) == ("done\n[image image/png]", True)
            server.session += 1
            assert (await client.call(target, "tool1", {}))[1]
        methods = [method for method, _ in server.heard]
        assert methods.count("initialize") == 2
        assert methods[1:3] == ["initialize", "notifications/initialized"]


async def test_what_is_no_server_is_told_as_such() -> None:
    async with McpClient() as client:
        with pytest.raises(McpError, match="it cannot be reached or understood"):
            await client.tools(McpServer("http://127.0.0.1:9/mcp"))


SECRETS = ("key-of-the-harbour-4711", "header-of-the-harbour-4712")


def test_the_secrets_of_a_server_are_sent_to_it_and_to_nobody_else(
    serve: "Serve", model: "ScriptedModel", guarded: "tuple[str, list[Mapping[str, str]]]"
) -> None:
    service = serve(model_url=model.url)
    url, asked = guarded
    tool = _tool(url, require_approval="never", authorization=SECRETS[0], headers={"X-Harbour": SECRETS[1]})
    model.play(**_calls("harbour_open", "{}"))
    made = service.call("POST", "/assistants", {"model": "m", "tools": [tool]})
    assistant = made.json["id"]
    thread = service.thread("hi")
    streamed = service.call("POST", f"/threads/{thread.id}/runs", {"assistant_id": assistant, "stream": True})
    assert b"event: thread.run.completed" in streamed.body
    assert {(told["authorization"], told["x-harbour"]) for told in asked} == {(f"Bearer {SECRETS[0]}", SECRETS[1])}
    own = service.call("POST", "/threads/runs", {"assistant_id": assistant, "tools": [tool]})
    run = service.ended(service.client.beta.threads.runs.list(thread.id).data[0])
    assert service.call("POST", f"/assistants/{assistant}", {"tools": [tool]}).status == 200
    odd = service.call(
        "POST", "/assistants", {"model": "m", "tools": [tool | {"headers": {"X-Harbour": [SECRETS[1]]}}]}
    )
    assert odd.status == 400
    base = f"/threads/{thread.id}"
    reads = [f"/assistants/{assistant}", "/assistants", f"{base}/runs", f"{base}/runs/{run.id}", f"{base}/messages"]
    reads += [f"{base}/runs/{run.id}/events", f"{base}/runs/{run.id}/steps"]
    answers = [made, streamed, own, odd, *(service.call("GET", path) for path in reads)]
    for answer in answers:
        assert not [secret for secret in SECRETS if secret.encode() in answer.body]
    for _, body in model.requests:
        assert not [secret for secret in SECRETS if secret in json.dumps(body)]
    with closing(sqlite3.connect(service.data / "threads.db")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = {name: repr(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for name in tables}  # noqa: S608
    holding = {name for name, rows in kept.items() if any(secret in rows for secret in SECRETS)}
    assert "events" in tables
    assert holding == {"assistants", "runs"}  # where they are asked with


class _Guarded(Quiet):
    """A server of one tool that keeps the headers it was asked with."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        cast("Any", self.server).asked.append({name.lower(): value for name, value in self.headers.items()})
        results = {
            "tools/list": {"tools": [{"name": "open", "inputSchema": {"type": "object"}}]},
            "tools/call": {"content": [{"type": "text", "text": "open"}]},
        }
        self.tell(200, {"jsonrpc": "2.0", "id": request["id"], "result": results[request["method"]]})


@pytest.fixture
def guarded() -> "Iterator[tuple[str, list[Mapping[str, str]]]]":
    """A server's address, and the headers of the requests it got."""
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _Guarded)) as server:
        asked: list[Mapping[str, str]] = []
        cast("Any", server).asked = asked
        yield f"http://127.0.0.1:{server.server_address[1]}/mcp", asked
