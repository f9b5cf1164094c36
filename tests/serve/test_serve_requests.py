"""The eight ways in, and the one upstream request that each of them makes."""

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import mcp
import pytest

if TYPE_CHECKING:
    from tests.conftest import Seen, Upstream
    from tests.serve.conftest import Served

RUN = {"assistant_id": "asst_1", "metadata": {"é": ["☃", 1.5, None, True]}, "stream": False}


class Way(NamedTuple):
    """A REST call and a tool call that make the same upstream request."""

    method: str
    path: str
    tool: str
    arguments: dict[str, Any]
    body: dict[str, Any] | None = None


WAYS = [
    Way("GET", "/threads/t1/runs", "aimlapi-get-runs", {"threadId": "t1"}),
    Way("POST", "/threads/t1/runs", "aimlapi-create-run", {"threadId": "t1"}, RUN),
    Way("POST", "/threads/t1/runs/r1", "aimlapi-update-run", {"threadId": "t1", "runId": "r1"}, RUN),
    Way("GET", "/threads/t1/runs/r1", "aimlapi-get-run", {"threadId": "t1", "runId": "r1"}),
]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.tool)
every_post = pytest.mark.parametrize("way", [way for way in WAYS if way.body], ids=lambda way: way.tool)
every_mode = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


def check_request(seen: "Seen", way: Way, upstream: "Upstream", key: str) -> None:
    assert (seen.method, seen.target) == (way.method, way.path)
    assert seen.header("host") == upstream.address
    assert seen.header("authorization") == f"Bearer {key}"
    assert (json.loads(seen.body) if seen.body else None) == way.body
    assert seen.header("content-type") == ("application/json" if way.body is not None else None)
    names = [name for name, _value in seen.headers]
    assert len(names) == len(set(names))


@every_way
def test_a_rest_call_makes_exactly_the_request_of_its_operation(
    capability: "Served", upstream: "Upstream", key: str, way: Way
) -> None:
    answer = capability.call(way.method, f"/v1{way.path}", way.body)
    assert (answer.status, answer.json) == (200, {"ok": True})
    check_request(upstream.only, way, upstream, key)


@every_mode
@every_way
async def test_a_tool_makes_exactly_the_request_of_its_operation(
    capability: "Served", upstream: "Upstream", key: str, way: Way, mode: str
) -> None:
    arguments = way.arguments | ({"body": way.body} if way.body else {})
    async with mcp.Client(capability.mcp, mode=mode) as client:
        result = await client.call_tool(way.tool, arguments)
    assert (result.is_error, result.structured_content) == (False, {"ok": True})
    check_request(upstream.only, way, upstream, key)


@every_mode
@pytest.mark.parametrize("path", ["", "/mcp"])
async def test_the_official_client_lists_the_four_tools_of_each_document(
    capability: "Served", mode: str, path: str
) -> None:
    async with mcp.Client(capability.mcp + path, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == [way.tool for way in WAYS]
    for way in WAYS:
        schema = tools[way.tool].input_schema
        kinds = {name: item["type"] for name, item in schema["properties"].items()}
        assert kinds == dict.fromkeys(way.arguments, "string") | ({"body": "object"} if way.body else {})
        assert schema["required"] == list(way.arguments)
        annotations = tools[way.tool].annotations
        assert annotations is not None
        assert annotations.read_only_hint is (way.method == "GET")
        assert tools[way.tool].description


@every_post
def test_a_post_without_a_body_is_sent_without_one_by_rest(
    capability: "Served", upstream: "Upstream", way: Way
) -> None:
    assert capability.call("POST", f"/v1{way.path}").status == 200
    check_bodiless(upstream.only)


@every_post
async def test_a_tool_call_without_a_body_sends_none(capability: "Served", upstream: "Upstream", way: Way) -> None:
    async with mcp.Client(capability.mcp) as client:
        assert not (await client.call_tool(way.tool, way.arguments)).is_error
    check_bodiless(upstream.only)


def check_bodiless(seen: "Seen") -> None:
    assert seen.method == "POST"
    assert seen.body == b""
    assert seen.header("content-type") is None
    assert seen.header("content-length") in {None, "0"}


def test_an_empty_object_is_a_body(bundled: "Served", upstream: "Upstream") -> None:
    assert bundled.call("POST", "/v1/threads/t1/runs", {}).status == 200
    assert (upstream.only.body, upstream.only.header("content-type")) == (b"{}", "application/json")


def test_a_body_that_comes_in_chunks_is_sent_whole(bundled: "Served", upstream: "Upstream") -> None:
    chunks = iter([b'{"assistant', b'_id": "a"', b"}"])
    assert bundled.call("POST", "/v1/threads/t1/runs", chunks, {"Content-Type": "application/json"}).status == 200
    assert json.loads(upstream.only.body) == {"assistant_id": "a"}
    assert upstream.only.header("content-length") == str(len(upstream.only.body))


@pytest.mark.parametrize("number", ["9007199254740993", "-18446744073709551615", "1.5", "2e3"])
def test_numbers_keep_their_value(bundled: "Served", upstream: "Upstream", number: str) -> None:
    bundled.call("POST", "/v1/threads/t1/runs", f'{{"n": {number}}}'.encode(), {"Content-Type": "application/json"})
    assert json.loads(upstream.only.body) == {"n": json.loads(number)}


def test_what_the_caller_adds_stays_behind(bundled: "Served", upstream: "Upstream", key: str) -> None:
    mine = {"Authorization": "Bearer mine", "Cookie": "a=b", "X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1"}
    assert bundled.call("GET", "/v1/threads/t1/runs?limit=3", headers=mine).status == 200
    assert upstream.only.target == "/threads/t1/runs"
    assert upstream.only.header("authorization") == f"Bearer {key}"
    assert {"cookie", "x-forwarded-for", "forwarded"}.isdisjoint(dict(upstream.only.headers))
