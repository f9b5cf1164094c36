"""What the console answers without a browser: JSON for the page, calls that are tried, and refusals."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.console.conftest import Show

REST, MCP = "aimlapi-threads-runs-rest", "aimlapi-threads-runs-mcp"
CREATE = "POST /v1/threads/{threadid}/runs"


def test_the_overview_tells_servers_operations_and_effects(show: "Show") -> None:
    (document,) = show().ask("/console/overview.json").json["documents"]
    rest, mcp = document["servers"]
    assert [item["key"] for item in rest["operations"]][:2] == ["GET /v1/threads/{threadid}/runs", CREATE]
    assert [item["effects"]["read_only"] for item in rest["operations"]] == [True, False, False, True]
    assert mcp["operations"][0]["key"] == "aimlapi-get-runs"
    assert mcp["operations"][0]["effects"]["stated"] is True
    assert mcp["endpoint"].endswith("/mcp")
    assert document["counts"] == {"error": 0, "warning": 8, "note": 0}
    assert document["needs"] == ["AIMLAPI_API_KEY", "BASEURL"]


def test_no_answer_holds_the_secret(show: "Show", upstream: "Upstream", key: str) -> None:
    console = show()
    upstream.answer(200, {"echo": f"Bearer {key}"}, {"X-Api-Key": key, "X-Echo": f"it was {key}"})
    told = console.ask("/console/try", {"server": REST, "operation": CREATE, "inputs": {"threadId": key}})
    assert upstream.only.header("authorization") == f"Bearer {key}"
    for path in ("overview.json", "sources.json", "pulse.json", "reloads.json", "traces.json"):
        assert key.encode() not in console.ask(f"/console/{path}").body
    assert key.encode() not in told.body
    assert b"<AIMLAPI_API_KEY>" in told.body


def test_a_call_tells_its_upstream_request_the_answer_and_the_outcome(show: "Show", upstream: "Upstream") -> None:
    upstream.answer(200, {"id": "run_1"})
    begun, performed, outcome = show().tried(REST, CREATE, {"threadId": "a/b", "body": {"assistant_id": "x"}})
    assert begun["event"] == "begun"
    assert performed["request"]["method"] == "POST"
    assert performed["request"]["url"] == f"http://{upstream.address}/threads/a%2Fb/runs"
    assert ["Authorization", "<hidden>"] in performed["request"]["headers"]
    assert performed["request"]["body"]["text"] == '{"assistant_id":"x"}'
    assert performed["reply"]["status"] == 200
    assert outcome["status"] == 200
    assert outcome["body"]["text"] == '{"id": "run_1"}'
    assert outcome["ms"] >= performed["ms"] > 0


def test_a_tool_tells_the_result_its_client_gets(show: "Show", upstream: "Upstream") -> None:
    upstream.answer(404, {"error": "no such run"})
    outcome = show().tried(MCP, "aimlapi-get-run", {"threadId": "t", "runId": "r"})[-1]
    assert outcome["is_result"]
    assert outcome["is_error"]
    assert '"isError":true' in outcome["body"]["text"]
    assert outcome["advice"].startswith("What the inputs name does not exist there")


def test_inputs_are_refused_as_callers_meet_it(show: "Show", upstream: "Upstream") -> None:
    outcome = show().tried(REST, CREATE, {"threadid": "t"})[-1]
    assert outcome["status"] == 400
    assert [item["input"] for item in outcome["fault"]["problems"]] == ["threadid", "threadId"]
    assert upstream.requests == []


def test_an_upstream_that_is_not_there_is_told_with_what_to_do(show: "Show", free_port: Callable[[], int]) -> None:
    *_others, performed, outcome = show(upstream_at=f"127.0.0.1:{free_port()}").tried(REST, CREATE, {"threadId": "t"})
    assert performed["fault"]["kind"] == "upstream-unreachable"
    assert outcome["status"] == 502
    assert outcome["fault"]["title"] == "The upstream cannot be reached"
    assert "check that it runs" in outcome["fault"]["detail"]


def test_a_stream_is_told_as_it_comes_and_in_whole_lines(show: "Show", upstream: "Upstream", key: str) -> None:
    act = upstream.stream("one")

    def go_on() -> None:
        act.send(b"9\r\ndata: " + key[:3].encode() + b"\r\n")
        act.send(b"%x\r\n%b\n\n\r\n" % (len(key) - 1, key[3:].encode()))
        act.end()

    telling = Thread(target=go_on)
    telling.start()
    events = show().tried(REST, CREATE, {"threadId": "t"})
    telling.join(10)
    told = "".join(event["text"] for event in events if event["event"] == "chunk")
    assert [event["event"] for event in events[:3]] == ["begun", "performed", "head"]
    assert told.startswith("data: one\n\n")
    assert told.endswith("data: <AIMLAPI_API_KEY>\n\n")
    assert events[-1]["event"] == "outcome"
    assert events[-1]["is_stream"]


def test_an_endless_stream_is_cut(show: "Show", upstream: "Upstream") -> None:
    upstream.stream("x" * 1_200_000)
    events = show().tried(REST, CREATE, {"threadId": "t"})
    assert {"event": "cut", "detail": "only the first 1,048,576 bytes are shown"} in events


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://localhost:1"}, 403),
        ({"origin": "https://evil.example"}, 403),
    ],
)
def test_other_pages_cannot_make_the_browser_call(
    show: "Show", upstream: "Upstream", headers: dict[str, str], status: int
) -> None:
    told = {"server": REST, "operation": CREATE, "inputs": {"threadId": "t"}}
    assert show().ask("/console/try", told, headers=headers).status == status
    assert upstream.requests == []


@pytest.mark.parametrize(
    "path", ["/", "/console/static/main.js", "/console/static/theme.css", "/console/overview.json"]
)
def test_every_answer_has_the_policy(show: "Show", path: str) -> None:
    headers = show().ask(path).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/console/static/nothing.js", "GET", 404),
        ("/console/static/..%2fapp.py", "GET", 404),
        ("/console/static/../app.py", "GET", 404),
        ("/console/nothing.json", "GET", 404),
        ("/console/traces/00.json", "GET", 404),
        ("/console/try", "GET", 405),
        ("/console/overview.json", "PUT", 405),
        ("/", "POST", 405),
    ],
)
def test_nothing_else_is_answered(show: "Show", path: str, method: str, status: int) -> None:
    assert show().ask(path, method=method).status == status


def test_a_file_of_the_page_is_not_sent_twice(show: "Show") -> None:
    console = show()
    tag = console.ask("/console/static/main.js").headers["etag"]
    assert console.ask("/console/static/main.js", headers={"if-none-match": tag}).status == 304


def test_with_a_token_the_page_is_open_and_what_it_shows_is_not(show: "Show") -> None:
    console = show(token="let-me-in")
    assert console.ask("/").status == 200
    assert console.ask("/console/static/access.json").json == {"scheme": "bearer", "place": "header"}
    assert console.ask("/console/overview.json").status == 401
    assert console.ask("/console/try", {"server": REST, "operation": CREATE}).status == 401
    assert console.ask("/console/overview.json", headers={"authorization": "Bearer let-me-in"}).status == 200


def test_secrets_that_are_written_out_are_masked_where_they_stand(show: "Show", tmp_path: Path) -> None:
    document = tmp_path / "written.yaml"
    document.write_text(
        """
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: http://127.0.0.1:9
      authentication: {type: bearer, token: abcdefgh, name: "x"}
      resources: [{name: r, path: /r, operations: [{name: get, method: GET}]}]
  exposes:
    - type: rest
      namespace: rest
      port: 0
      resources: [{path: /r, operations: [{method: GET, name: get, call: api.get}]}]
