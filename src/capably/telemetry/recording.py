"""A span while it is recorded: mutable and light. It becomes a :class:`~.records.Span` when somebody looks at it.

Spans of one request share a :class:`Tree`, which keeps those that have ended; nothing else knows of a request that is
under way, so one that never ends is forgotten with its task.
"""

from collections.abc import Callable
from random import getrandbits
from time import perf_counter_ns, time_ns
from typing import Final, TypeAlias

from capably.telemetry.records import Event, Span, SpanKind, Status, Value
from capably.telemetry.redaction import Hide, shown_url

MOST_SPANS: Final = 1000
"""How many spans of one request are kept, beside the one it entered with."""

MOST_EVENTS: Final = 32
"""How many events of one span are kept."""


class Tree:
    """What the spans of one request have in common.

    ``trace_id`` is the number of the trace, ``remote`` that of the caller's span (0: there is none), ``offset`` what
    has to be added to the monotonic clock for Unix nanoseconds. Without ``is_sampled`` nothing is kept. ``operation``,
    ``subject`` (who called) and ``failure`` (why it failed, although its answer does not tell) are told while the
    request is worked on. ``sink`` is given every span that has ended.
    """

    __slots__ = (
        *("failure", "has_children", "is_sampled", "kind", "left_out", "offset", "operation", "recordings", "remote"),
        *("sink", "state", "subject", "trace_id"),
    )

    def __init__(
        self, trace_id: int, remote: int, state: str, kind: str, *, is_sampled: bool, sink: "Sink | None" = None
    ) -> None:
        """Begin with no spans."""
        self.trace_id = trace_id
        self.remote = remote
        self.state = state
        self.kind = kind
        self.is_sampled = is_sampled
        self.sink = sink
        self.operation = ""
        self.subject = ""
        self.failure = ""
        self.has_children = False
        self.offset = time_ns() - perf_counter_ns()
        self.recordings: list[Recording] = []
        self.left_out = 0


class Recording:
    """A span that may still be under way.

    ``began`` and ``ended`` are nanoseconds of the monotonic clock; ``ended`` is 0 until it has. ``error`` is empty
    unless it failed.
    """

    __slots__ = ("attributes", "began", "ended", "error", "events", "kind", "name", "parent", "span_id", "tree")

    def __init__(self, tree: Tree, parent: int, name: str, kind: SpanKind, attributes: dict[str, Value]) -> None:
        """Begin now; ``parent`` is the number of the parent span, 0 when there is none."""
        self.tree = tree
        self.parent = parent
        self.span_id = getrandbits(64) or 1
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.events: list[tuple[str, int, dict[str, Value]]] | None = None
        self.error = ""
        self.ended = 0
        self.began = perf_counter_ns()

    def child(self, name: str, kind: SpanKind, attributes: dict[str, Value]) -> "Recording":
        """A span of the same request, below this one."""
        self.tree.has_children = True
        return Recording(self.tree, self.span_id, name, kind, attributes)

    def add_event(self, name: str, attributes: dict[str, Value]) -> None:
        """Keep that something happened now."""
        if self.events is None:
            self.events = []
        if len(self.events) < MOST_EVENTS:
            self.events.append((name, perf_counter_ns(), attributes))

    def add_exception(self, problem: BaseException) -> None:
        """Keep an exception as an event (OpenTelemetry semantic conventions: exceptions in spans)."""
        kind = type(problem)
        self.add_event(
            "exception", {"exception.type": f"{kind.__module__}.{kind.__qualname__}", _MESSAGE: str(problem)}
        )

    def end(self) -> None:
        """It has ended now; a second time means nothing."""
        if self.ended:
            return
        self.ended = perf_counter_ns()
        tree = self.tree
        if not tree.is_sampled:
            return
        if len(tree.recordings) < MOST_SPANS or self.parent == tree.remote:
            tree.recordings.append(self)
        else:
            tree.left_out += 1
        if tree.sink is not None:
            tree.sink(self)

    @property
    def trace_id(self) -> str:
        """The id of its trace, as it is written."""
        return f"{self.tree.trace_id:032x}"

    def frozen(self, hide: Hide) -> Span:
        """What there is to see of it, without secrets."""
        tree = self.tree
        events = tuple(
            Event(name, at + tree.offset, _shown(attributes, hide)) for name, at, attributes in self.events or ()
        )
        return Span(
            trace_id=self.trace_id,
            span_id=f"{self.span_id:016x}",
            parent_id=f"{self.parent:016x}" if self.parent else "",
            name=self.name,
            kind=self.kind,
            started_ns=self.began + tree.offset,
            duration_ns=(self.ended or perf_counter_ns()) - self.began,
            status=Status.ERROR if self.error else Status.UNSET,
            error=hide(self.error),
            attributes=_shown(self.attributes, hide),
            events=events,
            is_entry=self.parent == tree.remote,
            trace_state=tree.state,
        )


Sink: TypeAlias = Callable[[Recording], None]
_MESSAGE: Final = "exception.message"
_URL: Final = "url.full"


def _shown(attributes: dict[str, Value], hide: Hide) -> dict[str, Value]:
    shown = {name: hide(value) if isinstance(value, str) else value for name, value in attributes.items()}
    if isinstance(url := shown.get(_URL), str):
        shown[_URL] = shown_url(url)
    return shown
