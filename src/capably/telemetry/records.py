"""What was recorded of a request, as frozen records: spans, their events, and the traces they make up.

Names and kinds are those of OpenTelemetry (Tracing API, 1.x): times are Unix nanoseconds, ids lower-case hexadecimal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool
"""The value of an attribute."""

Attributes: TypeAlias = Mapping[str, Value]


class SpanKind(StrEnum):
    """Which side of a call a span stands for."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    INTERNAL = "INTERNAL"


class Status(StrEnum):
    """How a span ended; ``UNSET`` counts as well."""

    UNSET = "UNSET"
    OK = "OK"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a span, such as an exception; ``at`` is in Unix nanoseconds."""

    name: str
    at: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work that has ended.

    ``parent_id`` is empty for a span without a parent; with ``is_entry`` the span is where a request entered this
    process, and its parent, if it has one, is somebody else's. ``error`` says why the status is ``ERROR``.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: SpanKind
    started_ns: int
    duration_ns: int
    status: Status = Status.UNSET
    error: str = ""
    attributes: Attributes = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    is_entry: bool = False
    trace_state: str = ""

    @property
    def duration_ms(self) -> float:
        """How long it took, in milliseconds."""
        return self.duration_ns / 1e6


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one trace that this process recorded.

    ``operation`` is the id of the operation that was asked for, such as ``/ships/{imo} GET`` or
    ``tools/call list-ships`` (of several requests in one trace, that of the first). ``kind`` is the kind of the server
    that was asked (``rest``, ``mcp``, ``skill``). ``status`` is ``OK`` or ``ERROR``. ``spans`` are sorted by their
    beginning; ``left_out`` counts those beyond the cap.
    """

    trace_id: str
    operation: str
    kind: str
    status: Status
    started_ns: int
    duration_ns: int
    span_count: int
    spans: tuple[Span, ...] = ()
    left_out: int = 0

    @property
    def duration_ms(self) -> float:
        """From the first beginning to the last end of a request, in milliseconds."""
        return self.duration_ns / 1e6

    def matches(self, operation: str, status: Status | None) -> bool:
        """Whether its operation holds a text, in any case, and it ended so; ``UNSET`` and ``OK`` mean the same."""
        is_error = self.status is Status.ERROR
        return operation.lower() in self.operation.lower() and (status is None or (status is Status.ERROR) == is_error)
