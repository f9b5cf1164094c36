"""What the page shows of what was recorded: numbers of calls, and the traces of late."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Self, TypeAlias

from capably.servers.console.overview import moment
from capably.telemetry.metrics import Distribution, Family
from capably.telemetry.recorded import Recorded
from capably.telemetry.records import Span, Trace
from capably.telemetry.telemetry import Telemetry

Object: TypeAlias = dict[str, Any]

DURATIONS: Final = "ikanos.request.duration.seconds"
"""The histogram of requests to our servers; its ``status`` label says whether they failed."""

_MOST_TRACES: Final = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """Where numbers of calls and traces come from; ``None`` where they are not recorded, or may not be shown."""

    numbers: Recorded | None
    traces: Recorded | None

    @classmethod
    def of(cls, telemetry: Telemetry | None, recorded: Recorded | None) -> Self:
        """What the settings of what is recorded allow."""
        if telemetry is None or not telemetry.settings.enabled:
            return cls(None, None)
        settings = telemetry.settings
        return cls(recorded if settings.shows_metrics else None, recorded if settings.shows_traces else None)

    async def numbers_json(self) -> Object | None:
        """Requests since the start: how many, how many failed, and how long they took, by bucket."""
        return _numbers(await self.numbers.metrics()) if self.numbers is not None else None

    async def traces_json(self) -> Object:
        """The traces of late, the newest first, without their spans."""
        if self.traces is None:
            return {"traces": None}
        return {"traces": [_trace(item) for item in islice(await self.traces.traces(), _MOST_TRACES)]}

    async def trace_json(self, trace_id: str) -> Object | None:
        """One trace with its spans; ``None`` when it is not kept any more, or never was."""
        found = await self.traces.trace(trace_id) if self.traces is not None else None
        return None if found is None else {**_trace(found), "spans": [_span(span, found) for span in found.spans]}


def _numbers(families: Iterable[Family]) -> Object | None:
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
