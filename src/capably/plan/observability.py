"""What is recorded of requests and where it goes, as a document says it."""

from dataclasses import dataclass, replace
from typing import Final

from capably.diagnostics import Diagnostic, error
from capably.document import Scalar
from capably.model.control import Observability as Stated
from capably.model.control import Traces
from capably.model.fields import Record
from capably.upstream.auth.block import Reveal

BUFFER: Final = (10, 10_000)
"""The least and the most traces that can be kept (the published schema)."""


@dataclass(frozen=True, slots=True)
class Observability:
    """What is recorded of requests, and where it goes.

    ``metrics`` and ``traces`` say whether the control server shows them; ``traces_kept`` is how many of the last traces
    are kept for it, ``sampling`` the part of requests that is traced, ``propagation`` the headers that carry traces
    (w3c or b3), ``otlp`` the URL of a collector, empty without one. When it is not ``enabled``, nothing is recorded.
    """

    enabled: bool = True
    metrics: bool = True
    traces: bool = True
    traces_kept: int = 100
    sampling: float = 1.0
    propagation: str = "w3c"
    otlp: str = ""


def compile_observability(stated: Stated | None, reveal: Reveal, found: list[Diagnostic]) -> Observability:
    """What holds when a document says this; values that cannot be used are told, and their defaults hold.

    Args:
        stated: the block of a control server.
        reveal: gives the values of templates.
        found: collects what is wrong.
    """
    if stated is None:
        return Observability()
    if stated.enabled is False:
        return Observability(enabled=False)
    local = stated.metrics.local if stated.metrics is not None else None
    otlp = stated.exporters.otlp if stated.exporters is not None else None
    plan = Observability(metrics=local is None or local.enabled is not False)
    if otlp is not None:
        plan = replace(plan, otlp=reveal(otlp.endpoint, otlp.value_span("endpoint")))
    return _with_traces(plan, stated.traces, found) if stated.traces is not None else plan


def _with_traces(plan: Observability, stated: Traces, found: list[Diagnostic]) -> Observability:
    local = stated.local
    if local is not None:
        kept = within(local, "buffer-size", local.buffer_size, BUFFER, found)
        plan = replace(plan, traces=local.enabled is not False, traces_kept=kept or plan.traces_kept)
    return replace(plan, sampling=_sampling(stated, found), propagation=stated.propagation or plan.propagation)


def _sampling(stated: Traces, found: list[Diagnostic]) -> float:
    node = stated.sampling
    if node is None:
        return 1.0
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    shown = node.text if isinstance(node, Scalar) else "this"
    found.append(error("DOC010", f"`sampling` cannot be {shown}", node.span, "write a number from 0 to 1"))
    return 1.0


def within(record: Record, key: str, value: int | None, limits: tuple[int, int], found: list[Diagnostic]) -> int | None:
    """The value of a key when it lies between the limits, both included; otherwise that is told."""
    least, most = limits
    if value is None or least <= value <= most:
        return value
    advice = f"write {least} to {most}"
    found.append(error("DOC010", f"`{key}` cannot be {value}", record.value_span(key), advice))
    return None