""".lstrip()
    )
    (file,) = show(document).ask("/console/sources.json").json["files"]
    assert file["lines"][6] == '      authentication: {type: bearer, token: ••••••••, name: "x"}'


def test_a_short_secret_that_stands_in_names_by_chance_changes_no_names(show: "Show", upstream: "Upstream") -> None:
    document = show(baseurl=upstream.address, AIMLAPI_API_KEY="runs").ask("/console/overview.json").json["documents"][0]
    assert document["servers"][0]["namespace"] == REST
    assert document["servers"][0]["operations"][1]["key"] == CREATE
    assert document["servers"][0]["operations"][1]["example"]["headers"]["Authorization"] == "<hidden>"


def test_what_is_long_is_written_once_for_each_generation(show: "Show", upstream: "Upstream") -> None:
    console = show()
    first = console.ask("/console/overview.json").body
    assert console.ask("/console/overview.json").body == first
    console.run(console.service.reload())
    assert console.ask("/console/overview.json").json["generation"] == console.service.generation


def test_fields_that_bear_the_names_of_ours_hide_their_secrets_all_the_same(show: "Show", tmp_path: Path) -> None:
    document = tmp_path / "keys.yaml"
    document.write_text(
        """
ikanos: 1.0.0-beta4
binds: [{namespace: env, keys: {API_SECRET: API_SECRET}}]
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: http://127.0.0.1:9
      resources:
        - {name: r, path: /r, operations: [{name: send, method: POST, body: {type: json, data: {
            key: '{{env.API_SECRET}}', name: '{{env.API_SECRET}}', lines: ['{{env.API_SECRET}}']}}}]}
  exposes:
    - {type: rest, namespace: rest, port: 0, resources: [{path: /r, operations: [
        {method: POST, name: send, call: api.send}]}]}
""".lstrip()
    )
    told = show(document, API_SECRET="s3cr3t-0123456789").ask("/console/overview.json")
    assert b"s3cr3t" not in told.body
    assert b"<API_SECRET>" in told.body


def test_what_a_control_server_may_not_show_its_console_does_not_either(show: "Show", tmp_path: Path) -> None:
    document = tmp_path / "quiet.yaml"
    document.write_text(
        """
ikanos: 1.0.0-beta4
capability:
  exposes:
    - type: mcp
      namespace: mcp
      port: 0
      tools: [{name: tell, description: Tells., outputParameters: [{type: string, value: told}]}]
    - type: control
      port: 0
      management: {console: true, reload: false}
      observability: {metrics: {local: {enabled: false}}, traces: {local: {enabled: false}}}
""".lstrip()
    )
    console = show(document)
    begun, outcome = console.tried("mcp", "tell", {})
    assert (begun["trace"], outcome["status"]) == ("", 200)
    overview = console.ask("/console/overview.json").json
    assert (overview["records"], overview["may_reload"]) == (False, False)
    assert console.ask("/console/traces.json").json == {"traces": None}
    assert console.ask("/console/pulse.json").json["numbers"] is None
    assert console.ask("/console/reload", {}).status == 405
