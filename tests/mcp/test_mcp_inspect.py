"""`capably inspect` shows what a client sees: of documents, of this program's servers and of others."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from capably.cli import main
from capably.errors import CommandError
from capably.inspection.carriers import over_http, over_stdio
from capably.inspection.conversation import Conversation
from capably.inspection.report import Report, inspect_server
from capably.inspection.text import lines_of
from capably.servers.http import Application

Serve = Callable[[Application], AbstractAsyncContextManager[str]]


async def inspected(url: str, *headers: tuple[str, str]) -> Report:
    async with over_http(url, headers) as way:
        return await inspect_server(url, Conversation(way))


@pytest.fixture
def document(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    text = """\
        ikanos: 1.0.0-beta4
        info: {display: Shop, description: A shop.}
        capability:
          exposes:
          - type: mcp
            namespace: shop
            port: 9090
            description: Sells things.
            tools:
            - name: greet
              display: Greet
              description: Greets.
              hints: {readOnly: true, idempotent: true}
              inputParameters:
              - {name: who, type: string, description: Whom.}
              - {name: tone, type: string, required: false, enum: [warm, dry], description: How.}
              - {name: tags, type: array, required: false, items: {type: string}, description: Tags.}
              outputParameters:
              - {name: text, type: string, value: 'Hello {{who}}'}
              - {name: all, type: array, items: {type: string, value: '{{who}}'}}
            resources:
            - {name: note, uri: 'shop://note', description: A note., mimeType: text/plain, text: Hi}
            - {name: item, uri: 'shop://items/{id}', description: An item., text: '{{id}}'}
            prompts:
            - name: sell
              description: Sells.
              arguments: [{name: what, description: W.}, {name: how, required: false, description: H.}]
              template: [{content: 'Sell {{what}} {{how}}'}]
        """
    file.write_text(dedent(text), encoding="utf-8")
    return file


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_a_document_is_shown_without_starting_it(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", document) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[:4] == [
        "shop (Shop), version 1.0.0",
        f"  at {document}, not started, MCP 2026-07-28",
        "  can: tools, resources, prompts, completions, logging",
        "  says: Sells things.",
    ]
    assert "    read-only, idempotent\n" in shown
    assert "    takes who: string; tone?: warm | dry; tags?: array of string\n" in shown
    assert "    gives text?: string | null; all?: array of (string | null) | null\n" in shown
    assert "  shop://note  note  A note.  [text/plain]\n" in shown
    assert "  shop://items/{id}  item  An item.\n" in shown
    assert "  sell(what, how?)  Sells.\n" in shown
    assert shown.endswith("\ntokens are estimated: 4 bytes of compact JSON count as one\n")


def test_programs_get_whole_schemas_and_sizes(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", "--format", "json", document) == 0
    report = json.loads(capsys.readouterr().out)
    (tool,) = report["tools"]
    assert tool["inputSchema"]["properties"]["tone"]["enum"] == ["warm", "dry"]
    measured = {key: value for key, value in tool.items() if key not in {"bytes", "estimatedTokens"}}
    assert tool["bytes"] == len(json.dumps(measured, separators=(",", ":")))
    assert tool["estimatedTokens"] == -(-tool["bytes"] // 4)
    assert report["toolsBytes"] == tool["bytes"] + 2  # the brackets of the list
    assert [entry["uri"] for entry in report["resources"]] == ["shop://note"]
    assert [entry["uriTemplate"] for entry in report["resourceTemplates"]] == ["shop://items/{id}"]
    assert [entry["name"] for entry in report["prompts"]] == ["sell"]


async def test_a_server_of_this_program_is_shown_over_http(base_url: str) -> None:
    report = await inspected(f"{base_url}/mcp")
    assert report.version == "2026-07-28"
    assert [tool["name"] for tool in report.tools][:2] == ["aimlapi-get-runs", "aimlapi-create-run"]
    assert report.resources == report.prompts == []


SDK_SERVER = """\
    from mcp.server import MCPServer

    server = MCPServer("others", version="7", instructions="Be kind.")

    @server.tool()
    def add(a: int, b: int = 1) -> int:
        "Adds."
        return a + b

    @server.resource("note://one", mime_type="text/plain")
    def note() -> str:
        "A note."
        return "x"

    @server.prompt()
    def ask(what: str) -> str:
        "Asks."
        return what
    """


def seen(report: Report) -> tuple[Any, ...]:
    (tool,), (resource,), (prompt,) = report.tools, report.resources, report.prompts
    return report.server["name"], report.instructions, tool["name"], resource["uri"], prompt["name"]


async def test_a_server_made_with_the_official_sdk_is_shown_over_http(serve: Serve) -> None:
    made: dict[str, Any] = {}
    exec(dedent(SDK_SERVER), made)  # noqa: S102 -- the same few lines run as a command below
    app = made["server"].streamable_http_app(stateless_http=True)
    async with made["server"].session_manager.run(), serve(app) as url:
        report = await inspected(f"{url}/mcp")
    assert seen(report) == ("others", "Be kind.", "add", "note://one", "ask")
    assert "    takes a: integer; b?: integer" in list(lines_of(report))


async def test_a_server_made_with_the_official_sdk_is_shown_over_stdio(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(dedent(SDK_SERVER) + '\nserver.run(transport="stdio")\n', encoding="utf-8")
    async with over_stdio((sys.executable, str(script))) as carrier:
        report = await inspect_server("a command", Conversation(carrier))
    assert seen(report) == ("others", "Be kind.", "add", "note://one", "ask")


def old_server(seen: list[tuple[str, dict[str, str]]]) -> Application:
    """A server of 2025-11-25 that asks for a token, keeps a session, pages its list and answers with event streams."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = json.loads((await receive())["body"])
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen.append((message["method"], headers))
        status, kind, body = 200, "text/event-stream", b""
        if headers.get("authorization") != "Bearer t0ken":
            status, kind, body = 401, "text/plain", b"no"
        elif message["method"] == "server/discover":
            status, kind, body = 400, "text/plain", b"Missing session ID"
        elif "id" in message:
            page = message["params"].get("cursor")
            tools = {"tools": [{"name": page or "first"}], **({} if page else {"nextCursor": "second"})}
            info = {"name": "old\x1b[2J", "version": "1"}
            greeting = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
            result = greeting if message["method"] == "initialize" else tools
            response = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
            note = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
            body = f"event: message\r\ndata: {note}\r\n\r\ndata: {response}\r\n\r\n".encode()
        else:
            status = 202
        started = [(b"content-type", kind.encode()), (b"mcp-session-id", b"s1")]
        await send({"type": "http.response.start", "status": status, "headers": started})
        await send({"type": "http.response.body", "body": body})

    return app


