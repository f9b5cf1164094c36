"""Requests over REST, MCP and skills leave spans with the published names, and tell upstreams of them."""

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.conftest import SECRET, Recorded, Serve, entry, only, shape

from capably.plan.trace_context import NO_TRACE, trace_of_headers
from capably.telemetry import SpanKind, Status
from capably.telemetry.propagation import parent_in, parent_of, told_by, with_parent
from capably.telemetry.recording import Recording, Tree
from capably.telemetry.settings import Propagation
from capably.upstream.request import Request

if TYPE_CHECKING:
    from tests.conftest import Upstream

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = PARENT[:-2] + "00"


def test_a_rest_request_is_a_server_span_with_its_upstream_call_below(fleet: Recorded, upstream: "Upstream") -> None:
    assert fleet.get("/ships/9074729?x=1")[0] == 200

    trace = fleet.trace
    assert shape(trace) == [("rest.request", ["http.client.GET"])]
    request, call = entry(trace), only(trace, "http.client.GET")
    assert (trace.operation, trace.kind, trace.status) == ("/ships/{imo} GET", "rest", Status.OK)
    assert request.attributes == {
        "ikanos.adapter.type": "rest",
        "ikanos.namespace": "web",
        "ikanos.capability": "Fleet",
        "ikanos.operation.id": "/ships/{imo} GET",
        "http.request.method": "GET",
        "http.route": "/ships/{imo}",
        "http.response.status_code": 200,
    }
    assert (call.kind, call.status) == (SpanKind.CLIENT, Status.UNSET)
    assert call.attributes == {
        "http.request.method": "GET",
        "url.full": f"http://{upstream.address}/ships/9074729",
        "server.address": "127.0.0.1",
        "ikanos.namespace": "up",
        "http.response.status_code": 200,
    }
    assert upstream.only.header("traceparent") == f"00-{trace.trace_id}-{call.span_id}-01"
    assert 0 < call.duration_ns <= request.duration_ns


def test_a_callers_span_is_the_parent_and_its_state_and_baggage_go_on(fleet: Recorded, upstream: "Upstream") -> None:
    fleet.get("/list-ships", {"traceparent": PARENT, "tracestate": "a=1,b=2", "baggage": "who=me"})

    trace = fleet.trace
    call = only(trace, "http.client.GET")
    assert (trace.trace_id, entry(trace).parent_id, entry(trace).is_entry) == (PARENT[3:35], PARENT[36:52], True)
    assert entry(trace).kind is SpanKind.SERVER
    told = {name: upstream.only.header(name) for name in ("traceparent", "tracestate", "baggage")}
    assert told == {"traceparent": f"00-{PARENT[3:35]}-{call.span_id}-01", "tracestate": "a=1,b=2", "baggage": "who=me"}


@pytest.mark.parametrize("headers", [{"traceparent": PARENT.upper()}, {"traceparent": "x"}, {"tracestate": "a=1"}])
def test_a_malformed_trace_begins_a_new_one(fleet: Recorded, upstream: "Upstream", headers: dict[str, str]) -> None:
    fleet.get("/list-ships", headers)

    assert fleet.trace.trace_id != PARENT[3:35]
    assert entry(fleet.trace).parent_id == ""
    assert upstream.only.header("tracestate") is None


def test_a_tool_has_a_span_between_its_message_and_its_upstream_call(fleet: Recorded, upstream: "Upstream") -> None:
    assert fleet.tool("list-ships")["result"]["isError"] is False

    trace = fleet.trace
    assert shape(trace) == [("mcp.request", [("mcp.tool", ["http.client.GET"])])]
    assert (trace.operation, trace.kind) == ("tools/call list-ships", "mcp")
    assert only(trace, "mcp.tool").attributes == {"ikanos.adapter.type": "mcp", "ikanos.operation.id": "list-ships"}
    assert upstream.only.header("traceparent") == f"00-{trace.trace_id}-{only(trace, 'http.client.GET').span_id}-01"


