"""The traces of late, for whoever looks: a ring of requests that have ended, grouped by trace id."""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain
from typing import Final

from capably.telemetry.recording import Recording, Tree
from capably.telemetry.records import Status, Trace
from capably.telemetry.redaction import Hide

_MOST_REQUESTS: Final = 100
"""How many requests of one trace are kept, the newest."""


class Traces:
    """A ring of the newest traces.

    Args:
        capacity: how many traces are kept, at least 1.
        hide: takes secrets out of what is shown.
    """

    def __init__(self, capacity: int, hide: Hide) -> None:
        """Begin with none."""
        self.capacity = max(1, capacity)
        self.hide = hide
        self._kept: OrderedDict[int, list[tuple[Tree, Recording]]] = OrderedDict()

    def __len__(self) -> int:
        """How many traces are kept at present."""
        return len(self._kept)

    def keep(self, entry: Recording) -> None:
        """Keep a request that has ended; ``entry`` is the span it entered with."""
        tree = entry.tree
        requests = self._kept.get(tree.trace_id)
        if requests is None:
            self._kept[tree.trace_id] = [(tree, entry)]
            if len(self._kept) > self.capacity:
                for request in self._kept.popitem(last=False)[1]:
                    _forget(*request)
            return
        self._kept.move_to_end(tree.trace_id)
        requests.append((tree, entry))
        if len(requests) > _MOST_REQUESTS:
            _forget(*requests.pop(0))

    def recent(self) -> Iterator[Trace]:
        """The traces, newest first, without their spans."""
        for requests in reversed(list(self._kept.values())):
            yield self._trace(requests, with_spans=False)

    def find(self, trace_id: str) -> Trace | None:
        """The trace with an id (32 hexadecimal digits), with its spans."""
        try:
            requests = self._kept.get(int(trace_id, 16))
        except ValueError:
            return None
        return None if requests is None else self._trace(requests, with_spans=True)

    def _trace(self, requests: list[tuple[Tree, Recording]], *, with_spans: bool) -> Trace:
        trees = [tree for tree, _entry in requests]
        entries = [entry for _tree, entry in requests]
        first = min(entries, key=lambda entry: entry.began + entry.tree.offset)
        began = first.began + first.tree.offset
        ended = max(entry.ended + entry.tree.offset for entry in entries)
        recordings = chain.from_iterable(tree.recordings for tree in trees) if with_spans else ()
        spans = sorted((item.frozen(self.hide) for item in recordings), key=lambda span: span.started_ns)
        return Trace(
            trace_id=first.trace_id,
            operation=self.hide(first.tree.operation or first.name),
            kind=first.tree.kind,
            status=Status.ERROR if any(entry.error for entry in entries) else Status.OK,
            started_ns=began,
            duration_ns=ended - began,
            span_count=sum(len(tree.recordings) for tree in trees),
            spans=tuple(spans),
            left_out=sum(tree.left_out for tree in trees),
        )


def _forget(tree: Tree, _entry: Recording) -> None:
    """Let go of spans at once: they know their tree, and would wait for the garbage collector."""
    tree.recordings.clear()
