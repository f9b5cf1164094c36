"""A collector on loopback gets what was recorded, as OTLP over HTTP; one that is down disturbs nobody."""

import gzip
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.telemetry.conftest import SECRET, Recorded, Serve, entry, only
from tests.upstreams import Quiet, answering

from capably.telemetry import otlp
from capably.telemetry.metrics import SECONDS
from capably.telemetry.otlp_target import target_of

if TYPE_CHECKING:
    from tests.conftest import Upstream

KINDS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_METRIC_EXPORT_INTERVAL": "50"}


class Collector:
    """Takes OTLP over HTTP and decodes it."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        collector = self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if collector.status == 200:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    collector.got.append((self.path, headers, KINDS[self.path].FromString(body)))
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def all(self, path: str) -> list[Any]:
        return [message for at, _headers, message in self.got if at == path]

    @property
    def spans(self) -> list[Any]:
        found = (resource for message in self.all("/v1/traces") for resource in message.resource_spans)
        return [span for resource in found for scope in resource.scope_spans for span in scope.spans]

    @property
    def logs(self) -> list[Any]:
        found = (resource for message in self.all("/v1/logs") for resource in message.resource_logs)
        return [record for resource in found for scope in resource.scope_logs for record in scope.log_records]

    @property
    def metrics(self) -> dict[str, Any]:
        """The newest metrics by name."""
        (resource,) = self.all("/v1/metrics")[-1].resource_metrics
        return {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    with answering(collector.server):
        yield collector


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def attributes(of: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in of.attributes}


def exporting(url: str) -> dict[str, Any]:
    return {"exporters": {"otlp": {"endpoint": url}}}


def test_spans_arrive_as_they_were_recorded(collector: Collector, serve: Serve, upstream: "Upstream") -> None:
    fleet = serve(exporting(collector.url), QUICK)
    upstream.answer(503, {})
    fleet.get("/keyed", {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1"})
    until(lambda: len(collector.spans) == 2)

    trace = fleet.trace
    call, request = collector.spans
    assert (request.name, request.trace_id.hex()) == ("rest.request", "0af7651916cd43dd8448eb211c80319c")
    assert (request.parent_span_id.hex(), request.trace_state) == ("b7ad6b7169203331", "a=1")
    assert request.kind == 2, "SERVER"
    assert (call.kind, call.parent_span_id) == (3, request.span_id)
    assert call.span_id.hex() == only(trace, "http.client.GET").span_id
    assert attributes(request) == entry(trace).attributes
    assert (call.status.code, call.status.message) == (2, "503")
    assert call.end_time_unix_nano - call.start_time_unix_nano == only(trace, "http.client.GET").duration_ns
    assert abs(call.start_time_unix_nano - time.time_ns()) < 60e9
    assert SECRET not in str(collector.got)
    assert attributes(call)["url.full"].endswith("/keyed?q=<PASSPHRASE>&api_key=<hidden>")


def test_the_resource_names_the_process(collector: Collector, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,team=sea")
    fleet = serve(exporting(collector.url), QUICK)
    fleet.get("/skills", namespace="skills")
    until(lambda: bool(collector.spans))

    (resource,) = collector.all("/v1/traces")[0].resource_spans
    known = attributes(resource.resource)
    assert known["service.name"] == "ikanos-Fleet"
    assert (known["deployment.environment.name"], known["team"]) == ("test", "sea")
    assert resource.scope_spans[0].scope.name == "capably"


def test_the_environment_names_the_service(collector: Collector, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "harbour")
    fleet = serve(exporting(collector.url), QUICK)
    fleet.get("/skills", namespace="skills")
    until(lambda: bool(collector.spans))

    (resource,) = collector.all("/v1/traces")[0].resource_spans
    assert attributes(resource.resource)["service.name"] == "harbour"


def test_metrics_arrive_with_their_buckets_and_exemplars(
    collector: Collector, serve: Serve, upstream: "Upstream"
) -> None:
    fleet = serve(exporting(collector.url), QUICK)
    fleet.get("/ships/1")
    fleet.get("/ships/2")
    trace_ids = {trace.trace_id for trace in fleet.traces(2)}
    until(lambda: bool(collector.all("/v1/metrics")) and "ikanos.request.total" in collector.metrics)
    until(lambda: collector.metrics["ikanos.request.total"].sum.data_points[0].as_int == 2)

    metrics = collector.metrics
    total = metrics["ikanos.request.total"].sum
    assert (total.is_monotonic, total.aggregation_temporality) == (True, 2)
    assert attributes(total.data_points[0])["ikanos.operation.id"] == "/ships/{imo} GET"
    (point,) = metrics["ikanos.request.duration.seconds"].histogram.data_points
    assert (tuple(point.explicit_bounds), len(point.bucket_counts), point.count) == (SECONDS, len(SECONDS) + 1, 2)
    assert metrics["ikanos.request.duration.seconds"].unit == "s"
    assert {each.trace_id.hex() for each in point.exemplars} <= trace_ids
    assert len(point.exemplars) >= 1
    active = metrics["ikanos.capability.active"].sum
    assert (active.is_monotonic, active.data_points[0].as_int) == (False, 1)
    assert metrics["process.memory.usage"].gauge.data_points[0].as_int > 1_000_000
    assert metrics["process.cpu.time"].sum.is_monotonic


def test_log_records_arrive_with_the_trace_they_were_made_in(
    collector: Collector, serve: Serve, upstream: "Upstream"
) -> None:
    fleet = serve(exporting(collector.url), QUICK)
    upstream.play(b"", close=True)
    fleet.get("/keyed")
    until(lambda: bool(collector.logs))

    (record,) = [item for item in collector.logs if attributes(item)["logger"] == "capably.upstream"]
    assert (record.severity_text, record.severity_number) == ("WARNING", 13)
    assert record.trace_id.hex() == fleet.trace.trace_id
    assert record.body.string_value.startswith("up: broken")


def test_what_is_left_is_sent_at_the_end(collector: Collector, serve: Serve) -> None:
    slow = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_METRIC_EXPORT_INTERVAL": "600000"}
    fleet = serve(exporting(collector.url), slow)
    fleet.get("/skills", namespace="skills")
    fleet.trace  # noqa: B018 -- waits until it is recorded
    assert collector.got == []
    fleet.stop()
    until(lambda: len(collector.spans) == 1 and bool(collector.all("/v1/metrics")))


@contextmanager
def nowhere() -> Iterator[str]:
    """An address that refuses connections while the context lasts."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


