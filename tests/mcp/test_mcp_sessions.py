"""Sessions of the legacy era over real HTTP: what a client is told and asked while its calls run."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest

from capably.plan.caller import Ability, Caller, Question
from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Outcome
from capably.plan.steps import Flow
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import Application, Limits
from capably.servers.mcp import McpApp, build_app
from capably.servers.mcp_changes import Change
from capably.servers.mcp_sessions import SessionLimits, Sessions

HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
Serve = Callable[[Application], AbstractAsyncContextManager[str]]
Run = Callable[[Caller], Awaitable[object]]


@dataclass
class Server:
    """A server that runs, and what its operation does with its caller."""

    url: str
    app: McpApp
    run: dict[str, Run]


@pytest.fixture
async def served(server: ServerPlan, serve: Serve) -> AsyncIterator[Server]:
    run: dict[str, Run] = {}

    async def invoke(operation: Operation, inputs: Inputs, caller: Caller) -> Outcome:
        told = await run["it"](caller)
        return Outcome(200, "application/json", json.dumps({"told": told}).encode())

    flows = tuple(replace(operation, work=Flow(())) for operation in server.operations)  # what tells its caller things
    app = build_app(replace(server, operations=flows), invoke, Limits(), Gatekeeper())
    async with serve(app) as url:
        yield Server(url + "/mcp", app, run)
        app.close()


class Client:
    """One legacy client: it posts messages, and reads events as they come."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url
        self.headers = dict(HEADERS)

    async def post(self, method: str, *, request_id: Any = 1, **params: Any) -> aiohttp.ClientResponse:
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        if request_id is None:
            del message["id"]
        return await self.http.post(self.url, json=message, headers=self.headers)

    async def begin(self, version: str = "2025-11-25", **capabilities: Any) -> None:
        info = {"name": "test", "version": "1"}
        async with await self.post(
            "initialize", protocolVersion=version, capabilities=capabilities, clientInfo=info
        ) as response:
            assert (await response.json())["result"]["protocolVersion"] == version
            self.headers |= {"Mcp-Session-Id": response.headers["Mcp-Session-Id"], "MCP-Protocol-Version": version}

    async def call(self, request_id: Any = 2, **meta: Any) -> aiohttp.ClientResponse:
        params = {"name": "aimlapi-get-runs", "arguments": {"threadId": "t"}, "_meta": meta}
        return await self.post("tools/call", request_id=request_id, **params)

    async def answer(self, request_id: Any, result: Any) -> int:
        message = {"jsonrpc": "2.0", "id": request_id, "result": result}
        async with self.http.post(self.url, json=message, headers=self.headers) as response:
            return response.status


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        yield Client(http, url)


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """The events of a stream: id and message, the message of an empty one is ``None``."""
    assert response.headers["Content-Type"] == "text/event-stream"
    block: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(":")
            block[name] = value.strip()
        elif "data" in block:
            yield block.get("id", ""), json.loads(block["data"]) if block["data"] else None
            block = {}


async def first(response: aiohttp.ClientResponse) -> tuple[str, Any]:
    return await anext(events(response))


async def test_a_session_has_an_id_nobody_can_guess_and_ends_with_delete(served: Server) -> None:
    async with client(served.url) as one, client(served.url) as other:
        await one.begin()
        await other.begin()
        assert one.headers["Mcp-Session-Id"] != other.headers["Mcp-Session-Id"]
        assert len(one.headers["Mcp-Session-Id"]) >= 32
        async with await one.post("ping") as response:
            assert (response.status, (await response.json())["result"]) == (200, {})
        async with one.http.delete(one.url, headers=one.headers) as response:
            assert response.status == 204
        async with await one.post("ping", request_id=9) as response:
            assert response.status == 404
            assert await response.json() == {
                "jsonrpc": "2.0",
                "id": 9,
                "error": {
                    "code": -32600,
                    "message": "Session not found: it has ended, begin a new one with `initialize`",
                },
            }
        async with await other.post("ping") as response:
            assert response.status == 200


async def test_a_call_that_tells_nothing_is_answered_with_plain_json(served: Server) -> None:
    async def quiet(caller: Caller) -> str:
        await caller.progress(1, 2, "nobody asked")
        return "done"

    served.run["it"] = quiet
    async with client(served.url) as one:
        await one.begin()
        async with await one.call() as response:
            assert response.headers["Content-Type"] == "application/json"
            assert (await response.json())["result"]["structuredContent"] == {"told": "done"}


