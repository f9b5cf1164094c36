"""Calls that tell nothing on their way, which take a shorter way to their answer: it is the same answer."""

import asyncio
import json
from collections.abc import Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.plan.caller import Caller
from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Fault, Outcome
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import Application, Limits
from capably.servers.mcp import build_app
from capably.servers.mcp_call import Call
from capably.servers.mcp_changes import Changes
from capably.servers.mcp_eras import NO_HEADERS, Context
from capably.servers.mcp_exchange import Exchange
from capably.servers.mcp_protocol import Protocol
from capably.servers.mcp_sessions import Session

Serve = Callable[[Application], AbstractAsyncContextManager[str]]
TOOL = "aimlapi-get-runs"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "progressToken": "p",
}
OUTCOMES = st.one_of(
    st.builds(
        Outcome,
        st.sampled_from([200, 201, 204, 404, 429, 500]),
        st.sampled_from([None, "application/json", "text/plain", "image/png"]),
        st.sampled_from([b"", b"{}", b'{"id": "run_1"}', b"[1]", b"not JSON", b"\x89PNG"]),
    ),
    st.builds(Fault, st.sampled_from([400, 502, 504]), st.just("a-kind"), st.text(max_size=5), st.text(max_size=5)),
    st.just(ValueError("the secret")),
)


def message(method: str, request_id: Any = 1, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}).encode()


@given(outcome=OUTCOMES, era=st.sampled_from(["modern", "session", "neither"]))
def test_the_short_way_and_the_long_one_give_the_same_answer(
    server: ServerPlan, outcome: Outcome | Exception, era: str
) -> None:
    async def invoke(_operation: Operation, _inputs: Inputs, _caller: Caller) -> Outcome:
        await asyncio.sleep(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    meta = META if era == "modern" else {"progressToken": "p"}
    session = Session("s", version="2025-11-25")
    context = Context(session=session) if era == "session" else NO_HEADERS
    call = Protocol(server).handle(message("tools/call", name=TOOL, arguments={"threadId": "t"}, _meta=meta), context)
    assert isinstance(call, Call)
    assert call.is_quiet

    async def answers() -> tuple[list[Any], list[Any]]:
        exchange = Exchange(Changes(), invoke, 1000)
        short: list[MutableMapping[str, Any]] = []
        long: list[MutableMapping[str, Any]] = []
        await exchange.answer_quietly(call, _into(short))
        await exchange.answer(call, _nothing_more, _into(long), takes_stream=True)
        return short, long

    short, long = asyncio.run(answers())
    assert short == long
    assert (session.running, session.in_use) == ({}, 0)


def _into(sent: list[MutableMapping[str, Any]]) -> Any:
    async def send(part: MutableMapping[str, Any]) -> None:
        sent.append(part)

    return send


async def _nothing_more() -> MutableMapping[str, Any]:
    await asyncio.sleep(60)
    return {"type": "http.disconnect"}


class Slow:
    """An engine whose calls take as long as nobody stops them; the second one of a client is answered."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.stopped = asyncio.Event()

    async def __call__(self, _operation: Operation, inputs: Inputs, _caller: Caller) -> Outcome:
        if inputs["threadId"] != "slow":
            return Outcome(200, "application/json", b'{"told": "done"}')
        self.began.set()
        try:
            await asyncio.sleep(60)
        finally:
            self.stopped.set()
        return Outcome(200, None)


@pytest.fixture
def slow() -> Slow:
    return Slow()


async def begin(http: aiohttp.ClientSession, url: str) -> dict[str, str]:
    """The headers of a client that has initialized."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    begun = message(
        "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "t", "version": "1"}
    )
    async with http.post(url, data=begun, headers=headers) as response:
        return headers | {"Mcp-Session-Id": response.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}


def calling(thread: str, request_id: Any) -> bytes:
    return message("tools/call", request_id, name=TOOL, arguments={"threadId": thread})


async def test_a_call_that_its_client_cancels_gets_no_message_and_its_connection_goes_on(
    server: ServerPlan, serve: Serve, slow: Slow
) -> None:
    one = aiohttp.TCPConnector(limit=1)
    async with (
        serve(build_app(server, slow, Limits(), Gatekeeper())) as url,
        aiohttp.ClientSession(connector=one) as http,
        aiohttp.ClientSession() as beside,
    ):
        headers = await begin(http, url)
        doomed = asyncio.create_task(_told(http, url, headers, calling("slow", "doomed")))
        await asyncio.wait_for(slow.began.wait(), 5)
        cancelling = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "doomed"}}
        for _ in range(2):  # saying it twice changes nothing
            async with beside.post(url, json=cancelling, headers=headers) as response:
                assert response.status == 202
        port, status, body = await doomed
        assert (status, body) == (202, b"")
        assert slow.stopped.is_set()
        again, status, body = await _told(http, url, headers, calling("quick", 3))
        assert (again, status) == (port, 200)
        assert json.loads(body)["result"]["structuredContent"] == {"told": "done"}


async def _told(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], body: bytes
) -> tuple[int | None, int, bytes]:
    """The port it was asked from, the status and the body."""
    async with http.post(url, data=body, headers=headers) as response:
        connection = response.connection
        port = connection.transport.get_extra_info("sockname")[1] if connection and connection.transport else None
        return port, response.status, await response.read()


async def test_a_client_that_cancels_and_hangs_up_disturbs_nobody(server: ServerPlan, serve: Serve, slow: Slow) -> None:
    app = build_app(server, slow, Limits(), Gatekeeper())
    async with serve(app) as url, aiohttp.ClientSession() as http:
        headers = await begin(http, url)
        doomed = asyncio.create_task(_told(http, url, headers, calling("slow", "doomed")))
        await asyncio.wait_for(slow.began.wait(), 5)
        session = app.protocol.sessions.find(headers["Mcp-Session-Id"], "")
        assert session is not None
        session.cancel("doomed")
        doomed.cancel()
        await asyncio.wait_for(slow.stopped.wait(), 5)
        assert (await _told(http, url, headers, calling("quick", 3)))[1] == 200
        assert (session.running, session.in_use) == ({}, 0)


async def test_the_end_of_a_session_cancels_its_quiet_calls(server: ServerPlan, serve: Serve, slow: Slow) -> None:
    async with (
        serve(build_app(server, slow, Limits(), Gatekeeper())) as url,
        aiohttp.ClientSession() as http,
    ):
        headers = await begin(http, url)
        doomed = asyncio.create_task(_told(http, url, headers, calling("slow", "doomed")))
        await asyncio.wait_for(slow.began.wait(), 5)
        async with http.delete(url, headers=headers) as response:
            assert response.status == 204
        assert (await doomed)[1:] == (202, b"")