def told(fleet: Recorded) -> list[str]:
    return [item.message for item in fleet.telemetry.logs.recent(logger="capably.telemetry")]


def test_a_collector_that_is_down_is_told_once_and_answers_go_on(
    serve: Serve, upstream: "Upstream", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setattr(otlp, "FLUSH_S", 0.5)
    with nowhere() as url:
        fleet = serve({**exporting(url)}, {**QUICK, "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"})
        until(lambda: [fleet.get("/list-ships")[0]] == [200] and bool(told(fleet)))
        for _ in range(3):
            assert fleet.get("/list-ships")[0] == 200
            time.sleep(0.1)
        assert told(fleet) == [f"{url}/v1/traces takes no records: they are lost until it does"]
        assert fleet.traces(4), "they are kept here all the same"


def test_a_collector_that_comes_back_is_told(collector: Collector, serve: Serve, upstream: "Upstream") -> None:
    collector.status = 400  # nothing that is tried again
    fleet = serve(exporting(collector.url), {**QUICK, "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"})
    fleet.get("/list-ships")
    until(lambda: len(told(fleet)) == 1)
    collector.status = 200
    fleet.get("/list-ships")
    until(lambda: len(told(fleet)) == 2)

    assert told(fleet)[1].startswith(f"{collector.url}/v1/traces takes records again; ")
    assert len(collector.spans) >= 1


def test_headers_and_compression_come_from_the_environment(
    collector: Collector, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=sea")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    serve(exporting(collector.url), QUICK).get("/skills", namespace="skills")
    until(lambda: bool(collector.spans))

    _path, headers, _message = collector.got[0]
    assert (headers["x-tenant"], headers["content-encoding"]) == ("sea", "gzip")


def test_the_environment_alone_begins_recording_and_sending(collector: Collector, serve: Serve) -> None:
    fleet = serve(environ={**QUICK, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, control=None, change=without_control)
    fleet.get("/skills", namespace="skills")
    until(lambda: bool(collector.spans))
    assert len(fleet.telemetry.traces) == 0, "nobody could look at them here"


def without_control(document: dict[str, Any]) -> None:
    del document["capability"]["exposes"][-1]


def test_the_environment_can_switch_everything_off(collector: Collector, serve: Serve, upstream: "Upstream") -> None:
    fleet = serve(exporting(collector.url), {**QUICK, "OTEL_SDK_DISABLED": "true"})
    assert fleet.get("/list-ships")[0] == 200
    assert fleet.service.telemetry is None
    assert upstream.only.header("traceparent") is None


def test_without_anybody_who_looks_nothing_is_recorded(serve: Serve) -> None:
    assert serve(control=None, change=without_control).service.telemetry is None


BASE = "http://c.test:4318"


@pytest.mark.parametrize(
    ("stated", "environ", "urls"),
    [
        ("", {}, None),
        (BASE, {}, [f"{BASE}/v1/traces", f"{BASE}/v1/metrics", f"{BASE}/v1/logs"]),
        ("c.test:4318/", {}, [f"{BASE}/v1/traces", f"{BASE}/v1/metrics", f"{BASE}/v1/logs"]),
        ("http://c.test:4317", {}, [f"{BASE}/v1/traces", f"{BASE}/v1/metrics", f"{BASE}/v1/logs"]),
        (
            "http://c.test:4317",
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_LOGS_EXPORTER": "none"},
            ["http://c.test:4317/v1/traces", "http://c.test:4317/v1/metrics"],
        ),
        ("", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t.test/in"}, ["http://t.test/in"]),
        (
            BASE,
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://no", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://no"},
            [f"{BASE}/v1/traces", f"{BASE}/v1/metrics", f"{BASE}/v1/logs"],
        ),
        (
            "",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": BASE, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
            [f"{BASE}/v1/logs"],
        ),
    ],
)
def test_where_records_go(stated: str, environ: dict[str, str], urls: list[str] | None) -> None:
    target = target_of(stated, environ, "s")
    assert (list(target.urls.values()) if target is not None else None) == urls


def test_a_number_that_is_none_counts_as_not_given() -> None:
    environ = {"OTEL_BSP_SCHEDULE_DELAY": "soon", "OTEL_BSP_MAX_QUEUE_SIZE": "0", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "7"}
    target = target_of(BASE, environ, "s")
    assert target is not None
    assert (target.delay_s, target.queue, target.batch) == (5.0, 2048, 7)


def test_without_the_extra_a_warning_says_what_to_install(
    serve: Serve, upstream: "Upstream", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "capably.telemetry.otlp_exporters", None)
    fleet = serve(exporting(BASE), QUICK)
    until(lambda: bool(told(fleet)))
    assert fleet.get("/list-ships")[0] == 200
    assert told(fleet)[0].startswith("records are not sent to a collector: install `capably[otel]`")


def test_the_words_of_the_sdk_stay_out_of_the_log(collector: Collector, serve: Serve) -> None:
    collector.status = 400
    fleet = serve(exporting(collector.url), QUICK)
    fleet.get("/skills", namespace="skills")
    until(lambda: bool(told(fleet)))
    assert all(item.logger.startswith("capably") for item in fleet.telemetry.logs.recent())
    assert logging.getLogger("opentelemetry").level > logging.CRITICAL