def test_meta_tells_the_trace_of_a_tool_call_before_headers_do(fleet: Recorded, upstream: "Upstream") -> None:
    fleet.tool("list-ships", {"traceparent": PARENT, "tracestate": "a=1"}, traceparent=OTHER)

    trace = fleet.trace
    assert (trace.trace_id, entry(trace).parent_id) == (OTHER[3:35], OTHER[36:52])
    told = upstream.only.header("traceparent")
    assert told is not None
    assert told.startswith(OTHER[:36])
    assert upstream.only.header("tracestate") is None, "it belongs to the other trace"


@pytest.mark.parametrize(
    ("method", "operation"),
    [("tools/list", "tools/list"), ("server/discover", "server/discover"), ("made/up", "_OTHER")],
)
def test_messages_are_named_by_methods_that_are_known(fleet: Recorded, method: str, operation: str) -> None:
    fleet.rpc(method, {})
    assert fleet.trace.operation == operation
    assert shape(fleet.trace) == ["mcp.request"]


def test_steps_are_spans_with_their_calls_below_and_do_not_mix_when_they_run_together(
    fleet: Recorded, upstream: "Upstream"
) -> None:
    assert fleet.get("/steps")[0] == 200

    trace = fleet.trace
    (inner,) = shape(trace)
    assert inner[0] == "rest.request"
    assert sorted(map(str, inner[1])) == sorted(
        [
            "('step.call', ['http.client.GET'])",
            "('step.call', ['http.client.GET'])",
            "step.lookup",
        ]
    )
    for name, target in (("ships", "/ships"), ("crew", "/crew")):
        (step,) = [span for span in trace.spans if span.attributes.get("ikanos.step.name") == name]
        (call,) = [span for span in trace.spans if span.parent_id == step.span_id]
        assert str(call.attributes["url.full"]).endswith(target)
        (seen,) = [seen for seen in upstream.requests if seen.target == target]
        assert seen.header("traceparent") == f"00-{trace.trace_id}-{call.span_id}-01"
    (ships,) = [span for span in trace.spans if span.attributes.get("ikanos.step.name") == "ships"]
    assert ships.attributes == {
        "ikanos.step.index": 0,
        "ikanos.step.name": "ships",
        "ikanos.step.call": "up.list",
        "ikanos.namespace": "up",
    }
    lookup = only(trace, "step.lookup")
    assert (lookup.attributes["ikanos.step.index"], lookup.attributes["ikanos.step.match"]) == (2, "$['id']")


def test_the_flow_of_an_aggregate_is_a_span_around_its_steps(fleet: Recorded, upstream: "Upstream") -> None:
    fleet.tool("board")

    trace = fleet.trace
    flow = only(trace, "aggregate.flow")
    assert flow.attributes == {"ikanos.aggregate.ref": "fleet.board"}
    assert flow.parent_id == only(trace, "mcp.tool").span_id
    assert {span.parent_id for span in trace.spans if span.name.startswith("step.")} == {flow.span_id}


def test_a_forward_is_recorded_and_tells_its_upstream(fleet: Recorded, upstream: "Upstream") -> None:
    assert fleet.get("/raw/any/where", {"traceparent": PARENT})[0] == 200

    trace = fleet.trace
    assert shape(trace) == [("rest.request", ["http.client.GET"])]
    assert trace.operation == "/raw/{path} GET"
    call = only(trace, "http.client.GET")
    assert upstream.only.header("traceparent") == f"00-{PARENT[3:35]}-{call.span_id}-01"


def test_a_skill_is_named_by_its_path_without_names(fleet: Recorded) -> None:
    fleet.get("/skills/sailing", namespace="skills")
    fleet.get("/skills/made-up", namespace="skills")

    assert [trace.operation for trace in fleet.traces(2)] == ["/skills/{name} GET"] * 2
    assert shape(fleet.traces(2)[0]) == ["skill.request"]


def test_what_no_document_declares_has_one_name(fleet: Recorded) -> None:
    fleet.get("/made/up/1")
    fleet.send("DELETE", "/list-ships", None, None, "web")

    assert [trace.operation for trace in fleet.traces(2)] == ["_OTHER", "_OTHER"]
    assert [trace.status for trace in fleet.traces(2)] == [Status.OK, Status.OK], "the caller's mistakes are not ours"


