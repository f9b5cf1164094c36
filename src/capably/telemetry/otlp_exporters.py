"""The exporters of the OpenTelemetry SDK, given our records. Imported only where records are sent (extra ``otel``)."""

import os
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from capably.telemetry.logs import LogRecord
from capably.telemetry.metrics import Family
from capably.telemetry.otlp_records import sdk_log, sdk_metrics, sdk_span
from capably.telemetry.otlp_target import LOGS, METRICS, TRACES, OtlpTarget
from capably.telemetry.recording import Recording
from capably.telemetry.redaction import Hide


class Exporters:
    """One exporter for each signal that is sent. Each method says whether the collector took what it was given."""

    def __init__(self, target: OtlpTarget, hide: Hide) -> None:
        """Open those whose address is known."""
        urls = target.urls
        self._hide = hide
        self._resource = resource_of(target.service)
        self._spans = OTLPSpanExporter(urls[TRACES]) if TRACES in urls else None
        self._metrics = OTLPMetricExporter(urls[METRICS]) if METRICS in urls else None
        self._logs = OTLPLogExporter(urls[LOGS]) if LOGS in urls else None
        self.opened: list[Any] = [each for each in (self._spans, self._metrics, self._logs) if each is not None]

    def spans(self, recordings: Sequence[Recording]) -> bool:
        """Send spans."""
        if self._spans is None:
            return True
        found = [sdk_span(recording.frozen(self._hide), self._resource) for recording in recordings]
        return self._spans.export(found) is SpanExportResult.SUCCESS

    def logs(self, records: Sequence[LogRecord]) -> bool:
        """Send log records."""
        if self._logs is None:
            return True
        found = [sdk_log(record, self._resource) for record in records]
        return self._logs.export(found) is LogRecordExportResult.SUCCESS

    def metrics(self, families: Iterable[Family], since: int) -> bool:
        """Send metrics, counted from a moment on (Unix nanoseconds)."""
        if self._metrics is None:
            return True
        data = sdk_metrics(families, self._resource, since, time.time_ns())
        return self._metrics.export(data) is MetricExportResult.SUCCESS


def resource_of(service: str) -> Resource:
    """What says of whom the records are; ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` come first."""
    known = Resource.create()
    is_named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    own: dict[str, str | int] = {"service.instance.id": str(uuid.uuid4()), "process.pid": os.getpid()}
    own |= {} if is_named else {"service.name": service}
    return Resource({**known.attributes, **own})