async def test_progress_and_log_come_before_the_answer_on_its_stream(served: Server) -> None:
    async def talk(caller: Caller) -> str:
        await caller.progress(0, 100, "")
        await caller.log("debug", "not wanted")
        await caller.log("warning", "half way")
        await caller.progress(50, 100, "half")
        await caller.progress(40, 100, "backwards is left out")
        return "done"

    served.run["it"] = talk
    async with client(served.url) as one:
        await one.begin("2025-06-18")
        async with await one.post("logging/setLevel", level="notice") as response:
            assert (await response.json())["result"] == {}
        async with await one.call(progressToken="p") as response:
            told = [message async for _id, message in events(response)]
    assert [message.get("method") for message in told] == [
        "notifications/progress",
        "notifications/message",
        "notifications/progress",
        None,
    ]
    assert told[0]["params"] == {"progressToken": "p", "progress": 0, "total": 100}
    assert told[1]["params"] == {"level": "warning", "logger": "aimlapi-get-runs", "data": "half way"}
    assert told[2]["params"]["message"] == "half"
    assert told[3]["id"] == 2
    assert told[3]["result"]["structuredContent"] == {"told": "done"}


async def test_a_client_without_a_session_is_told_progress_as_well(served: Server) -> None:
    async def talk(caller: Caller) -> str:
        await caller.progress(1, None, "")
        return "done"

    served.run["it"] = talk
    async with client(served.url) as one:
        async with await one.call(progressToken=7) as response:
            ids = [event_id async for event_id, _message in events(response)]
        assert ids == ["", ""]
        one.headers["Accept"] = "application/json"
        async with await one.call(progressToken=7) as response:
            assert (await response.json())["result"]["structuredContent"] == {"told": "done"}


async def ask_name(caller: Caller) -> Any:
    response = await caller.ask(Question("name", Ability.ELICIT, "What is your name?", FORM))
    return [response.action, dict(response.content)]


async def test_a_question_is_a_request_and_its_answer_a_post(served: Server) -> None:
    served.run["it"] = ask_name
    async with client(served.url) as one:
        await one.begin(elicitation={})
        async with await one.call() as response:
            stream = events(response)
            assert (await anext(stream))[1] is None  # so that the client has an id to come back with
            question = (await anext(stream))[1]
            assert question["method"] == "elicitation/create"
            assert question["params"] == {"message": "What is your name?", "requestedSchema": FORM}
            assert await one.answer(question["id"], {"action": "accept", "content": {"name": "Ada"}}) == 202
            answer = (await anext(stream))[1]
    assert answer["result"]["structuredContent"] == {"told": ["accept", {"name": "Ada"}]}


@pytest.mark.parametrize("given", [{"action": "accept", "content": {}}, {"action": "perhaps"}, None])
async def test_an_answer_that_does_not_fit_is_a_tool_error(served: Server, given: Any) -> None:
    served.run["it"] = ask_name
    async with client(served.url) as one:
        await one.begin("2025-06-18", elicitation={})
        async with await one.call() as response:
            stream = events(response)
            await one.answer((await anext(stream))[1]["id"], given)
            result = (await anext(stream))[1]["result"]
    assert result["isError"]
    assert "`name`" in result["content"][0]["text"]


async def test_a_client_that_did_not_say_it_can_be_asked_is_not_asked(served: Server) -> None:
    served.run["it"] = ask_name
    async with client(served.url) as one:
        await one.begin(sampling={})
        async with await one.call() as response:
            text = (await response.json())["result"]["content"][0]["text"]
    assert text == (
        "This operation needs an answer from its caller: `name` asks its caller, "
        "but the client did not declare the capability `elicitation`"
    )


async def test_a_cancelled_call_stops_and_is_not_answered(served: Server) -> None:
    stopped = asyncio.Event()

    async def wait(caller: Caller) -> None:
        await caller.log("info", "waiting")
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    served.run["it"] = wait
    async with client(served.url) as one:
        await one.begin()
        async with await one.call(request_id="slow") as response:
            stream = events(response)
            await anext(stream)
            assert (await anext(stream))[1]["params"]["data"] == "waiting"
            async with await one.post("notifications/cancelled", request_id=None, requestId="slow") as told:
                assert told.status == 202
            assert [message async for _id, message in stream] == []
        await asyncio.wait_for(stopped.wait(), 5)


async def test_a_cut_stream_is_gone_on_with_where_it_was_cut(served: Server) -> None:
    going_on = asyncio.Event()

    async def talk(caller: Caller) -> str:
        await caller.log("info", "one")
        await caller.log("info", "two")
        await going_on.wait()
        await caller.log("info", "three")
        return "done"

    served.run["it"] = talk
    async with client(served.url) as one:
        await one.begin()
        async with await one.call() as response:
            stream = events(response)
            await anext(stream)
            last, message = await anext(stream)
            assert message["params"]["data"] == "one"
        await asyncio.sleep(0.05)
        going_on.set()
        async with one.http.get(one.url, headers={**one.headers, "Last-Event-ID": last}) as response:
            told = [message async for _id, message in events(response)]
    assert [message["params"]["data"] for message in told[:2]] == ["two", "three"]
    assert told[2]["result"]["structuredContent"] == {"told": "done"}


