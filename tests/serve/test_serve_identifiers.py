"""Identifiers arrive upstream as one encoded segment, whatever is in them."""

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import mcp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.serve.conftest import Served

AWKWARD = [
    *("a/b", "/", "//etc/passwd", "../../admin", "..%2f..%2fadmin", "a?b=c", "a#b", "100%", "%41", "%2F", "%", "%zz"),
    *("a b", " ", "a+b", 'say "hi"', "it's", "{{x}}", "{threadId}", "${HOME}", "$.id", "rest.threadId", "café", "☃"),
    *("\U0001f600", "e\u0301", "a;b=c", "a&b=c", "a:b@c", "[::1]", "a\\b", "<b>", "`", "|", "^", "~", "null", "0"),
    *("a\r\nX-Injected: 1", "\x00", "\x7f", "a\tb", "...", ".hidden", "a..", "-", "thread_" + "x" * 2000),
]
anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text not in {".", ".."})
few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
awkward = pytest.mark.parametrize("text", AWKWARD, ids=lambda text: ascii(text)[:20])


def check_segment(upstream: "Upstream", text: str) -> None:
    target = upstream.only.target
    assert target.isascii()
    before, segment, after = target.rsplit("/", 2)
    assert (before, after) == ("/threads", "runs")
    assert set("/?#% \"'{}") & set(quote(segment, safe="%")) <= {"%"}
    assert unquote(segment, errors="strict") == text
    assert {name for name, _value in upstream.only.headers} <= {
        *("host", "authorization", "accept", "accept-encoding", "user-agent")
    }


@awkward
def test_an_identifier_in_the_url_is_one_segment(capability: "Served", upstream: "Upstream", text: str) -> None:
    assert capability.call("GET", f"/v1/threads/{quote(text, safe='')}/runs").status == 200
    check_segment(upstream, text)


@awkward
async def test_an_identifier_in_an_argument_is_one_segment(
    capability: "Served", upstream: "Upstream", text: str
) -> None:
    async with mcp.Client(capability.mcp) as client:
        assert not (await client.call_tool("aimlapi-get-runs", {"threadId": text})).is_error
    check_segment(upstream, text)


@given(text=anything)
@few
def test_any_text_in_the_url_is_one_segment(bundled: "Served", upstream: "Upstream", text: str) -> None:
    upstream.requests.clear()
    assert bundled.call("GET", f"/v1/threads/{quote(text, safe='')}/runs").status == 200
    check_segment(upstream, text)


@given(texts=st.lists(anything, min_size=1, max_size=8))
@few
async def test_any_text_in_an_argument_is_one_segment(
    bundled: "Served", upstream: "Upstream", texts: list[str]
) -> None:
    async with mcp.Client(bundled.mcp) as client:
        for text in texts:
            upstream.requests.clear()
            assert not (await client.call_tool("aimlapi-get-runs", {"threadId": text})).is_error
            check_segment(upstream, text)


@pytest.mark.parametrize("text", ["t!$&'()*+,;=:@~-._1", "a+b", "2026-01-01T00:00:00Z"])
def test_what_a_url_need_not_encode_may_come_plain(bundled: "Served", upstream: "Upstream", text: str) -> None:
    assert bundled.call("GET", f"/v1/threads/{text}/runs").status == 200
    check_segment(upstream, text)


def test_both_identifiers_keep_their_places(bundled: "Served", upstream: "Upstream") -> None:
    assert bundled.call("GET", "/v1/threads/a%2Fruns%2Fb/runs/%7B%7BthreadId%7D%7D").status == 200
    assert upstream.only.target == "/threads/a%2Fruns%2Fb/runs/%7B%7BthreadId%7D%7D"


@pytest.mark.parametrize("segment", [".", "..", "%2e", "%2E%2e", ".%2E"])
@pytest.mark.parametrize("path", ["/v1/threads/{}/runs", "/v1/threads/t1/runs/{}"])
def test_a_dot_segment_in_the_url_is_refused_and_calls_nothing(
    bundled: "Served", upstream: "Upstream", path: str, segment: str
) -> None:
    answer = bundled.call("GET", path.format(segment))
    assert answer.status == 400
    assert answer.json["errors"][0]["input"] == ("threadId" if path.endswith("runs") else "runId")
    assert "would change the path" in answer.json["detail"]
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/v1/threads//runs", "/v1/threads/t1/runs/"])
def test_an_empty_segment_in_the_url_is_refused_and_calls_nothing(
    bundled: "Served", upstream: "Upstream", path: str
) -> None:
    assert bundled.call("GET", path).status in {400, 404}
    assert upstream.requests == []


@pytest.mark.parametrize("segment", ["%FF", "a%C3", "%ED%A0%80", "%C0%AF"])
def test_bytes_that_are_not_text_are_refused_and_call_nothing(
    bundled: "Served", upstream: "Upstream", segment: str
) -> None:
    answer = bundled.call("GET", f"/v1/threads/{segment}/runs")
    assert answer.status == 400
    assert "UTF-8" in answer.json["detail"]
    assert upstream.requests == []


@pytest.mark.parametrize("value", ["", ".", ".."])
async def test_an_identifier_that_is_no_segment_is_a_tool_error_and_calls_nothing(
    bundled: "Served", upstream: "Upstream", value: str
) -> None:
    async with mcp.Client(bundled.mcp) as client:
        result = await client.call_tool("aimlapi-get-run", {"threadId": "t1", "runId": value})
    assert result.is_error
    assert "`runId`" in str(result.content)
    assert upstream.requests == []


def test_half_a_character_is_refused_and_calls_nothing(bundled: "Served", upstream: "Upstream") -> None:
    body: dict[str, Any] = {"assistant_id": "\ud800"}
    answer = bundled.call("POST", "/v1/threads/t1/runs", json.dumps(body).encode())
    assert answer.status == 400
    assert upstream.requests == []
