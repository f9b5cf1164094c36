"""What a process tells of its work: spans, metrics and logs, recorded by light code of our own.

:class:`~capably.telemetry.telemetry.Telemetry` owns all of it; :mod:`~capably.telemetry.records` and
:mod:`~capably.telemetry.metrics` say what shapes it has. Names are those that published versions use, with the prefix
``ikanos`` (docs/telemetry.md).
"""

from capably.telemetry.metrics import Distribution, Exemplar, Family, Metrics, Series, Type
from capably.telemetry.records import Event, Span, SpanKind, Status, Trace
from capably.telemetry.settings import Propagation, TelemetrySettings
from capably.telemetry.telemetry import Telemetry

__all__ = [
    "Distribution",
    "Event",
    "Exemplar",
    "Family",
    "Metrics",
    "Propagation",
    "Series",
    "Span",
    "SpanKind",
    "Status",
    "Telemetry",
    "TelemetrySettings",
    "Trace",
    "Type",
]
