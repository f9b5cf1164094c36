"""Metrics are texts that Prometheus' own parsers read, under the published names."""

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.telemetry.conftest import Recorded, entry

from capably.telemetry import Metrics, Type
from capably.telemetry.metrics import SECONDS, Instrument
from capably.telemetry.prometheus import OPEN_METRICS, TEXT, exposition, open_metrics, text

if TYPE_CHECKING:
    from tests.conftest import Upstream

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus 3 sends, without the formats that are not texts."""

LABELS = {"ikanos_adapter_type": "rest", "ikanos_namespace": "web"}


def read_text(text: str) -> Any:
    return parse_text(text)


def read_open_metrics(text: str) -> Any:
    return parse_open_metrics(text)  # type: ignore[no-untyped-call]


def samples(families: Any) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_requests_and_calls_are_counted_under_the_published_names(fleet: Recorded, upstream: "Upstream") -> None:
    fleet.get("/ships/1")
    upstream.answer(503, {})
    fleet.get("/ships/2")
    fleet.get("/made/up")
    fleet.tool("list-ships")
    fleet.traces(4)

    found = samples(read_text(text(fleet.telemetry.metrics.collect()).decode()))

    ship = {**LABELS, "ikanos_operation_id": "/ships/{imo} GET"}
    requests = found["ikanos_request_total"]
    assert ({**ship, "status": "OK"}, 1.0) in requests
    assert ({**ship, "status": "ERROR"}, 1.0) in requests
    assert ({**LABELS, "ikanos_operation_id": "_OTHER", "status": "OK"}, 1.0) in requests
    tool = {"ikanos_adapter_type": "mcp", "ikanos_namespace": "agent", "ikanos_operation_id": "tools/call list-ships"}
    assert ({**tool, "status": "OK"}, 1.0) in requests
    assert found["ikanos_request_errors_total"] == [({**ship, "error_type": "503"}, 1.0)]
    calls = {"http_request_method": "GET", "server_address": "127.0.0.1"}
    assert found["ikanos_http_client_total"] == [
        ({**calls, "http_response_status_code": "200"}, 2.0),
        ({**calls, "http_response_status_code": "503"}, 1.0),
    ]
    assert found["ikanos_capability_active"] == [({"ikanos_capability": "Fleet"}, 1.0)]
    assert ({**ship, "status": "OK"}, 1.0) in found["ikanos_request_duration_seconds_count"]


def test_durations_are_in_seconds_and_their_buckets_tell_milliseconds_apart(
    fleet: Recorded, upstream: "Upstream"
) -> None:
    fleet.get("/steps")
    fleet.traces()

    for name in (
        "ikanos_request_duration_seconds",
        "ikanos_http_client_duration_seconds",
        "ikanos_step_duration_seconds",
    ):
        found = samples(read_text(text(fleet.telemetry.metrics.collect()).decode()))
        bounds = [labels["le"] for labels, _value in found[f"{name}_bucket"]]
        assert bounds[: len(SECONDS) + 1] == [*map(str, SECONDS), "+Inf"]
        counts = [value for _labels, value in found[f"{name}_bucket"]][: len(SECONDS) + 1]
        assert counts == sorted(counts)
        assert counts[-1] > 0
    steps = samples(read_text(text(fleet.telemetry.metrics.collect()).decode()))["ikanos_step_duration_seconds_count"]
    assert steps == [({"step_type": "call", "ikanos_namespace": "up"}, 2.0), ({"step_type": "lookup"}, 1.0)]


def test_the_process_tells_what_it_uses(fleet: Recorded) -> None:
    found = samples(read_text(text(fleet.telemetry.metrics.collect()).decode()))

    names = (
        *("process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes"),
        *("process_open_fds", "process_max_fds", "process_start_time_seconds"),
    )
    values = {name: found[name][0][1] for name in names}
    assert all(value > 0 for value in values.values())
    assert values["process_resident_memory_bytes"] < values["process_virtual_memory_bytes"]
    assert values["process_open_fds"] < values["process_max_fds"]


def test_open_metrics_shows_which_trace_a_bucket_was_measured_in(fleet: Recorded, upstream: "Upstream") -> None:
    fleet.get("/ships/1")
    trace = fleet.trace

    families = {item.name: item for item in read_open_metrics(open_metrics(fleet.telemetry.metrics.collect()).decode())}

    seconds = families["ikanos_request_duration_seconds"]
    assert seconds.type == "histogram"
    (exemplar,) = [sample.exemplar for sample in seconds.samples if sample.exemplar]
    assert exemplar.labels == {"trace_id": trace.trace_id, "span_id": entry(trace).span_id}
    assert abs(exemplar.value - entry(trace).duration_ns / 1e9) < 1e-6
    assert families["ikanos_request"].type == "counter"


def test_a_metric_has_one_name_in_both_formats(fleet: Recorded, upstream: "Upstream") -> None:
    upstream.answer(503, {})
    fleet.get("/ships/1")
    fleet.trace  # noqa: B018 -- waits until it is recorded
    families = fleet.telemetry.metrics.collect()

    # The parser of the text format appends `_total` to counters by itself, so names are looked for as they stand there.
    plain = {
        line.partition("{")[0].partition(" ")[0] for line in text(families).decode().splitlines() if line[0] != "#"
    }
    rich = samples(read_open_metrics(open_metrics(families).decode()))

    assert plain == rich.keys()
    assert "ikanos_request_errors" in plain


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        (PROMETHEUS, OPEN_METRICS),
        ("application/openmetrics-text", OPEN_METRICS),
        ("application/openmetrics-text; version=2.0.0", TEXT),
        ("application/openmetrics-text;q=0.1, text/plain", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=x", TEXT),
    ],
)
def test_a_scraper_gets_the_format_it_likes_best(accept: str, media_type: str) -> None:
    assert exposition(Metrics().collect(), accept)[0] == media_type


def test_nothing_measured_is_an_empty_text() -> None:
    metrics = Metrics()
    metrics.count(Instrument("unused.total", Type.COUNTER, "Unused."))
    assert text(metrics.collect()) == b""
    assert open_metrics(metrics.collect()) == b"# EOF\n"


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.floats(allow_nan=False))
def test_any_label_and_any_number_comes_back_as_it_was(label: str, value: float) -> None:
    metrics = Metrics()
    metrics.count(Instrument("up.down", Type.GAUGE, 'A "help"\\\nof two lines.', ("a.label",))).add((label,), value)

    for families in (
        read_text(text(metrics.collect()).decode()),
        read_open_metrics(open_metrics(metrics.collect()).decode()),
    ):
        (family,) = families
        assert family.name == "up_down"
        (sample,) = family.samples
        assert (sample.labels, sample.value) == ({"a_label": label}, value)
