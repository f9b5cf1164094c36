"""What is kept of the past: traces, metrics and log records, within bounds and without secrets."""

import asyncio
import gc
import logging
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

import pytest

from capably.diagnostics import Span as Place
from capably.plan.variables import Variable, VariableKind
from capably.telemetry import Distribution, SpanKind, Status, Telemetry, TelemetrySettings, Type
from capably.telemetry.logs import Logs, TooManyListenersError
from capably.telemetry.metrics import MOST_SERIES, SECONDS, Instrument, Metrics
from capably.telemetry.recording import MOST_SPANS, Recording, Tree
from capably.telemetry.redaction import Redactor, shown_url, without_controls
from capably.telemetry.traces import Traces


def begin(trace_id: int, operation: str = "/ships GET", *, parent: int = 0) -> Recording:
    tree = Tree(trace_id, parent, "", "rest", is_sampled=True)
    tree.operation = operation
    return Recording(tree, parent, "rest.request", SpanKind.SERVER, {})


def kept(traces: Traces, trace_id: int, operation: str = "/ships GET", error: str = "") -> None:
    entry = begin(trace_id, operation)
    entry.error = error
    entry.end()
    traces.keep(entry)


def secret(name: str, value: str) -> Variable:
    place = Place("a.yaml", 1, 1, 1, 2)
    return Variable(name, VariableKind.SECRET, (name,), (place,), value)


@pytest.fixture
def traces() -> Traces:
    return Traces(3, Redactor().hide)


def test_the_newest_traces_are_kept_newest_first(traces: Traces) -> None:
    for number in range(1, 6):
        kept(traces, number)

    assert [int(trace.trace_id, 16) for trace in traces.recent()] == [5, 4, 3]
    assert len(traces) == traces.capacity == 3
    assert traces.find(f"{1:032x}") is None


def test_traces_are_found_by_a_part_of_their_operation_and_by_how_they_ended(traces: Traces) -> None:
    kept(traces, 1, "/ships/{imo} GET")
    kept(traces, 2, "tools/call list-ships", error="502")
    kept(traces, 3, "tools/call board")

    def found(operation: str = "", status: Status | None = None) -> list[str]:
        return [trace.operation for trace in traces.recent() if trace.matches(operation, status)]

    assert found("SHIPS") == ["tools/call list-ships", "/ships/{imo} GET"]
    assert found(status=Status.ERROR) == ["tools/call list-ships"]
    assert found("call", Status.OK) == ["tools/call board"]
    assert found("call", Status.UNSET) == ["tools/call board"]


def test_requests_of_one_trace_are_one_entry(traces: Traces) -> None:
    kept(traces, 7, "first")
    kept(traces, 8)
    kept(traces, 7, "second", error="500")

    newest, _other = traces.recent()

    assert (newest.operation, newest.span_count, newest.status) == ("first", 2, Status.ERROR)
    found = traces.find(newest.trace_id)
    assert found is not None
    assert [span.name for span in found.spans] == ["rest.request", "rest.request"]


def test_a_trace_shows_its_spans_as_a_tree_in_the_order_they_began(traces: Traces) -> None:
    entry = begin(9, parent=0xABC)
    tool = entry.child("mcp.tool", SpanKind.INTERNAL, {"ikanos.operation.id": "board"})
    call = tool.child("http.client.GET", SpanKind.CLIENT, {"http.response.status_code": 503})
    call.error = "503"
    for span in (call, tool, entry):
        span.end()
    traces.keep(entry)

    trace = traces.find(f"{9:032x}")

    assert trace is not None
    first, second, third = trace.spans
    assert (first.parent_id, first.is_entry, first.kind) == (f"{0xABC:016x}", True, SpanKind.SERVER)
    assert (second.parent_id, third.parent_id) == (first.span_id, second.span_id)
    assert (third.status, third.error, third.attributes) == (Status.ERROR, "503", {"http.response.status_code": 503})
    assert first.duration_ns >= second.duration_ns >= third.duration_ns > 0
    assert trace.status is Status.OK, "the call may have been caught: what the caller got decides"


