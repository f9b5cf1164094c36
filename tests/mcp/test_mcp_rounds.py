"""The modern era over real HTTP: calls that come again, states that cannot be changed, and what is listened to."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import mcp
import mcp_types
import pytest
from cryptography.fernet import Fernet
from mcp.client import ClientRequestContext

from capably.plan.caller import Ability, Caller, Question
from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Outcome
from capably.plan.steps import Flow
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import Application, Limits
from capably.servers.mcp import McpApp, build_app
from capably.servers.mcp_changes import Change
from capably.servers.mcp_messages import Message, ProtocolError
from capably.servers.mcp_state import MAX_STATE_BYTES, Memory, Seal

PREFIX = "io.modelcontextprotocol/"
FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
NAME = Question("name", Ability.ELICIT, "What is your name?", FORM)
POEM = Question("poem", Ability.SAMPLE, sampling={"messages": [], "maxTokens": 5})
ROOTS = Question("roots", Ability.ROOTS)
EVERYTHING: dict[str, Any] = {"elicitation": {}, "sampling": {}, "roots": {}}
Serve = Callable[[Application], AbstractAsyncContextManager[str]]


@dataclass
class Server:
    """A server that runs, and what its operation does with its caller."""

    url: str
    app: McpApp
    run: dict[str, Callable[[Caller], Awaitable[Any]]]
    http: aiohttp.ClientSession
    times: list[str] = field(default_factory=list)

    async def post(self, method: str, name: str | None = None, /, **params: Any) -> tuple[int, Any]:
        capabilities = params.pop("capabilities", EVERYTHING)
        meta = {PREFIX + "protocolVersion": "2026-07-28", PREFIX + "clientCapabilities": capabilities}
        params["_meta"] = {**meta, **params.pop("meta", {})}
        headers = {
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": method,
            "Accept": "application/json, text/event-stream",
            **({"Mcp-Name": name} if name else {}),
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self.http.post(self.url, json=message, headers=headers) as response:
            if response.content_type == "text/event-stream":
                text = await response.text()
                return response.status, [json.loads(line[6:]) for line in text.splitlines() if line[:5] == "data:"]
            return response.status, await response.json()

    async def call(self, thread: str = "t", /, **params: Any) -> Any:
        given = {"name": "aimlapi-get-runs", "arguments": {"threadId": thread}, **params}
        return (await self.post("tools/call", "aimlapi-get-runs", **given))[1]


@pytest.fixture
async def served(server: ServerPlan, serve: Serve) -> AsyncIterator[Server]:
    run: dict[str, Callable[[Caller], Awaitable[Any]]] = {}

    async def invoke(_operation: Operation, _inputs: Inputs, caller: Caller) -> Outcome:
        return Outcome(200, "application/json", json.dumps({"told": await run["it"](caller)}).encode())

    flows = tuple(replace(operation, work=Flow(())) for operation in server.operations)  # what tells its caller things
    app = build_app(replace(server, operations=flows), invoke, Limits(), Gatekeeper())
    async with serve(app) as url, aiohttp.ClientSession() as http:
        yield Server(url + "/mcp", app, run, http)
        app.close()


async def ask_name(caller: Caller) -> Any:
    caller.journal["before"] = caller.journal.get("before", 0) + 1
    response = await caller.ask(NAME)
    return [response.action, response.content.get("name"), caller.journal["before"]]


ACCEPT = {"name": {"action": "accept", "content": {"name": "Ada"}}}


async def test_a_question_ends_the_call_which_comes_again_with_the_answer(served: Server) -> None:
    served.run["it"] = ask_name
    asked = (await served.call())["result"]
    assert asked["resultType"] == "input_required"
    assert asked["inputRequests"] == {
        "name": {
            "method": "elicitation/create",
            "params": {"mode": "form", "message": "What is your name?", "requestedSchema": FORM},
        }
    }
    assert PREFIX + "serverInfo" in asked["_meta"]
    done = (await served.call(inputResponses=ACCEPT, requestState=asked["requestState"]))["result"]
    assert done["resultType"] == "complete"
    assert done["structuredContent"] == {"told": ["accept", "Ada", 2]}  # the journal came back with the state


async def test_questions_that_do_not_depend_on_each_other_are_asked_at_once(served: Server) -> None:
    async def ask(caller: Caller) -> Any:
        return [response.action for response in await caller.ask_all((NAME, POEM, ROOTS))]

    served.run["it"] = ask
    asked = (await served.call())["result"]
    assert {key: item["method"] for key, item in asked["inputRequests"].items()} == {
        "name": "elicitation/create",
        "poem": "sampling/createMessage",
        "roots": "roots/list",
    }
    poem = {"role": "assistant", "content": {"type": "text", "text": "…"}, "model": "m"}
    some = {"poem": poem, "roots": {"roots": []}, "extra": 1}
    again = (await served.call(inputResponses=some, requestState=asked["requestState"]))["result"]
    assert list(again["inputRequests"]) == ["name"]
    done = await served.call(inputResponses=ACCEPT, requestState=again["requestState"])
    assert done["result"]["structuredContent"] == {"told": ["accept", "accept", "accept"]}


async def test_answers_of_earlier_rounds_are_kept_in_the_state(served: Server) -> None:
    async def ask(caller: Caller) -> Any:
        first = await caller.ask(NAME)
        second = await caller.ask(replace(NAME, key="other"))
        return [first.content["name"], second.content["name"]]

    served.run["it"] = ask
    first = (await served.call())["result"]
    second = (await served.call(inputResponses=ACCEPT, requestState=first["requestState"]))["result"]
    assert list(second["inputRequests"]) == ["other"]
    assert second["requestState"] != first["requestState"]
    answer = {"other": {"action": "accept", "content": {"name": "Eve"}}}
    done = (await served.call(inputResponses=answer, requestState=second["requestState"]))["result"]
    assert done["structuredContent"] == {"told": ["Ada", "Eve"]}


@pytest.mark.parametrize(
    "responses",
    [
        None,
        {},
        {"wrong": {}},
        {"name": 5},
        {"name": {"action": "accept"}},
        {"name": {"action": "accept", "content": {}}},
    ],
)
async def test_an_answer_that_is_missing_or_does_not_fit_is_asked_for_again(served: Server, responses: Any) -> None:
    served.run["it"] = ask_name
    assert (await served.call(inputResponses=responses))["result"]["resultType"] == "input_required"


async def test_answers_that_are_no_object_are_refused(served: Server) -> None:
    served.run["it"] = ask_name
    assert (await served.call(inputResponses=[1]))["error"] == {
        "code": -32602,
        "message": "Invalid params: `inputResponses` must be an object",
    }


async def test_a_state_that_was_changed_or_is_for_another_call_is_refused(served: Server) -> None:
    served.run["it"] = ask_name
    state = (await served.call())["result"]["requestState"]
    flipped = state[:40] + ("A" if state[40] != "A" else "B") + state[41:]
    for tampered in (flipped, state + "-TAMPERED", state[:-4], "", "é", base64.b64encode(b"{}").decode()):
        error = (await served.call(requestState=tampered, inputResponses=ACCEPT))["error"]
        assert error["code"] == -32602
        assert error["message"].startswith("Invalid params: `requestState` is not what this server gave")
    assert (await served.call("another thread", requestState=state))["error"]["code"] == -32602
    assert (await served.call(requestState=7))["error"]["message"] == "Invalid params: `requestState` must be a string"


async def test_a_state_says_nothing_to_whoever_holds_it(served: Server) -> None:
    async def ask(caller: Caller) -> Any:
        caller.journal["secret"] = "the answer is 42"
        return await caller.ask(NAME)

    served.run["it"] = ask
    state = (await served.call())["result"]["requestState"]
    assert b"42" not in base64.urlsafe_b64decode(state)


async def test_a_client_is_not_asked_for_what_it_did_not_declare(served: Server) -> None:
    served.run["it"] = ask_name
    status, told = await served.post(
        "tools/call",
        "aimlapi-get-runs",
        name="aimlapi-get-runs",
        arguments={"threadId": "t"},
        capabilities={"sampling": {}, "elicitation": {"url": {}}},
    )
    assert status == 400
    assert told["error"] == {
        "code": -32021,
        "message": "This call needs a client with the capability `elicitation`",
        "data": {"requiredCapabilities": {"elicitation": {}}},
    }


async def test_log_messages_come_only_when_the_request_names_a_level(served: Server) -> None:
    async def talk(caller: Caller) -> str:
        await caller.log("info", "working")
        await caller.log("error", "failed")
        return "done"

    served.run["it"] = talk
    assert (await served.call())["result"]["structuredContent"] == {"told": "done"}
    told = await served.call(meta={PREFIX + "logLevel": "warning"})
    assert [message.get("params", {}).get("data") for message in told] == ["failed", None]
    assert told[1]["result"]["structuredContent"] == {"told": "done"}


async def test_what_is_listened_to_is_told_and_nothing_else_until_the_server_stops(served: Server) -> None:
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["a://b"]}
    listening = asyncio.create_task(served.post("subscriptions/listen", notifications=wanted))
    await asyncio.sleep(0.1)
    for change in Change:
        served.app.protocol.changes.tell(change, "a://b")
    served.app.close()
    _status, told = await asyncio.wait_for(listening, 5)
    meta = {PREFIX + "subscriptionId": 1}
    assert told[0] == {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {"notifications": {"toolsListChanged": True}, "_meta": meta},
    }
    assert told[1]["method"] == "notifications/tools/list_changed"
    assert told[1]["params"] == {"_meta": meta}
    assert told[2]["result"]["_meta"][PREFIX + "subscriptionId"] == 1
    assert len(told) == 3


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_official_client_answers_in_both_eras(served: Server, mode: str) -> None:
    async def answer(context: ClientRequestContext, params: mcp_types.ElicitRequestParams) -> mcp_types.ElicitResult:
        assert params.message == "What is your name?"
        return mcp_types.ElicitResult(action="accept", content={"name": "Ada"})

    served.run["it"] = ask_name
    async with mcp.Client(served.url, mode=mode, elicitation_callback=answer) as client:
        result = await client.call_tool("aimlapi-get-runs", {"threadId": "t"})
    assert result.structured_content is not None
    assert result.structured_content["told"][:2] == ["accept", "Ada"]


CALL = Message(1, "tools/call", {"name": "a", "arguments": {"b": 1}, "_meta": {"x": 1}})


def test_a_state_holds_for_one_call_one_caller_and_one_key() -> None:
    key, other = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    memory = Memory({"step": [1, None]}, {"q": {"action": "accept"}})
    state = Seal([key]).close(CALL, "ada", memory)
    assert Seal([other, key]).open(CALL, "ada", state) == memory
    again = Message(2, "tools/call", {**CALL.params, "_meta": {}, "inputResponses": {}, "requestState": state})
    assert Seal([key]).open(again, "ada", state) == memory
    for seal, message, who in (
        (Seal([other]), CALL, "ada"),
        (Seal(), CALL, "ada"),
        (Seal([key]), CALL, "eve"),
        (Seal([key]), Message(1, "prompts/get", CALL.params), "ada"),
        (Seal([key]), Message(1, "tools/call", {"name": "a", "arguments": {"b": 2}}), "ada"),
        (Seal([key], lifetime_s=-1), CALL, "ada"),
    ):
        with pytest.raises(ProtocolError, match="or it has expired"):
            seal.open(message, who, state)


def test_a_state_that_has_grown_too_large_is_not_given_out() -> None:
    with pytest.raises(ValueError, match="more than"):
        Seal().close(CALL, "", Memory({"step": "x" * MAX_STATE_BYTES}, {}))


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="Fernet key"):
        Seal(["secret"]).check()


@pytest.mark.parametrize("length", range(3))
def test_a_state_has_one_spelling_only(length: int) -> None:
    seal = Seal()
    state = seal.close(CALL, "", Memory({"step": "x" * 16 * length}))
    for spelled in (state + "-TAMPERED", state + "=", state + "\n", state.rstrip("=")):
        if spelled != state:
            with pytest.raises(ProtocolError):
                seal.open(CALL, "", spelled)


async def test_what_is_refused_leaves_nothing_in_the_log(served: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="capably")
    served.run["it"] = ask_name
    secret = "sesame-42"
    await served.call(secret, requestState=secret, inputResponses={"name": secret})
    await served.post(secret)
    for body in (secret.encode(), b'{"jsonrpc":"2.0","id":"%b"' % secret.encode(), b"[" * 99):
        headers = {"Content-Type": "application/json", "Mcp-Session-Id": secret, "Authorization": secret}
        async with served.http.post(served.url, data=body, headers=headers) as response:
            assert response.status == 400
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("capably")]
    assert not [message for message in ours if secret in message]