async def test_a_server_of_an_older_revision_is_shown_with_its_session_and_credentials(serve: Serve) -> None:
    asked: list[tuple[str, dict[str, str]]] = []
    async with serve(old_server(asked)) as url:
        report = await inspected(url, ("Authorization", "Bearer t0ken"))
    assert report.version == "2025-11-25"
    assert [tool["name"] for tool in report.tools] == ["first", "second"]
    methods = [method for method, _headers in asked]
    assert methods == ["server/discover", "initialize", "notifications/initialized", "tools/list", "tools/list"]
    assert {headers["mcp-session-id"] for _method, headers in asked[2:]} == {"s1"}
    assert {headers["mcp-protocol-version"] for _method, headers in asked[2:]} == {"2025-11-25"}
    assert "\x1b" not in "".join(lines_of(report))


async def test_a_server_that_wants_credentials_is_told_so(serve: Serve) -> None:
    async with serve(old_server([])) as url:
        with pytest.raises(CommandError, match=r"lets nobody in without credentials \(401\)") as refused:
            await inspected(url)
    assert refused.value.help_lines == ("give what it asks for with --header 'Authorization: Bearer …'",)


async def test_what_is_no_mcp_server_is_told(serve: Serve) -> None:
    async def page(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<html>"})

    async with serve(page) as url:
        with pytest.raises(CommandError, match="does not answer with JSON-RPC"):
            await inspected(url)
    with pytest.raises(CommandError, match=r"http://127\.0\.0\.1:9/ gives no answer: "):
        await inspected("http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "error: nowhere.yaml exposes no MCP server"),
        (["a.yaml", "b"], "error: more than one target is given"),
        (["a.yaml", "--header", "A: b"], "error: --header needs a URL"),
        (["http://a.test", "--header", "secret"], "write it as 'Name: value'"),
        (["--stdio", "/nowhere/command"], "error: `/nowhere/command` cannot be started: No such file or directory"),
        (["--stdio", "--", sys.executable, "-c", "0"], "error: the command ended without an answer to server/discover"),
    ],
)
def test_what_cannot_be_inspected_is_told(arguments: list[str], message: str) -> None:
    command = [sys.executable, "-m", "capably", "inspect", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode in {1, 2}
    assert message in ended.stderr
    assert "secret" not in ended.stderr
    assert "Traceback" not in ended.stderr
