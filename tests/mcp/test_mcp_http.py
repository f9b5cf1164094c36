"""The ASGI shell under a real server: what HTTP adds to the messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capably.plan.caller import Caller
from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Outcome
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import Application, Limits
from capably.servers.mcp import build_app
from capably.upstream.reply import Trouble, UpstreamError

JSON = {"Content-Type": "application/json"}
Serve = Callable[[Application], AbstractAsyncContextManager[str]]


class Chunks:
    """A made-up upstream stream that knows whether it was closed, and may fail or go on for ever."""

    def __init__(self, *chunks: bytes | Exception, endless: bool = False) -> None:
        self.chunks = chunks
        self.endless = endless
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk
        while self.endless:
            await asyncio.sleep(0)
            yield b"data: more\n\n"

    async def aclose(self) -> None:
        self.closed.set()


def _call(tool: str = "aimlapi-get-runs", **arguments: Any) -> bytes:
    params = {"name": tool, "arguments": {"threadId": "t", **arguments}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


async def _post(url: str, body: bytes, **headers: str) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers={**JSON, **headers}) as response,
    ):
        assert response.status == 200
        return await response.json()


@pytest.mark.parametrize("path", ["/", "/mcp", "/mcp/", "/mcp?key=1"])
async def test_messages_are_taken_at_both_paths(base_url: str, path: str) -> None:
    assert (await _post(base_url + path, _call()))["result"]["isError"] is False


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json, text/event-stream"},
        {"Accept": "*/*"},
        {"Accept": "Application/*;q=0.5"},
        {"Content-Type": "Application/JSON; charset=utf-8"},
        {"Origin": "http://localhost:3000"},
        {"Host": "localhost"},
        {"MCP-Protocol-Version": "2025-06-18"},
        {"MCP-Protocol-Version": "\t2025-06-18 \t"},
    ],
)
async def test_what_headers_may_say_they_may_say(base_url: str, headers: dict[str, str]) -> None:
    assert (await _post(base_url, _call(), **headers))["result"]["isError"] is False


async def test_a_notification_is_accepted_with_an_empty_answer(base_url: str) -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    async with aiohttp.ClientSession() as session, session.post(base_url, data=body, headers=JSON) as response:
        assert (response.status, await response.read()) == (202, b"")
        assert "Content-Type" not in response.headers
        assert "Mcp-Session-Id" not in response.headers


async def test_head_and_options_are_answered_without_a_body(base_url: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.head(base_url) as response:
            assert (response.status, await response.read(), response.headers["Allow"]) == (
                405,
                b"",
                "POST, GET, DELETE, OPTIONS",
            )
        async with session.options(base_url) as response:
            assert (response.status, await response.read(), response.headers["Allow"]) == (
                204,
                b"",
                "POST, GET, DELETE, OPTIONS",
            )


async def test_a_header_that_mirrors_the_message_must_come_once(base_url: str) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}})
    headers = [*JSON.items(), ("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/list")]
    async with aiohttp.ClientSession() as session:
        async with session.post(base_url, data=body, headers=headers) as response:
            assert response.status == 200
        async with session.post(base_url, data=body, headers=[*headers, ("Mcp-Method", "tools/list")]) as response:
            assert response.status == 400
            assert (await response.json())["error"] == {
                "code": -32020,
                "message": "Header mismatch: Mcp-Method was sent more than once",
            }


HEADERS = st.sampled_from(
    [
        (b"mcp-protocol-version", b"2026-07-28"),
        (b"mcp-method", b"tools/list"),
        (b"mcp-method", b"tools/call"),
        (b"mcp-name", b"aimlapi-get-runs"),
        (b"mcp-param-a", b"1"),
        (b"accept", b"application/json"),
        (b"accept", b"text/html"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        (b"x-a", b"1"),
    ]
)


@given(st.lists(HEADERS, max_size=6))
@settings(deadline=None)
def test_headers_that_come_once_are_read_as_they_are_beside_one_that_comes_twice(
    server: ServerPlan, headers: list[tuple[bytes, bytes]]
) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}).encode()

    async def invoke(_operation: Operation, _inputs: Inputs, _caller: Caller) -> Outcome:
        raise AssertionError("nothing is called")

    async def told(*more: tuple[bytes, bytes]) -> list[Any]:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        fields = [(b"content-type", b"application/json"), *headers, *more]
        scope = {"type": "http", "method": "POST", "path": "/mcp", "query_string": b"", "headers": fields}
        await build_app(server, invoke, Limits(), Gatekeeper())(scope, receive, send)
        return sent

    assert asyncio.run(told()) == asyncio.run(told((b"x-twice", b"1"), (b"x-twice", b"2")))


async def test_a_body_that_grows_too_large_is_refused_without_a_declared_length(base_url: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 10_000

    async with (
        aiohttp.ClientSession() as session,
        session.post(base_url, data=chunks(), headers=JSON) as response,
    ):
        assert response.status == 413


async def test_a_server_that_is_not_local_takes_other_hosts(server: ServerPlan, serve: Serve) -> None:
    async def invoke(_operation: Operation, _inputs: Inputs, _caller: Caller) -> Outcome:
        return Outcome(200, "text/plain", b"done")

    async with serve(build_app(server, invoke, Limits(local_only=False), Gatekeeper())) as url:
        assert (await _post(url, _call(), Host="api.example"))["result"]["isError"] is False


async def test_a_stream_is_read_to_its_end_and_closed(base_url: str, answers: dict[str, Outcome | Exception]) -> None:
    stream = Chunks(b"data: 1\n\n", b"data: \xc3", b"\xa9\n\n")
    answers["aimlapi-get-runs"] = Outcome(200, "text/event-stream", stream=stream)
    result = (await _post(base_url, _call()))["result"]
    assert result == {"content": [{"type": "text", "text": "data: 1\n\ndata: é\n\n"}], "isError": False}
    assert stream.closed.is_set()


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (
            Chunks(endless=True),
            (
                "The upstream's answer is too large: it did not end within 20,000 bytes: "
                "ask for less, or for an answer that is no stream"
            ),
        ),
        (
            Chunks(b"data", UpstreamError(Trouble.BROKEN, "reset by 10.0.0.7")),
            "The upstream's answer broke off: it ended before it was complete: try again",
        ),
    ],
    ids=["endless", "cut"],
)
async def test_a_stream_that_does_not_end_well_is_a_tool_error_and_closed(
    base_url: str, answers: dict[str, Outcome | Exception], stream: Chunks, text: str
) -> None:
    answers["aimlapi-get-runs"] = Outcome(200, "text/event-stream", stream=stream)
    result = (await _post(base_url, _call()))["result"]
    assert result == {"content": [{"type": "text", "text": text}], "isError": True}
    assert stream.closed.is_set()


async def test_a_stream_that_breaks_is_told_without_its_words_and_closed(
    base_url: str, answers: dict[str, Outcome | Exception], caplog: pytest.LogCaptureFixture
) -> None:
    stream = Chunks(ValueError("the secret"))
    answers["aimlapi-get-runs"] = Outcome(500, "text/event-stream", stream=stream)
    assert (await _post(base_url, _call()))["error"] == {"code": -32603, "message": "Internal error"}
    assert stream.closed.is_set()
    assert [record.name for record in caplog.records] == ["capably.mcp"]


async def test_a_caller_that_hangs_up_cancels_its_call_and_no_other(server: ServerPlan, serve: Serve) -> None:
    started, ended, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def invoke(operation: Operation, _inputs: Inputs, _caller: Caller) -> Outcome:
        if operation.name == "aimlapi-create-run":
            await go_on.wait()
            return Outcome(200, "text/plain", b"done")
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ended.set()
            raise
        return Outcome(200, None)

    async with serve(build_app(server, invoke, Limits(), Gatekeeper())) as url:
        other = asyncio.create_task(_post(url, _call("aimlapi-create-run")))
        doomed = asyncio.create_task(_post(url, _call()))
        await asyncio.wait_for(started.wait(), 5)
        doomed.cancel()
        await asyncio.wait_for(ended.wait(), 5)
        go_on.set()
        assert (await other)["result"]["content"] == [{"type": "text", "text": "done"}]


async def test_a_caller_that_hangs_up_closes_the_stream_that_was_being_read(server: ServerPlan, serve: Serve) -> None:
    stream = Chunks(endless=True)
    reading = asyncio.Event()

    async def invoke(_operation: Operation, _inputs: Inputs, _caller: Caller) -> Outcome:
        reading.set()
        return Outcome(200, "text/event-stream", stream=stream)

    async with serve(build_app(server, invoke, Limits(body_bytes=2**40), Gatekeeper())) as url:
        doomed = asyncio.create_task(_post(url, _call()))
        await asyncio.wait_for(reading.wait(), 5)
        doomed.cancel()
        await asyncio.wait_for(stream.closed.wait(), 5)


async def test_a_call_that_is_cancelled_from_outside_ends_before_its_request_does(server: ServerPlan) -> None:
    began, order = asyncio.Event(), []

    async def invoke(_operation: Operation, _inputs: Inputs, _caller: Caller) -> Outcome:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            order.append("the call")
        return Outcome(200, None)

    messages = [{"type": "http.request", "body": _call(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        order.append("a message")

    headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers}
    request = asyncio.ensure_future(build_app(server, invoke, Limits(), Gatekeeper())(scope, receive, send))
    await began.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    order.append("the request")
    assert order == ["the call", "the request"]


async def test_the_server_speaks_http_only(app: Application) -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("nothing is to be received")

    async def send(_message: Any) -> None:
        raise AssertionError("nothing is to be sent")

    with pytest.raises(ValueError, match="not lifespan"):
        await app({"type": "lifespan"}, receive, send)
