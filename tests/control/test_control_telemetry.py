"""Metrics and traces, as the control server shows them."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.control.conftest import Control

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"


async def test_metrics_count_what_was_called(control: "Control") -> None:
    served = await control()
    for _ in range(3):
        assert (await served.call()).json == {"a": "hello"}
    answer = await served.ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    (count,) = re.findall(r"^ikanos_request_total\{(.*)\} (.+)$", answer.text, re.MULTILINE)
    assert float(count[1]) == 3
    assert '/x GET"' in count[0]


async def test_a_scraper_that_likes_open_metrics_better_gets_them_with_exemplars(control: "Control") -> None:
    served = await control()
    await served.call()
    answer = await served.ask("GET", "/metrics", accept=OPEN_METRICS)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    (trace,) = (await served.ask("GET", "/traces")).json["traces"]
    assert f'trace_id="{trace["traceId"]}"' in answer.text


async def test_traces_are_listed_newest_first_and_found_by_operation_and_status(control: "Control") -> None:
    served = await control()
    await served.call()
    failed = await served.call("PUT")
    assert failed.status == 502
    told = (await served.ask("GET", "/traces")).json
    assert (told["bufferSize"], told["bufferUsed"]) == (100, 2)
    assert [(item["operation"], item["status"]) for item in told["traces"]] == [("/x PUT", "ERROR"), ("/x GET", "OK")]
    assert set(told["traces"][0]) >= {"traceId", "durationMs", "spanCount", "timestamp"}
    for query, found in (
        ("operation=get", "/x GET"),
        ("status=error", "/x PUT"),
        ("status=OK&operation=%2Fx", "/x GET"),
    ):
        (one,) = (await served.ask("GET", f"/traces?{query}")).json["traces"]
        assert one["operation"] == found
    assert (await served.ask("GET", "/traces?operation=other")).json["traces"] == []


async def test_a_trace_is_shown_with_its_spans(control: "Control") -> None:
    served = await control()
    await served.call("PUT")
    (listed,) = (await served.ask("GET", "/traces")).json["traces"]
    one = (await served.ask("GET", f"/traces/{listed['traceId']}")).json
    assert one["spanCount"] == len(one["spans"]) >= 2
    entry, call = one["spans"][0], one["spans"][-1]
    assert (entry["kind"], entry["parentSpanId"], entry["status"]) == ("SERVER", None, "ERROR")
    assert call["kind"] == "CLIENT"
    assert call["parentSpanId"] in {span["spanId"] for span in one["spans"]}
    assert "hidden" not in str(one)
    assert "topsecret" not in str(one)


async def test_a_trace_that_is_not_kept_is_told(control: "Control") -> None:
    answer = await (await control()).ask("GET", f"/traces/{'0' * 32}")
    assert answer.problem == (404, "no-trace", f"no trace `{'0' * 32}` is kept: the last 100 are, see /traces")


async def test_a_status_that_is_none_is_told(control: "Control") -> None:
    answer = await (await control()).ask("GET", "/traces?status=fine")
    assert answer.problem == (400, "invalid-parameter", "`status` must be OK or ERROR")


async def test_as_many_traces_are_kept_as_the_document_says(control: "Control") -> None:
    block = {"traces": {"local": {"buffer-size": 10}}}
    served = await control({"observability": block})
    for _ in range(12):
        await served.call()
    told = (await served.ask("GET", "/traces")).json
    assert (told["bufferSize"], told["bufferUsed"], len(told["traces"])) == (10, 10, 10)
