"""The protocol without a transport: one message in, one reply or one call out."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.plan.operation import ServerPlan
from capably.plan.outcome import Fault, Outcome
from capably.servers.mcp_call import Call
from capably.servers.mcp_eras import NO_HEADERS, Context, Era
from capably.servers.mcp_features import Work
from capably.servers.mcp_messages import ProtocolError, Reply, parse
from capably.servers.mcp_protocol import Protocol

VERSION = "io.modelcontextprotocol/protocolVersion"
META = {VERSION: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
SERVER_INFO = {"name": "aimlapi-threads-runs-mcp", "title": "AIMLAPI Threads > Runs", "version": "1.2.0"}


def _request(method: str, params: dict[str, Any] | None = None, **fields: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, **fields}
    return json.dumps(message if params is None else {**message, "params": params}).encode()


def _modern(method: str, **params: Any) -> bytes:
    return _request(method, {"_meta": META, **params})


def _reply(protocol: Protocol, raw: bytes, context: Context = NO_HEADERS) -> tuple[int, Any]:
    reply = protocol.handle(raw, context)
    assert isinstance(reply, Reply)
    return reply.status, json.loads(reply.body) if reply.body else None


def _result(protocol: Protocol, raw: bytes) -> Any:
    status, message = _reply(protocol, raw)
    assert status == 200
    assert message["jsonrpc"] == "2.0"
    assert message["id"] == 1
    return message["result"]


def _call(protocol: Protocol, raw: bytes) -> Call:
    call = protocol.handle(raw, NO_HEADERS)
    assert isinstance(call, Call)
    return call


def _work(call: Call) -> Work:
    assert isinstance(call.work, Work)
    return call.work


@pytest.mark.parametrize(
    ("asked", "settled"),
    [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("tomorrow", "2025-11-25"),
    ],
)
def test_initialize_settles_on_the_version_of_the_client_or_the_newest_legacy_one(
    protocol: Protocol, asked: str, settled: str
) -> None:
    params = {"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    assert _result(protocol, _request("initialize", params)) == {
        "protocolVersion": settled,
        "capabilities": {"tools": {"listChanged": True}, "logging": {}},
        "serverInfo": SERVER_INFO,
        "instructions": "MCP adapter for Threads > Runs.",
    }


def test_what_the_document_leaves_out_is_left_out(server: ServerPlan) -> None:
    bare = replace(server.operations[0], title="", description="", hints=None, inputs=())
    plan = replace(server, title="", version="", description="", operations=(bare,))
    protocol = Protocol(plan)
    initialized = _result(protocol, _request("initialize", {"protocolVersion": "2025-06-18"}))
    assert "instructions" not in initialized
    assert initialized["serverInfo"] == {"name": "aimlapi-threads-runs-mcp", "version": "unspecified"}
    assert _result(protocol, _request("tools/list"))["tools"] == [
        {"name": "aimlapi-get-runs", "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False}}
    ]


def test_ping_is_answered_with_nothing(protocol: Protocol) -> None:
    assert _result(protocol, _request("ping")) == {}


def test_discover_tells_versions_capabilities_and_instructions(protocol: Protocol) -> None:
    assert _result(protocol, _modern("server/discover")) == {
        "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"],
        "capabilities": {"tools": {"listChanged": True}, "logging": {}},
        "instructions": "MCP adapter for Threads > Runs.",
        "resultType": "complete",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": SERVER_INFO},
    }


def test_a_modern_list_is_the_legacy_list_with_the_marks_of_its_era(protocol: Protocol) -> None:
    legacy = _result(protocol, _request("tools/list"))
    modern = _result(protocol, _modern("tools/list"))
    assert legacy.keys() == {"tools"}
    assert modern == {
        **legacy,
        "resultType": "complete",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": SERVER_INFO},
    }


@pytest.mark.parametrize("request_id", [0, -1, 2**53, 2**80, "", "a", 'é\n"'])
def test_the_id_comes_back_as_it_was_sent(protocol: Protocol, request_id: str | int) -> None:
    assert _reply(protocol, _request("ping", id=request_id)) == (
        200,
        {"jsonrpc": "2.0", "id": request_id, "result": {}},
    )


@pytest.mark.parametrize("params", [{}, {"params": None}, {"params": {}}, {"params": {"cursor": None}}])
def test_params_that_say_nothing_may_be_sent_or_left_out(protocol: Protocol, params: dict[str, Any]) -> None:
    assert len(_result(protocol, _request("tools/list", **params))["tools"]) == 4


@pytest.mark.parametrize("method", ["initialized", "cancelled", "progress", "roots/list_changed", "of/tomorrow"])
@pytest.mark.parametrize("meta", [{}, {"_meta": META}])
def test_notifications_are_taken_and_answered_with_nothing(
    protocol: Protocol, method: str, meta: dict[str, Any]
) -> None:
    message = {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": meta}
    assert _reply(protocol, json.dumps(message).encode()) == (202, None)


@pytest.mark.parametrize(("params", "era"), [({}, Era.LEGACY), ({"_meta": META}, Era.MODERN)])
def test_a_tool_call_is_handed_out_to_be_performed(protocol: Protocol, params: dict[str, Any], era: Era) -> None:
    arguments = {"threadId": "t", "runId": "r", "body": {"a": None}}
    call = _call(protocol, _request("tools/call", {"name": "aimlapi-update-run", "arguments": arguments, **params}))
    assert call.name == "aimlapi-update-run"
    assert _work(call).inputs == {"threadId": "t", "runId": "r", "body": {"a": None}}
    assert call.era is era


def test_the_answer_of_a_call_embeds_the_upstream_body_untouched(protocol: Protocol) -> None:
    body = b'{ "big": 123456789012345678901234567890, "float": 1.10, "text": "\\u00e9" }'
    call = _call(protocol, _request("tools/call", {"name": "aimlapi-get-runs", "arguments": {"threadId": "t"}}))
    reply = call.answer(_work(call), Outcome(200, "application/json", body))
    assert reply.status == 200
    assert b'"structuredContent":' + body in reply.body
    assert json.loads(reply.body)["result"] == {
        "content": [{"type": "text", "text": body.decode()}],
        "isError": False,
        "structuredContent": json.loads(body),
    }


def test_every_modern_result_of_a_call_has_the_marks_of_its_era(protocol: Protocol) -> None:
    raw = _modern("tools/call", name="aimlapi-get-runs", arguments={"threadId": "t"})
    fault = Fault(504, "upstream-timeout", "The upstream API did not answer in time", "30 s have passed")
    call = _call(protocol, raw)
    replies = [call.answer(_work(call), Outcome(200, None)), call.refuse(fault)]
    results = [json.loads(reply.body)["result"] for reply in replies]
    results.append(_result(protocol, _modern("tools/call", name="aimlapi-get-runs", arguments={})))
    assert [result["isError"] for result in results] == [False, True, True]
    for result in results:
        assert result["resultType"] == "complete"
        assert result["_meta"] == {"io.modelcontextprotocol/serverInfo": SERVER_INFO}


@pytest.mark.parametrize(
    ("version", "meta", "method", "era"),
    [
        (None, {}, None, Era.LEGACY),
        ("2025-03-26", {}, None, Era.LEGACY),
        ("2025-11-25", {}, "tools/call", Era.LEGACY),
        ("2026-07-28", {"_meta": META}, "tools/call", Era.MODERN),
    ],
)
def test_the_era_is_told_by_the_message_or_else_by_its_headers(
    protocol: Protocol,
    version: str | None,
    meta: dict[str, Any],
    method: str | None,
    era: Era,
) -> None:
    raw = _request("tools/call", {"name": "aimlapi-get-runs", "arguments": {"threadId": "t"}, **meta})
    context = Context(over_http=True, version=version, method=method, name="aimlapi-get-runs")
    call = protocol.handle(raw, context)
    assert isinstance(call, Call)
    assert call.era is era


def test_initialize_is_legacy_whatever_the_version_header_says(protocol: Protocol) -> None:
    raw = _request("initialize", {"protocolVersion": "2025-06-18"})
    assert _reply(protocol, raw, Context(over_http=True, version="2026-07-28"))[0] == 200


@pytest.mark.parametrize("name", ["=?base64?YWltbGFwaS1nZXQtcnVucw==?=", "aimlapi-get-runs"], ids=["wrapped", "plain"])
def test_the_name_header_may_be_wrapped_in_base64(protocol: Protocol, name: str) -> None:
    raw = _modern("tools/call", name="aimlapi-get-runs", arguments={"threadId": "t"})
    context = Context(over_http=True, version="2026-07-28", method="tools/call", name=name)
    assert isinstance(protocol.handle(raw, context), Call)


def test_a_bug_in_handling_is_logged_and_told_without_its_words(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_given: object) -> None:
        raise KeyError("the secret")

    monkeypatch.setattr("capably.servers.mcp_tools.accept", broken)
    raw = _request("tools/call", {"name": "aimlapi-get-runs"})
    assert _reply(protocol, raw) == (
        200,
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "Internal error"}},
    )
    assert caplog.records[-1].name == "capably.mcp"
    assert caplog.records[-1].exc_info is not None


def test_a_name_of_megabytes_is_neither_searched_nor_sent_back(protocol: Protocol) -> None:
    status, message = _reply(protocol, _request("tools/call", {"name": "aimlapi-get-run" * 200_000}))
    assert status == 200
    assert message["error"]["code"] == -32602
    assert len(message["error"]["message"]) < 300


@given(levels=st.integers(60, 68), others=st.integers(0, 68))
def test_a_message_is_too_deep_by_its_nesting_not_by_its_brackets(levels: int, others: int) -> None:
    try:
        parse(("[" * levels + '"' + "{" * others + '"' + "]" * levels).encode())
    except ProtocolError:
        assert levels > 64
    else:
        assert levels <= 64