async def test_the_stream_of_a_session_tells_of_changed_lists_and_watched_resources(served: Server) -> None:
    async with client(served.url) as one:
        await one.begin()
        async with one.http.get(one.url, headers=one.headers) as response:
            stream = events(response)
            await asyncio.sleep(0.05)
            served.app.protocol.changes.tell(Change.RESOURCE, "not://watched")
            served.app.protocol.changes.tell(Change.TOOLS)
            last, message = await anext(stream)
            assert message == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {}}
        served.app.protocol.changes.tell(Change.PROMPTS)
        async with one.http.get(one.url, headers={**one.headers, "Last-Event-ID": last}) as response:
            assert (await first(response))[1]["method"] == "notifications/prompts/list_changed"


async def test_ending_a_session_ends_its_stream_and_cancels_its_calls(served: Server) -> None:
    stopped = asyncio.Event()

    async def wait(caller: Caller) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    served.run["it"] = wait
    async with client(served.url) as one:
        await one.begin()
        calling = asyncio.create_task(one.call())
        async with one.http.get(one.url, headers=one.headers) as response:
            await asyncio.sleep(0.05)
            async with one.http.delete(one.url, headers=one.headers) as deleted:
                assert deleted.status == 204
            assert [message async for _id, message in events(response)] == []
        assert (await calling).status == 202
    assert stopped.is_set()


async def test_a_batch_is_answered_with_a_batch_in_the_one_revision_that_has_them(served: Server) -> None:
    async def tell(caller: Caller) -> str:
        return "done"

    served.run["it"] = tell
    call = {"name": "aimlapi-get-runs", "arguments": {"threadId": "t"}}
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
        {"jsonrpc": "2.0", "id": 3, "method": "initialize", "params": {"protocolVersion": "2025-03-26"}},
        {"no": "message"},
    ]
    async with client(served.url) as one:
        await one.begin("2025-03-26")
        async with one.http.post(one.url, json=batch, headers=one.headers) as response:
            told = await response.json()
        assert [message.get("id") for message in told] == [1, 2, None, None]
        assert told[1]["result"]["content"][0]["text"] == '{"told": "done"}'
        assert "must not be part of a batch" in told[2]["error"]["message"]
        async with one.http.post(one.url, json=[], headers=one.headers) as response:
            assert response.status == 400
        async with one.http.post(one.url, json=[batch[1]], headers=one.headers) as response:
            assert response.status == 202
        await one.begin("2025-06-18")
        async with one.http.post(one.url, json=batch, headers=one.headers) as response:
            assert response.status == 400
            assert "batches are not supported" in (await response.json())["error"]["message"]


async def test_an_answer_nobody_waits_for_is_dropped(served: Server) -> None:
    async with client(served.url) as one:
        await one.begin()
        assert await one.answer("capably-1", {"action": "accept"}) == 202
        one.headers["Mcp-Session-Id"] = "of-yesterday"
        assert await one.answer("capably-1", {}) == 404


def test_idle_sessions_are_forgotten_and_too_many_push_the_oldest_out() -> None:
    now = 0.0
    sessions = Sessions(lambda: now, SessionLimits(count=3, idle_s=10))
    first_one = sessions.open("")
    busy = sessions.open("")
    busy.in_use += 1
    now = 9.0
    assert sessions.find(first_one.id, "") is first_one
    now = 20.0
    assert sessions.find(first_one.id, "") is None
    assert sessions.find(busy.id, "") is busy
    others = [sessions.open("") for _ in range(3)]
    assert len(sessions) == 3
    assert sessions.find(others[-1].id, "") is others[-1]


def test_a_session_is_found_for_whom_it_was_opened_only() -> None:
    sessions = Sessions(lambda: 0.0)
    session = sessions.open("ada")
    assert sessions.find(session.id, "eve") is None
    assert sessions.find(session.id, "ada") is session


async def test_streams_that_have_ended_are_let_go_of_before_one_that_goes_on(served: Server) -> None:
    going_on = asyncio.Event()

    async def talk(caller: Caller) -> str:
        await caller.log("info", "begun")
        await going_on.wait()
        return "done"

    async def tell(caller: Caller) -> str:
        await caller.log("info", "told")
        return "told"

    async with client(served.url) as one:
        await one.begin()
        served.run["it"] = talk
        async with await one.call(request_id="long") as response:
            stream = events(response)
            await anext(stream)
            await anext(stream)
            served.run["it"] = tell
            for number in range(70):
                async with await one.call(request_id=number) as short:
                    await short.read()
            session = served.app.protocol.sessions.find(one.headers["Mcp-Session-Id"], "")
            assert session is not None
            assert len(session.streams) == 64
            going_on.set()
            assert (await anext(stream))[1]["result"]["structuredContent"] == {"told": "done"}