def test_what_ends_after_its_request_is_still_found(traces: Traces) -> None:
    entry = begin(5)
    late = entry.child("http.client.GET", SpanKind.CLIENT, {})
    entry.end()
    traces.keep(entry)
    late.end()

    trace = traces.find(f"{5:032x}")
    assert trace is not None
    assert [span.name for span in trace.spans] == ["rest.request", "http.client.GET"]


def test_a_request_that_never_ends_is_forgotten_with_its_task(traces: Traces) -> None:
    class Watched(Tree):
        __slots__ = ("__weakref__",)

    tree: Tree | None = Watched(2, 0, "", "rest", is_sampled=True)
    assert tree is not None
    entry: Recording | None = Recording(tree, 0, "rest.request", SpanKind.SERVER, {})
    assert entry is not None
    entry.child("http.client.GET", SpanKind.CLIENT, {}).end()
    watched = weakref.ref(tree)
    tree = entry = None
    gc.collect()

    assert watched() is None
    assert len(traces) == 0


def test_a_request_keeps_so_many_spans_and_counts_the_rest(traces: Traces) -> None:
    entry = begin(1)
    for _ in range(MOST_SPANS + 5):
        entry.child("http.client.GET", SpanKind.CLIENT, {}).end()
    entry.end()
    traces.keep(entry)

    trace = traces.find(f"{1:032x}")
    assert trace is not None
    assert (trace.span_count, trace.left_out) == (MOST_SPANS + 1, 5)


@pytest.mark.parametrize("name", ["", "not hexadecimal", "0" * 32, "f" * 40])
def test_an_id_of_no_trace_finds_none(traces: Traces, name: str) -> None:
    assert traces.find(name) is None


def test_counters_count_by_label_and_leave_empty_labels_out() -> None:
    metrics = Metrics()
    calls = metrics.count(Instrument("ikanos.http.client.total", Type.COUNTER, "Calls.", ("method", "error.type")))
    calls.add(("GET", ""))
    calls.add(("GET", ""))
    calls.add(("PUT", "timeout"))

    (family,) = metrics.collect()

    assert family.prometheus == "ikanos_http_client_total"
    assert [(series.labels, series.value) for series in family.series] == [
        ({"method": "GET"}, 2),
        ({"method": "PUT", "error.type": "timeout"}, 1),
    ]


def test_labels_beyond_the_cap_are_counted_together() -> None:
    metrics = Metrics()
    calls = metrics.count(Instrument("calls", Type.COUNTER, "Calls.", ("host",)))
    times = metrics.histogram(Instrument("times", Type.HISTOGRAM, "Times.", ("host",)))
    for number in range(MOST_SERIES + 10):
        calls.add((f"host-{number}",))
        times.record((f"host-{number}",), 1)

    for family, amounts in zip(metrics.collect(), ([10], [10]), strict=True):
        assert len(family.series) == MOST_SERIES + 1
        last = family.series[-1]
        assert last.labels == {"otel.metric.overflow": "true"}
        assert [last.value.count if isinstance(last.value, Distribution) else last.value] == amounts


def test_a_histogram_counts_each_value_once_in_the_first_bucket_that_holds_it() -> None:
    metrics = Metrics()
    times = metrics.histogram(Instrument("times", Type.HISTOGRAM, "Times.", unit="s"))
    for value in (0.0004, 0.001, 0.003, 60.0, 61.0, inf):
        times.record((), value)

    (family,) = metrics.collect()

    (series,) = family.series
    assert isinstance(series.value, Distribution)
    assert len(series.value.counts) == len(SECONDS) + 1
    assert (series.value.counts[0], series.value.counts[2], series.value.counts[-2], series.value.counts[-1]) == (
        *(2, 1),
        *(1, 2),
    )
    assert series.value.count == 6


def test_a_histogram_remembers_a_trace_for_each_bucket() -> None:
    metrics = Metrics()
    times = metrics.histogram(Instrument("times", Type.HISTOGRAM, "Times."))
    times.record((), 0.002, 0xAB, 0xCD)
    times.record((), 0.002)

    (series,) = metrics.collect()[0].series
    assert isinstance(series.value, Distribution)
    (exemplar,) = [each for each in series.value.exemplars if each is not None]
    assert (exemplar.trace_id, exemplar.span_id, exemplar.value) == (f"{0xAB:032x}", f"{0xCD:016x}", 0.002)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("capably.tested")
    yield logger
    logger.setLevel(logging.NOTSET)


