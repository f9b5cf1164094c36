"""The table of error shapes: which request is refused with which status, code and words."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from capably.plan.caller import Caller
from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Outcome
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import Application, Limits
from capably.servers.mcp import build_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}
V = "io.modelcontextprotocol/protocolVersion"
C = "io.modelcontextprotocol/clientCapabilities"
META = {V: "2026-07-28", C: {}}
MODERN = {**JSON, "MCP-Protocol-Version": "2026-07-28"}
NO_ID = "Invalid request: `id` must be a string or an integer"
TOO_DEEP = "Parse error: the JSON is nested too deeply"
NO_JSONRPC = 'Invalid request: `jsonrpc` must be "2.0"'
NO_METHOD = "Invalid request: `method` must be a string"
NO_META = f"Invalid params: `_meta` must be an object with `{V}` and `{C}`"
CURSOR = "Invalid params: unknown `cursor`: the list has changed, begin again without one"
SUPPORTED = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]


def _message(method: Any = "ping", params: Any = None, **more: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}, **more}
    return json.dumps({key: value for key, value in message.items() if value is not ...}).encode()


def _mirrored(method: str, name: str | None = None, **more: str) -> dict[str, str]:
    headers = {**MODERN, "Mcp-Method": method, **({} if name is None else {"Mcp-Name": name}), **more}
    return {key: value for key, value in headers.items() if value}


def _tool(name: Any = "aimlapi-get-run", meta: Any = META, **params: Any) -> bytes:
    return _message("tools/call", {"name": name, "_meta": meta, **params})


class Refused(NamedTuple):
    """A message that is refused, and how."""

    what: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    request_id: Any
    code: int
    message: str


LEGACY_ROWS = [
    Refused("nothing", JSON, b"", 400, None, -32700, "Parse error: Input data was truncated"),
    Refused("half a message", JSON, b'{"jsonrpc":', 400, None, -32700, "Parse error: Input data was truncated"),
    Refused("no JSON", JSON, b"hello", 400, None, -32700, "Parse error: JSON is malformed: invalid character (byte 0)"),
    Refused("no UTF-8", JSON, b'{"a":"\xff"}', 400, None, -32700, "Parse error: the body is not UTF-8"),
    Refused("a pit", JSON, b"[" * 15_000, 400, None, -32700, TOO_DEEP),
    Refused("a pit of objects", JSON, b'{"a":' * 3_000, 400, None, -32700, TOO_DEEP),
    Refused("a number", JSON, b"1", 400, None, -32600, "Invalid request: the body must be one JSON-RPC object"),
    Refused(
        "a batch",
        {**JSON, "MCP-Protocol-Version": "2025-06-18"},
        b"[%b]" % _message(),
        400,
        None,
        -32600,
        "Invalid request: batches are not supported, send each message as a request of its own",
    ),
    Refused("no jsonrpc", JSON, b'{"id":7,"method":"ping"}', 400, 7, -32600, NO_JSONRPC),
    Refused("old jsonrpc", JSON, _message(jsonrpc="1.0"), 400, 7, -32600, NO_JSONRPC),
    Refused("no method", JSON, _message(...), 400, 7, -32600, NO_METHOD),
    Refused("a number as method", JSON, _message(1), 400, 7, -32600, NO_METHOD),
    Refused(
        "a list as params", JSON, _message(params=[1]), 400, 7, -32600, "Invalid request: `params` must be an object"
    ),
    Refused("null as id", JSON, _message(id=None), 400, None, -32600, NO_ID),
    Refused("a float as id", JSON, _message(id=1.5), 400, None, -32600, NO_ID),
    Refused("true as id", JSON, _message(id=True), 400, None, -32600, NO_ID),
    Refused("a list as id", JSON, _message(id=[]), 400, None, -32600, NO_ID),
    Refused("no id", JSON, _message(id=...), 400, None, -32600, NO_ID),
    Refused(
        "a response",
        JSON,
        b'{"jsonrpc":"2.0","id":7,"result":{}}',
        400,
        None,
        -32600,
        "Invalid request: this server has asked nothing, a response is stray",
    ),
    Refused("an unknown method", JSON, _message("tools/cal"), 200, 7, -32601, "Method not found: tools/cal"),
    Refused("a modern method", JSON, _message("server/discover"), 200, 7, -32601, "Method not found: server/discover"),
    Refused(
        "a notification as request",
        JSON,
        _message("notifications/x"),
        200,
        7,
        -32601,
        "Method not found: notifications/x",
    ),
    Refused(
        "no version", JSON, _message("initialize"), 200, 7, -32602, "Invalid params: `protocolVersion` must be a string"
    ),
    Refused("a cursor", JSON, _message("tools/list", {"cursor": "x"}), 200, 7, -32602, CURSOR),
    Refused("no tool", JSON, _message("tools/call"), 200, 7, -32602, "Invalid params: `name` must be a string"),
    Refused("an unknown tool", JSON, _message("tools/call", {"name": "x"}), 200, 7, -32602, "Unknown tool: x"),
    Refused(
        "arguments in a list",
        JSON,
        _message("tools/call", {"name": "aimlapi-get-run", "arguments": []}),
        200,
        7,
        -32602,
        "Invalid params: `arguments` must be an object",
    ),
    Refused(
        "an unknown version header",
        {**JSON, "MCP-Protocol-Version": "1999-01-01"},
        _message(),
        400,
        7,
        -32022,
        "Unsupported protocol version",
    ),
]

MODERN_ROWS = [
    Refused("no meta", _mirrored("tools/list"), _message("tools/list"), 400, 7, -32602, NO_META),
    Refused(
        "only the method header", {**JSON, "Mcp-Method": "tools/list"}, _message("tools/list"), 400, 7, -32602, NO_META
    ),
    Refused(
        "no capabilities",
        _mirrored("tools/list"),
        _message("tools/list", {"_meta": {V: "2026-07-28"}}),
        400,
        7,
        -32602,
        f"Invalid params: `_meta` lacks `{C}`",
    ),
    Refused(
        "capabilities of a wrong type",
        _mirrored("tools/list"),
        _message("tools/list", {"_meta": {V: "2026-07-28", C: []}}),
        400,
        7,
        -32602,
        f"Invalid params: `_meta` field `{C}` must be an object",
    ),
    Refused(
        "no version header",
        _mirrored("tools/list", **{"MCP-Protocol-Version": ""}),
        _message("tools/list", {"_meta": META}),
        400,
        7,
        -32020,
        "Missing required header: MCP-Protocol-Version",
    ),
    Refused(
        "another version header",
        _mirrored("tools/list", **{"MCP-Protocol-Version": "2025-11-25"}),
        _message("tools/list", {"_meta": META}),
        400,
        7,
        -32020,
        "Header mismatch: MCP-Protocol-Version header value '2025-11-25' does not match body value '2026-07-28'",
    ),
    Refused(
        "no method header",
        MODERN,
        _message("tools/list", {"_meta": META}),
        400,
        7,
        -32020,
        "Missing required header: Mcp-Method",
    ),
    Refused(
        "another method header",
        _mirrored("ping"),
        _message("tools/list", {"_meta": META}),
        400,
        7,
        -32020,
        "Header mismatch: Mcp-Method header value 'ping' does not match body value 'tools/list'",
    ),
    Refused("no name header", _mirrored("tools/call"), _tool(), 400, 7, -32020, "Missing required header: Mcp-Name"),
    Refused(
        "another name header",
        _mirrored("tools/call", "aimlapi-get-runs"),
        _tool(),
        400,
        7,
        -32020,
        "Header mismatch: Mcp-Name header value 'aimlapi-get-runs' does not match body value 'aimlapi-get-run'",
    ),
    Refused(
        "a name header that is no base64",
        _mirrored("tools/call", "=?base64?!?="),
        _tool(),
        400,
        7,
        -32020,
        "Header mismatch: a header is not valid Base64 of UTF-8 text",
    ),
    Refused(
        "a name header spelled another way",
        _mirrored("tools/call", "=?base64?eB==?="),
        _tool("x"),
        400,
        7,
        -32020,
        "Header mismatch: a header is not valid Base64 of UTF-8 text",
    ),
    Refused(
        "an unknown version",
        _mirrored("tools/list", **{"MCP-Protocol-Version": "2099-01-01"}),
        _message("tools/list", {"_meta": {**META, V: "2099-01-01"}}),
        400,
        7,
        -32022,
        "Unsupported protocol version",
    ),
    Refused(
        "a legacy version in meta",
        _mirrored("tools/list", **{"MCP-Protocol-Version": "2025-11-25"}),
        _message("tools/list", {"_meta": {**META, V: "2025-11-25"}}),
        400,
        7,
        -32022,
        "Unsupported protocol version",
    ),
    Refused(
        "a removed method",
        _mirrored("ping"),
        _message("ping", {"_meta": META}),
        404,
        7,
        -32601,
        "Method not found: ping: it is not part of 2026-07-28",
    ),
    Refused(
        "the handshake",
        _mirrored("initialize"),
        _message("initialize", {"_meta": META}),
        404,
        7,
        -32601,
        "Method not found: initialize: it is not part of 2026-07-28",
    ),
    Refused(
        "an unknown method",
        _mirrored("prompts/get", "p"),
        _message("prompts/get", {"_meta": META, "name": "p"}),
        404,
        7,
        -32601,
        "Method not found: prompts/get",
    ),
    Refused(
        "a cursor",
        _mirrored("tools/list"),
        _message("tools/list", {"_meta": META, "cursor": "x"}),
        400,
        7,
        -32602,
        CURSOR,
    ),
    Refused("no tool", _mirrored("tools/call"), _tool(None), 400, 7, -32602, "Invalid params: `name` must be a string"),
    Refused("an unknown tool", _mirrored("tools/call", "x"), _tool("x"), 400, 7, -32602, "Unknown tool: x"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(
    server: ServerPlan, serve: Callable[[Application], AbstractAsyncContextManager[str]]
) -> AsyncIterator[str]:
    async def invoke(_operation: Operation, _inputs: Inputs, _caller: Caller) -> Outcome:
        raise AssertionError("what is refused is not run")

    async with serve(build_app(server, invoke, Limits(body_bytes=20_000), Gatekeeper())) as base_url:
        yield base_url


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{era} {row.what}")
        for era, rows in (("legacy", LEGACY_ROWS), ("modern", MODERN_ROWS))
        for row in rows
    ],
)
async def test_a_message_that_cannot_be_served_is_a_json_rpc_error(url: str, row: Refused) -> None:
    async with (
        aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.post(f"{url}/mcp", data=row.body, headers=row.headers) as response,
    ):
        assert response.headers["Content-Type"] == "application/json"
        told = await response.json()
    error = told.pop("error")
    data = error.pop("data", None)
    assert (response.status, told, error) == (
        row.status,
        {"jsonrpc": "2.0", "id": row.request_id},
        {"code": row.code, "message": row.message},
    )
    requested = row.headers.get("MCP-Protocol-Version")
    assert data == ({"supported": SUPPORTED, "requested": requested} if row.code == -32022 else None)
