"""What was recorded of requests: traces of late, and one of them with its spans."""

from typing import Any, Final

from capably.servers.control.asked import Answer, Asked, Room, answer, refused
from capably.servers.control.moments import of_nanoseconds
from capably.telemetry.recorded import Recorded
from capably.telemetry.records import Span, Status, Trace

NOTHING_RECORDED: Final = "nothing is recorded: `observability.enabled` is false"


async def recent(room: Room, asked: Asked) -> Answer:
    """The traces, newest first: those whose operation holds a text, those that ended in a way."""
    kept = recorded(room)
    query = asked.query("operation", "status")
    operation, status = query.get("operation", ""), _status(query.get("status", ""))
    found = await kept.traces()
    shown = [_summary(item) for item in found if item.matches(operation, status)]
    return answer({"traces": shown, "bufferSize": kept.capacity, "bufferUsed": len(found)})


async def one(room: Room, asked: Asked) -> Answer:
    """One trace with its spans."""
    kept = recorded(room)
    asked.query()
    found = await kept.trace(asked.name)
    if found is None:
        detail = f"no trace `{asked.name[:100]}` is kept: the last {kept.capacity} are, see /traces"
        raise refused("no-trace", detail, 404)
    left_out = {"spansLeftOut": found.left_out} if found.left_out else {}
    spans = [_span(item, found.started_ns) for item in found.spans]
    return answer({**_summary(found), **left_out, "spans": spans})


def recorded(room: Room) -> Recorded:
    """What was recorded.

    Raises:
        Fault: status 503, nothing is.
    """
    if room.instruments.recorded is None:
        raise refused("nothing-recorded", NOTHING_RECORDED, 503)
    return room.instruments.recorded


def _status(written: str) -> Status | None:
    if not written:
        return None
    try:
        return Status(written.upper())
    except ValueError:
        raise refused("invalid-parameter", "`status` must be OK or ERROR") from None


def _summary(trace: Trace) -> dict[str, Any]:
    return {
        "traceId": trace.trace_id,
        "operation": trace.operation,
        "adapter": trace.kind,
        "durationMs": round(trace.duration_ms),
        "status": trace.status.value,
        "spanCount": trace.span_count,
        "timestamp": of_nanoseconds(trace.started_ns),
    }


def _span(span: Span, began_ns: int) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "spanId": span.span_id,
        "parentSpanId": span.parent_id or None,
        "name": span.name,
        "kind": span.kind.value,
        "startMs": round((span.started_ns - began_ns) / 1e6, 3),
        "durationMs": round(span.duration_ms, 3),
        "status": span.status.value,
        "attributes": dict(span.attributes),
    }
    shown |= {"error": span.error} if span.error else {}
    events = [{"name": item.name, "at": of_nanoseconds(item.at), "attributes": item.attributes} for item in span.events]
    return {**shown, **({"events": events} if events else {})}
