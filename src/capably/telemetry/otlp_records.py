"""What was recorded, as the records of the OpenTelemetry SDK, which its exporters take.

Imported only where records are sent: the SDK comes with the extra ``otel``.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from opentelemetry._logs import LogRecord as SdkLog
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from capably import __version__
from capably.telemetry import records
from capably.telemetry.logs import LogRecord
from capably.telemetry.metrics import Distribution, Exemplar, Family, Series, Type

_SCOPE: Final = InstrumentationScope("capably", __version__)
_KINDS: Final = {
    records.SpanKind.SERVER: SpanKind.SERVER,
    records.SpanKind.CLIENT: SpanKind.CLIENT,
    records.SpanKind.INTERNAL: SpanKind.INTERNAL,
}
_STATUSES: Final = {
    records.Status.UNSET: StatusCode.UNSET,
    records.Status.OK: StatusCode.OK,
    records.Status.ERROR: StatusCode.ERROR,
}
_SEVERITIES: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_HEXADECIMAL: Final = 16


def sdk_span(span: records.Span, resource: Resource) -> ReadableSpan:
    """A span as the SDK has it."""
    trace_id, state = int(span.trace_id, _HEXADECIMAL), TraceState.from_header([span.trace_state])
    own = SpanContext(trace_id, int(span.span_id, _HEXADECIMAL), False, _SAMPLED, state)
    parent = None
    if span.parent_id:
        parent = SpanContext(trace_id, int(span.parent_id, _HEXADECIMAL), span.is_entry, _SAMPLED, state)
    return ReadableSpan(
        span.name,
        own,
        parent,
        resource,
        dict(span.attributes),
        [Event(event.name, dict(event.attributes), event.at) for event in span.events],
        kind=_KINDS[span.kind],
        status=Status(_STATUSES[span.status], span.error or None),
        start_time=span.started_ns,
        end_time=span.started_ns + span.duration_ns,
        instrumentation_scope=_SCOPE,
    )


def sdk_log(record: LogRecord, resource: Resource) -> ReadableLogRecord:
    """A log record as the SDK has it (semantic conventions: exceptions in logs)."""
    attributes = {"logger": record.logger, **record.attributes}
    if record.exception:
        attributes["exception.stacktrace"] = record.exception
    moment = int(record.at * 1e9)
    log = SdkLog(
        timestamp=moment,
        observed_timestamp=moment,
        trace_id=int(record.trace_id, _HEXADECIMAL) if record.trace_id else None,
        span_id=int(record.span_id, _HEXADECIMAL) if record.span_id else None,
        trace_flags=_SAMPLED if record.trace_id else None,
        severity_text=record.level.upper(),
        severity_number=_SEVERITIES[record.level],
        body=record.message,
        attributes={name: value for name, value in attributes.items() if value is not None},
    )
    return ReadableLogRecord(log, resource, _SCOPE)


def sdk_metrics(families: Iterable[Family], resource: Resource, since: int, now: int) -> MetricsData:
    """Metrics as the SDK has them, counted from ``since`` on; both times are Unix nanoseconds."""
    metrics = [_metric(family, since, now) for family in families if family.series]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(_SCOPE, metrics, "")], "")])


def _metric(family: Family, since: int, now: int) -> Metric:
    return Metric(family.name, family.help, family.unit, _data(family, since, now))


def _data(family: Family, since: int, now: int) -> Sum | Gauge | Histogram:
    if family.type is Type.HISTOGRAM:
        points = [_distribution(family.bounds, series, since, now) for series in family.series]
        return Histogram([point for point in points if point is not None], AggregationTemporality.CUMULATIVE)
    numbers = [
        NumberDataPoint(dict(series.labels), since, now, series.value)
        for series in family.series
        if not isinstance(series.value, Distribution)
    ]
    if not family.adds_up:
        return Gauge(numbers)
    return Sum(numbers, AggregationTemporality.CUMULATIVE, family.type is Type.COUNTER)


def _distribution(bounds: Sequence[float], series: Series, since: int, now: int) -> HistogramDataPoint | None:
    value = series.value
    if not isinstance(value, Distribution):
        return None
    exemplars = [_exemplar(each) for each in value.exemplars if each is not None]
    unknown: Any = None  # the least and the most of all time tell little, and are optional in OTLP
    labels, counts = dict(series.labels), list(value.counts)
    return HistogramDataPoint(labels, since, now, value.count, value.total, counts, bounds, unknown, unknown, exemplars)


def _exemplar(exemplar: Exemplar) -> SdkExemplar:
    trace_id, span_id = int(exemplar.trace_id, _HEXADECIMAL), int(exemplar.span_id, _HEXADECIMAL)
    return SdkExemplar({}, exemplar.value, exemplar.at, span_id, trace_id)
