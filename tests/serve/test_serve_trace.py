"""The trace of a caller goes with the upstream requests that are made for it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.asking import ask
from tests.serve.conftest import Served, served

from capably.plan.trace_context import NO_TRACE, TraceContext, trace_of, trace_of_headers
from capably.plan.variables import Given
from capably.settings import Settings
from capably.upstream.request import Request

if TYPE_CHECKING:
    from tests.conftest import Seen, Upstream

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
PINNED = "00-11111111111111111111111111111111-2222222222222222-01"
ALL = {"traceparent": PARENT, "tracestate": "a=1,b=2", "baggage": "who=me"}
NAMES = tuple(ALL)
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
TWO_STEPS = [
    {"name": "one", "type": "call", "call": "up.plain"},
    {"name": "two", "type": "call", "call": "up.plain"},
]


def _document(address: str) -> dict[str, Any]:
    pinned = [{"name": "Traceparent", "in": "header", "value": PINNED}]
    consumed = [
        {"name": "plain", "path": "/plain", "operations": [{"name": "plain", "method": "GET"}]},
        {
            "name": "pinned",
            "path": "/pinned",
            "operations": [{"name": "pinned", "method": "GET", "inputParameters": pinned}],
        },
    ]
    login = {"type": "oauth2", "clientId": "me", "clientSecret": "s", "tokenEndpoint": f"http://{address}/token"}
    kept = [{"name": "kept", "path": "/kept", "operations": [{"name": "kept", "method": "GET"}]}]
    works: dict[str, dict[str, Any]] = {
        "plain": {"call": "up.plain"},
        "pinned": {"call": "up.pinned"},
        "kept": {"call": "safe.kept"},
        "steps": {"steps": TWO_STEPS},
    }
    resources = [
        {"path": f"/{name}", "operations": [{"name": name, "method": "GET", **work}]} for name, work in works.items()
    ]
    tools = [{"name": name, "description": "T.", **work} for name, work in works.items()]
    return {
        "ikanos": "1.0.0-beta4",
        "capability": {
            "consumes": [
                {"type": "http", "namespace": "up", "baseUri": f"http://{address}", "resources": consumed},
                {
                    "type": "http",
                    "namespace": "safe",
                    "baseUri": f"http://{address}",
                    "authentication": login,
                    "resources": kept,
                },
            ],
            "exposes": [
                {"type": "rest", "namespace": "web", "port": 8080, "resources": resources},
                {"type": "mcp", "namespace": "agent", "port": 9090, "tools": tools},
            ],
        },
    }


@pytest.fixture(scope="module")
def traced(shared_upstream: "Upstream", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A document whose every way in is served over REST and MCP."""
    file: Path = tmp_path_factory.mktemp("traced") / "traced.json"
    file.write_text(json.dumps(_document(shared_upstream.address)), encoding="utf-8")
    with served(file, Settings(Given({}, {}), ports={"web": 0, "agent": 0})) as running:
        yield running


def told(seen: "Seen") -> dict[str, str]:
    """What the upstream was told of the trace; nothing is told twice."""
    pairs = [pair for pair in seen.headers if pair[0] in NAMES]
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def call_tool(
    served: Served, tool: str, headers: Mapping[str, str], meta: Mapping[str, Any] | None = None, *, modern: bool = True
) -> None:
    """One `tools/call` as it goes over the wire."""
    params: dict[str, Any] = {"name": tool, "arguments": {}, "_meta": {**(META if modern else {}), **(meta or {})}}
    era = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool} if modern else {}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = ask(urlsplit(served.mcp).netloc, "POST", "/mcp", message, {**era, **headers}).json
    assert answer["result"]["isError"] is False


def test_a_rest_callers_trace_goes_upstream(traced: Served, upstream: "Upstream") -> None:
    assert traced.call("GET", "/plain", headers=ALL).status == 200
    assert told(upstream.only) == ALL


def test_a_caller_without_a_trace_adds_nothing(traced: Served, upstream: "Upstream") -> None:
    assert traced.call("GET", "/plain").status == 200
    call_tool(traced, "plain", {})
    assert [told(seen) for seen in upstream.requests] == [{}, {}]


def test_every_step_carries_the_trace(traced: Served, upstream: "Upstream") -> None:
    assert traced.call("GET", "/steps", headers=ALL).status == 200
    call_tool(traced, "steps", {}, ALL)
    assert [told(seen) for seen in upstream.requests] == [ALL] * 4


def test_a_malformed_trace_is_left_out_and_the_call_is_made(traced: Served, upstream: "Upstream") -> None:
    assert traced.call("GET", "/plain", headers={**ALL, "traceparent": PARENT.upper()}).status == 200
    assert told(upstream.only) == {"baggage": "who=me"}