def test_an_upstream_that_fails_is_an_error_of_its_call_and_of_the_request(
    fleet: Recorded, upstream: "Upstream"
) -> None:
    upstream.answer(503, {"no": "ships"})
    assert fleet.get("/list-ships")[0] == 503

    trace = fleet.trace
    call = only(trace, "http.client.GET")
    assert (call.status, call.error, trace.status) == (Status.ERROR, "503", Status.ERROR)
    assert entry(trace).attributes["error.type"] == "503"


def test_a_caller_that_asks_for_what_is_not_there_is_no_error(fleet: Recorded, upstream: "Upstream") -> None:
    upstream.answer(404, {})
    fleet.get("/list-ships")

    assert {span.status for span in fleet.trace.spans} == {Status.UNSET}


def test_a_call_without_an_answer_has_an_exception_as_event(fleet: Recorded, upstream: "Upstream") -> None:
    upstream.play(b"", close=True)
    assert fleet.get("/list-ships")[0] == 502

    call = only(fleet.trace, "http.client.GET")
    (event,) = call.events
    assert (call.error, call.attributes["error.type"]) == ("broken", "broken")
    assert (event.name, event.attributes["exception.type"]) == ("exception", "UpstreamError")
    assert call.started_ns <= event.at <= call.started_ns + call.duration_ns


def test_a_tool_that_fails_is_an_error_although_its_message_is_answered_with_200(
    fleet: Recorded, upstream: "Upstream"
) -> None:
    upstream.answer(500, {})
    assert fleet.tool("list-ships")["result"]["isError"] is True

    assert only(fleet.trace, "mcp.tool").status is Status.ERROR
    assert (fleet.trace.status, entry(fleet.trace).attributes["error.type"]) == (Status.ERROR, "500")
    assert entry(fleet.trace).attributes["http.response.status_code"] == 200


def test_no_secret_stands_in_a_trace(fleet: Recorded, upstream: "Upstream") -> None:
    fleet.get("/keyed")

    url = only(fleet.trace, "http.client.GET").attributes["url.full"]
    assert SECRET in upstream.only.target
    assert url == f"http://{upstream.address}/keyed?q=<PASSPHRASE>&api_key=<hidden>"
    assert SECRET not in repr(fleet.traces())
    assert "not-declared" not in repr(fleet.traces())


def test_what_a_caller_does_not_want_recorded_is_not_and_upstreams_hear_it(serve: Serve, upstream: "Upstream") -> None:
    fleet = serve()
    fleet.get("/list-ships", {"traceparent": UNSAMPLED})
    fleet.get("/list-ships")

    assert fleet.trace.trace_id != UNSAMPLED[3:35]
    told = upstream.requests[0].header("traceparent")
    assert told is not None
    assert (told[:36], told[-2:]) == (UNSAMPLED[:36], "00")
    assert told[36:52] != UNSAMPLED[36:52]


def test_a_share_of_requests_is_recorded(serve: Serve, upstream: "Upstream") -> None:
    fleet = serve({"traces": {"sampling": 0.5, "local": {"buffer-size": 1000}}})
    trace_ids = [f"{number:016x}{number << 56:016x}" for number in range(1, 256, 8)]
    for trace_id in trace_ids:
        fleet.get("/skills", {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}, namespace="skills")
    for _ in range(64):
        fleet.get("/skills", namespace="skills")

    told = {trace.trace_id for trace in fleet.traces(len(trace_ids) + 1)}
    assert told.issuperset(trace_ids), "callers decide for their own traces"
    ours = len(told) - len(trace_ids)
    assert 12 < ours < 52, "half of 64, give or take five standard deviations"


def test_nothing_is_recorded_when_the_document_says_so(serve: Serve, upstream: "Upstream") -> None:
    served = serve({"enabled": False})
    assert served.service.telemetry is None
    served.get("/list-ships", {"traceparent": PARENT})
    assert upstream.only.header("traceparent") == PARENT, "it is passed on as it came"


B3 = {"X-B3-TraceId": PARENT[3:35], "X-B3-SpanId": PARENT[36:52], "X-B3-Sampled": "1"}