@contextmanager
def handled(logs: Logs, logger: logging.Logger) -> Iterator[None]:
    handler = logs.handler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def test_log_records_are_kept_without_secrets(logger: logging.Logger) -> None:
    logs = Logs(2, Redactor([secret("API_KEY", "s3cr3t!")]).hide)
    with handled(logs, logger):
        logger.warning("one")
        logger.warning("asked with %s", "s3cr3t!")
        try:
            raise ValueError("no s3cr3t! here")  # noqa: TRY301 -- a traceback is wanted
        except ValueError:
            logger.exception("failed")

    asked, failed = logs.recent()
    assert (asked.message, asked.level, asked.logger) == ("asked with <API_KEY>", "warning", "capably.tested")
    assert failed.number == asked.number + 1
    assert "ValueError: no <API_KEY> here" in failed.exception
    assert logs.recent("error") == [failed]
    assert logs.recent(logger="capably") == [asked, failed]
    assert logs.recent(logger="cap") == []


def test_levels_are_changed_and_reset_while_the_process_runs(logger: logging.Logger) -> None:
    logs = Logs(10, Redactor().hide)
    before = logger.getEffectiveLevel()

    logs.set_level("capably.tested", "debug")
    logs.set_level("capably.tested", "info")
    assert logger.getEffectiveLevel() == logging.INFO
    assert logs.levels()["capably.tested"] == "info"
    assert list(logs.changed) == ["capably.tested"]

    logs.reset("capably.tested")
    assert logger.getEffectiveLevel() == before
    assert len(logs.changed) == 0

    with pytest.raises(ValueError, match="`loud` is no level: there are debug, info, warning, error, critical"):
        logs.set_level("capably.tested", "loud")


async def test_so_many_may_listen_and_each_hears_records_of_any_thread(logger: logging.Logger) -> None:
    logs = Logs(10, Redactor().hide)
    with handled(logs, logger), logs.listening(most=1) as listener:
        with pytest.raises(TooManyListenersError), logs.listening(most=1):
            pass
        heard = aiter(listener)
        logger.warning("here")
        await asyncio.to_thread(logger.warning, "there")
        assert [(await anext(heard)).message, (await anext(heard)).message] == ["here", "there"]
    assert logs.listeners == 0


async def test_who_listens_too_slowly_misses_the_oldest_records(logger: logging.Logger) -> None:
    logs = Logs(10, Redactor().hide)
    with handled(logs, logger), logs.listening() as listener:
        for number in range(1003):
            logger.warning("%d", number)
        assert (await anext(aiter(listener))).message == "3"
        assert listener.missed == 3


def test_telemetry_learns_the_secrets_of_a_reload() -> None:
    telemetry = Telemetry(TelemetrySettings(buffer_size=10))
    kept(telemetry.traces, 1, "asked with hunter22")
    telemetry.redactor.add([secret("KEY", "hunter22")])

    assert [trace.operation for trace in telemetry.traces.recent()] == ["asked with <KEY>"]


def test_secrets_are_found_as_urls_and_json_write_them() -> None:
    hide = Redactor([secret("KEY", 'a b"/ü'), secret("SHORT", "abc")]).hide
    assert hide('x a b"/ü y') == "x <KEY> y"
    assert hide("?q=a%20b%22%2F%C3%BC") == "?q=<KEY>"
    assert hide("?q=a+b%22%2F%C3%BC") == "?q=<KEY>"
    assert hide('{"q": "a b\\"/\\u00fc"}') == '{"q": "<KEY>"}'
    assert hide("abc") == "abc", "shorter texts stand everywhere by chance"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.test/x?limit=5&api_key=abc&q=", "https://a.test/x?limit=5&api_key=<hidden>&q="),
        ("https://me:pass@a.test/x", "https://a.test/x"),
        (
            "https://a.test/x?sig=1&design=2&X-Amz-Signature=3",
            "https://a.test/x?sig=<hidden>&design=2&X-Amz-Signature=<hidden>",
        ),
        ("https://a.test", "https://a.test"),
    ],
)
def test_urls_are_shown_without_what_their_names_tell_is_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_a_text_of_a_log_stays_on_its_line() -> None:
    assert without_controls("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