def test_what_the_document_sets_wins_and_no_state_of_another_trace_goes_with_it(
    traced: Served, upstream: "Upstream"
) -> None:
    assert traced.call("GET", "/pinned", headers=ALL).status == 200
    assert told(upstream.only) == {"traceparent": PINNED, "baggage": "who=me"}


def test_the_trace_of_meta_wins_over_that_of_headers(traced: Served, upstream: "Upstream") -> None:
    call_tool(traced, "plain", ALL, {"traceparent": OTHER})
    assert told(upstream.only) == {"traceparent": OTHER, "baggage": "who=me"}


def test_headers_tell_the_trace_of_a_modern_call_where_meta_does_not(traced: Served, upstream: "Upstream") -> None:
    call_tool(traced, "plain", ALL)
    call_tool(traced, "plain", ALL, {"traceparent": 7})
    assert [told(seen) for seen in upstream.requests] == [ALL, ALL]


def test_headers_tell_the_trace_of_a_legacy_call_and_meta_does_not(traced: Served, upstream: "Upstream") -> None:
    call_tool(traced, "plain", ALL, {"traceparent": OTHER}, modern=False)
    assert told(upstream.only) == ALL


def test_a_request_for_a_token_carries_no_trace(traced: Served, upstream: "Upstream") -> None:
    upstream.answer(200, {"access_token": "t", "token_type": "Bearer"}, {"Content-Type": "application/json"})
    assert traced.call("GET", "/kept", headers=ALL).status == 200
    assert [(seen.target, told(seen)) for seen in upstream.requests] == [("/token", {}), ("/kept", ALL)]


@pytest.mark.parametrize("parent", [PARENT, PARENT[:-2] + "ff", "cc" + PARENT[2:], "cc" + PARENT[2:] + "-what.comes"])
def test_well_formed_parents_are_passed_on_as_they_came(parent: str) -> None:
    assert trace_of({"traceparent": parent}).headers == (("traceparent", parent),)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "ff" + PARENT[2:],
        PARENT + "-more",
        PARENT + "\n",
        PARENT[:-1],
        "cc" + PARENT[2:] + "more",
        "cc" + PARENT[2:] + "-" + "x" * 512,
        "00-" + "0" * 32 + PARENT[35:],
        PARENT[:36] + "0" * 16 + "-01",
        PARENT.replace("a", "g"),
        None,
        [PARENT],
    ],
)
def test_malformed_parents_are_left_out_with_their_state(parent: object) -> None:
    assert trace_of({"traceparent": parent, "tracestate": "a=1"}) == NO_TRACE


@pytest.mark.parametrize(("name", "most"), [("tracestate", 512), ("baggage", 8192)])
def test_lists_are_capped_and_hold_no_control_characters(name: str, most: int) -> None:
    def passed(value: str) -> str | None:
        return dict(trace_of({"traceparent": PARENT, name: value}).headers).get(name)

    longest = "a=" + "x" * (most - 2)
    assert passed(longest) == longest
    assert [passed(value) for value in (longest + "x", "a=1\r\nx: y", "a=\x00", "a=\x7f", "a=é", " ")] == [None] * 6


def test_repeated_headers_are_joined_and_a_repeated_parent_is_none() -> None:
    parent, states = (b"traceparent", PARENT.encode()), [(b"tracestate", b"a=1"), (b"tracestate", b" b=2 ")]
    assert trace_of_headers([parent, *states]).headers == (("traceparent", PARENT), ("tracestate", "a=1,b=2"))
    assert trace_of_headers([parent, parent, *states]) == NO_TRACE


def test_a_state_of_the_documents_own_stays_with_the_callers_parent() -> None:
    request = Request("GET", "http://up.test/", (("TraceState", "doc=1"),), None)
    trace = TraceContext((("traceparent", PARENT), ("tracestate", "a=1")))
    assert trace.joined_to(request).headers == (("TraceState", "doc=1"), ("traceparent", PARENT))


TOLD = st.sampled_from(
    [
        (b"traceparent", PARENT.encode()),
        (b"traceparent", b"none"),
        (b"tracestate", b"a=1"),
        (b"baggage", b" b=2"),
        (b"baggage", b"c=3"),
        (b"x-a", b"1"),
    ]
)


@given(st.lists(TOLD, max_size=5))
def test_a_call_that_tells_no_trace_has_that_of_its_headers_as_it_is(headers: list[tuple[bytes, bytes]]) -> None:
    trace = trace_of_headers(headers)
    assert trace_of({"progressToken": 1}, trace) == trace
