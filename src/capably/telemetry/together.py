"""What several workers recorded, as one: numbers beside each other, the parts of a trace united."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from capably.telemetry.logs import LogRecord
from capably.telemetry.metrics import Family, Series
from capably.telemetry.records import Status, Trace

WORKER: Final = "worker"
"""The label that says whose number it is."""


def families_of(told: Mapping[int, Sequence[Family]]) -> list[Family]:
    """Metrics by the number of the worker that counted them, as one list.

    Nothing is added up: a worker that is started again counts from zero, and whoever reads can tell that only of a
    series of its own (Prometheus, ``rate``).
    """
    found: dict[str, Family] = {}
    for number, families in told.items():
        for family in families:
            series = tuple(Series({**item.labels, WORKER: str(number)}, item.value) for item in family.series)
            before = found.get(family.name)
            found[family.name] = replace(family, series=(*(before.series if before is not None else ()), *series))
    return list(found.values())


def traces_of(told: Iterable[Iterable[Trace]]) -> list[Trace]:
    """The traces of several workers, the newest first; requests of one trace may have come to several."""
    parts = defaultdict(list)
    for trace in chain.from_iterable(told):
        parts[trace.trace_id].append(trace)
    found = (united(each) for each in parts.values())
    return sorted(found, key=lambda trace: trace.started_ns + trace.duration_ns, reverse=True)


def united(parts: Sequence[Trace]) -> Trace:
    """One trace of its parts, of which there is at least one."""
    first = min(parts, key=lambda part: part.started_ns)
    ended = max(part.started_ns + part.duration_ns for part in parts)
    return replace(
        first,
        status=Status.ERROR if any(part.status is Status.ERROR for part in parts) else Status.OK,
        duration_ns=ended - first.started_ns,
        span_count=sum(part.span_count for part in parts),
        spans=tuple(sorted(chain.from_iterable(part.spans for part in parts), key=lambda span: span.started_ns)),
        left_out=sum(part.left_out for part in parts),
    )


def logs_of(told: Mapping[int, Iterable[LogRecord]]) -> list[LogRecord]:
    """Log records by the number of the worker that logged them, as one list, the oldest first."""
    marked = (replace(record, worker=number) for number, records in told.items() for record in records)
    return sorted(marked, key=lambda record: record.at)
