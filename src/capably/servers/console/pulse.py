"""What changes while the page is open: generation, reloads, numbers of calls, and the traces of late."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, TypeAlias

from capably.servers.console.hiding import hidden, hide_of
from capably.servers.console.overview import moment
from capably.servers.console.sources import secrets_of, verdict_json
from capably.servers.desk import Desk, Verdict
from capably.telemetry.metrics import Distribution, Family
from capably.telemetry.records import Span, Trace
from capably.telemetry.telemetry import Telemetry

Object: TypeAlias = dict[str, Any]

DURATIONS: Final = "ikanos.request.duration.seconds"
"""The histogram of requests to our servers; its ``status`` label says whether they failed."""

_MOST_RELOADS: Final = 20
_MOST_TRACES: Final = 200


@dataclass(frozen=True, slots=True)
class Heard:
    """A reload that was heard of; ``number`` counts them from 1."""

    number: int
    at: datetime
    verdict: Verdict


class Reloads:
    """The reloads of late, heard at the desk."""

    def __init__(self, desk: Desk) -> None:
        """Begin to listen."""
        self._kept: deque[Heard] = deque(maxlen=_MOST_RELOADS)
        self._count = 0
        self.close = desk.join(self._hear)

    def _hear(self, verdict: Verdict) -> None:
        self._count += 1
        self._kept.append(Heard(self._count, datetime.now(UTC), verdict))

    @property
    def count(self) -> int:
        """How many there were."""
        return self._count

    @property
    def latest(self) -> Heard | None:
        """The one before now."""
        return self._kept[-1] if self._kept else None

    def told(self, desk: Desk) -> Object:
        """All of them, the newest first."""
        hide, secrets = hide_of(desk.documents), secrets_of(desk)
        told = [
            {"number": item.number, "at": moment(item.at), **verdict_json(item.verdict, secrets)}
            for item in reversed(self._kept)
        ]
        return {"generation": desk.generation, "reloads": hidden(told, hide)}


def pulse(desk: Desk, reloads: Reloads, telemetry: Telemetry | None) -> Object:
    """What a page that is open asks every few seconds: small, and cheap to make."""
    latest = reloads.latest
    return {
        "now": moment(datetime.now(UTC)),
        "generation": desk.generation,
        "is_stopping": desk.is_stopping,
        "reloads": reloads.count,
        "is_refused": latest is not None and latest.verdict.is_refused,
        "servers": {item.namespace: item.is_started for item in desk.listeners},
        "numbers": _numbers(telemetry.metrics.collect())
        if telemetry is not None and records_numbers(telemetry)
        else None,
    }


def _numbers(families: Iterable[Family]) -> Object | None:
    """Requests since the start: how many, how many failed, and how long they took, by bucket."""
    family = next((item for item in families if item.name == DURATIONS), None)
    if family is None:
        return None
    counts = [0] * (len(family.bounds) + 1)
    failed = 0
    for series in family.series:
        if isinstance(series.value, Distribution):
            counts = [before + more for before, more in zip(counts, series.value.counts, strict=True)]
            if series.labels.get("status", "").lower() == "error":
                failed += series.value.count
    return {"bounds": list(family.bounds), "counts": counts, "failed": failed}


def records_numbers(telemetry: Telemetry | None) -> bool:
    """Whether numbers of calls are recorded, and may be shown."""
    return telemetry is not None and telemetry.settings.enabled and telemetry.settings.shows_metrics


def records_traces(telemetry: Telemetry | None) -> bool:
    """The same for traces."""
    return telemetry is not None and telemetry.settings.enabled and telemetry.settings.shows_traces


def traces_json(telemetry: Telemetry | None) -> Object:
    """The traces of late, the newest first, without their spans; ``None`` where none are recorded or may be shown."""
    if telemetry is None or not records_traces(telemetry):
        return {"traces": None}
    return {"traces": [_trace(item) for item in islice(telemetry.traces.recent(), _MOST_TRACES)]}


def trace_json(telemetry: Telemetry | None, trace_id: str) -> Object | None:
    """One trace with its spans; ``None`` when it is not kept any more, or never was."""
    if telemetry is None or not records_traces(telemetry):
        return None
    found = telemetry.traces.find(trace_id)
    return None if found is None else {**_trace(found), "spans": [_span(span, found) for span in found.spans]}


def _trace(trace: Trace) -> Object:
    return {
        "id": trace.trace_id,
        "operation": trace.operation,
        "kind": trace.kind,
        "status": trace.status.value,
        "at": moment(datetime.fromtimestamp(trace.started_ns / 1e9, UTC)),
        "ms": trace.duration_ms,
        "span_count": trace.span_count,
        "left_out": trace.left_out,
    }


def _span(span: Span, trace: Trace) -> Object:
    return {
        "id": span.span_id,
        "parent": span.parent_id,
        "name": span.name,
        "kind": span.kind.value,
        "status": span.status.value,
        "error": span.error,
        "after_ms": (span.started_ns - trace.started_ns) / 1e6,
        "ms": span.duration_ms,
        "attributes": dict(span.attributes),
        "events": [
            {"name": event.name, "after_ms": (event.at - trace.started_ns) / 1e6, "attributes": dict(event.attributes)}
            for event in span.events
        ],
    }