@pytest.mark.parametrize(
    "told", [B3, {"b3": f"{PARENT[3:35]}-{PARENT[36:52]}-1"}, {"b3": f"{PARENT[3:35]}-{PARENT[36:52]}-d"}]
)
def test_b3_is_read_in_both_forms_and_told_in_several_headers(
    serve: Serve, upstream: "Upstream", told: dict[str, str]
) -> None:
    fleet = serve({"traces": {"propagation": "b3"}})
    fleet.get("/list-ships", told)

    trace = fleet.trace
    call = only(trace, "http.client.GET")
    assert (trace.trace_id, entry(trace).parent_id) == (PARENT[3:35], PARENT[36:52])
    seen = {name: upstream.only.header(name) for name in ("x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "traceparent")}
    assert seen == {
        "x-b3-traceid": PARENT[3:35],
        "x-b3-spanid": call.span_id,
        "x-b3-sampled": "1",
        "traceparent": None,
    }


def test_the_environment_chooses_the_single_header_of_b3(serve: Serve, upstream: "Upstream") -> None:
    fleet = serve(environ={"OTEL_PROPAGATORS": "b3"})
    fleet.get("/list-ships", {"b3": f"{PARENT[19:35]}-{PARENT[36:52]}-1"})

    trace = fleet.trace
    call = only(trace, "http.client.GET")
    assert trace.trace_id == "0" * 16 + PARENT[19:35], "a short id is a long one with zeros before it"
    assert upstream.only.header("b3") == f"{trace.trace_id}-{call.span_id}-1"


@pytest.mark.parametrize("told", [{"b3": "0"}, {"X-B3-Sampled": "0"}, {"X-B3-Sampled": "false"}])
def test_b3_can_refuse_to_be_recorded_without_naming_a_trace(
    serve: Serve, upstream: "Upstream", told: dict[str, str]
) -> None:
    fleet = serve({"traces": {"propagation": "b3"}})
    fleet.get("/list-ships", told)
    fleet.get("/ships/1")

    assert fleet.trace.operation == "/ships/{imo} GET"
    assert upstream.requests[0].header("x-b3-sampled") == "0"


@pytest.mark.parametrize("told", [{"b3": "x"}, {"b3": "0" * 32 + "-" + "0" * 16}, {**B3, "X-B3-SpanId": "zz"}])
def test_malformed_b3_begins_a_new_trace(serve: Serve, upstream: "Upstream", told: dict[str, str]) -> None:
    fleet = serve({"traces": {"propagation": "b3"}})
    assert fleet.get("/list-ships", told)[0] == 200
    assert entry(fleet.trace).parent_id == ""


def test_what_a_document_sets_wins_over_our_parent(serve: Serve, upstream: "Upstream") -> None:
    def pin(document: dict[str, Any]) -> None:
        ships = document["capability"]["consumes"][0]["resources"][0]["operations"][0]
        ships["inputParameters"] = [{"name": "Traceparent", "in": "header", "value": OTHER}]

    fleet = serve(change=pin)
    fleet.get("/list-ships", {"traceparent": PARENT})
    assert upstream.only.header("traceparent") == OTHER


NAMES = st.sampled_from(["traceparent", "Traceparent", "tracestate", "baggage", "x-forwarded", "x-elevenths"])


@given(names=st.lists(NAMES, max_size=3), is_sampled=st.booleans())
def test_a_request_that_tells_nothing_but_our_parent_is_told_it_as_all_are(
    names: list[str], *, is_sampled: bool
) -> None:
    tree = Tree(1, 2, "", "rest", is_sampled=is_sampled)
    span = Recording(tree, 2, "rest.request", SpanKind.SERVER, {})
    request = Request("GET", "http://up.test/", tuple((name, "1") for name in names), None)
    told = told_by(span, Propagation.W3C, NO_TRACE).joined_to(request)
    assert with_parent(request, span, Propagation.W3C, NO_TRACE) == told


TOLD = [(b"traceparent", PARENT.encode()), (b"traceparent", b"no"), (b"tracestate", b"a=1"), (b"baggage", b"b=2")]


@given(st.lists(st.sampled_from(TOLD), max_size=3))
def test_headers_without_a_parent_are_nobodys_as_reading_them_would_say(headers: list[tuple[bytes, bytes]]) -> None:
    assert parent_of(headers, Propagation.W3C) == parent_in(trace_of_headers(headers))
