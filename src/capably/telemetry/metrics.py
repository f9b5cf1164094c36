"""Numbers that are counted while the process runs: counters, gauges and histograms, each by its labels.

Everything is counted on the event loop's thread, so nothing is locked. :meth:`Metrics.collect` gives frozen records,
from which Prometheus texts and OTLP messages are made, in any thread.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from time import time_ns
from typing import Final, TypeAlias

Labels: TypeAlias = tuple[str, ...]
"""Values of labels in the order of the instrument's names; an empty one is left out where metrics are shown."""

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of buckets for durations in seconds, from a millisecond to a minute."""

MOST_SERIES: Final = 1000
"""How many combinations of labels an instrument counts apart; what comes later is counted together."""

OVERFLOW: Final = "otel.metric.overflow"
"""The label of what is counted together (OpenTelemetry metrics SDK: cardinality limits)."""


class Type(StrEnum):
    """What a metric is; the words are Prometheus' own."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One measured value of a bucket with the span it was measured in; ``at`` is in Unix nanoseconds."""

    value: float
    trace_id: str
    span_id: str
    at: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram's numbers: ``counts`` by bucket, one more than there are bounds (the last one is above all of them).

    ``exemplars`` holds the newest of each bucket, where there is one.
    """

    counts: tuple[int, ...]
    total: float
    exemplars: tuple[Exemplar | None, ...]

    @property
    def count(self) -> int:
        """How many values were measured."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Series:
    """A metric under one combination of labels: a number, or a distribution for a histogram."""

    labels: Mapping[str, str]
    value: float | Distribution


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with all its series. ``name`` is the published one, such as ``ikanos.request.total``.

    ``prometheus`` is its name in Prometheus texts, ``unit`` a UCUM code (``s``, ``By``) or empty, ``bounds`` the upper
    bounds of a histogram's buckets. A gauge that ``adds_up`` is a sum that goes up and down.
    """

    name: str
    prometheus: str
    type: Type
    help: str
    unit: str
    series: tuple[Series, ...]
    bounds: tuple[float, ...] = ()
    adds_up: bool = False


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a metric is called and means; ``labels`` are the names of its labels."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    shown_as: str = ""

    @property
    def prometheus(self) -> str:
        """Its name in Prometheus texts."""
        return self.shown_as or self.name.replace(".", "_").replace("-", "_")

    def named(self, values: Labels) -> dict[str, str]:
        """Labels by name, without empty ones."""
        if not values and self.labels:
            return {OVERFLOW: "true"}
        return {name: value for name, value in zip(self.labels, values, strict=True) if value}


class Count:
    """A number by labels that is added to; a counter only goes up, a gauge also down."""

    def __init__(self, instrument: Instrument) -> None:
        """Begin with no series."""
        self.instrument = instrument
        self._values: dict[Labels, float] = {}

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Add to the series of these labels."""
        values = self._values
        if labels in values:
            values[labels] += amount
        elif len(values) < MOST_SERIES:
            values[labels] = amount
        else:
            values[()] = values.get((), 0) + amount

    def value(self, labels: Labels = ()) -> float:
        """The present number."""
        return self._values.get(labels, 0)

    def family(self) -> Family:
        """What was counted."""
        it = self.instrument
        series = tuple(Series(it.named(labels), value) for labels, value in list(self._values.items()))
        return Family(it.name, it.prometheus, it.type, it.help, it.unit, series, adds_up=True)


class _Buckets:
    __slots__ = ("counts", "exemplars", "total")

    def __init__(self, size: int) -> None:
        self.counts = [0] * size
        self.total = 0.0
        self.exemplars: list[tuple[float, int, int, int] | None] = [None] * size


class Histogram:
    """Values by labels, counted in buckets. A bucket holds values up to its bound, that one included."""

    def __init__(self, instrument: Instrument, bounds: tuple[float, ...] = SECONDS) -> None:
        """Begin with no series."""
        self.instrument = instrument
        self.bounds = bounds
        self._series: dict[Labels, _Buckets] = {}

    def record(self, labels: Labels, value: float, trace_id: int = 0, span_id: int = 0) -> None:
        """Count a value; with a trace it becomes the exemplar of its bucket."""
        buckets = self._series.get(labels)
        if buckets is None:
            buckets = self._begun(labels)
        at = bisect_left(self.bounds, value)
        buckets.counts[at] += 1
        buckets.total += value
        if trace_id:
            buckets.exemplars[at] = (value, trace_id, span_id, time_ns())

    def _begun(self, labels: Labels) -> _Buckets:
        if len(self._series) >= MOST_SERIES:
            labels = ()
        return self._series.setdefault(labels, _Buckets(len(self.bounds) + 1))

    def family(self) -> Family:
        """What was measured."""
        it = self.instrument
        series = tuple(Series(it.named(labels), _distribution(found)) for labels, found in list(self._series.items()))
        return Family(it.name, it.prometheus, it.type, it.help, it.unit, series, self.bounds)


def _distribution(buckets: _Buckets) -> Distribution:
    exemplars = tuple(
        None if each is None else Exemplar(each[0], f"{each[1]:032x}", f"{each[2]:016x}", each[3])
        for each in buckets.exemplars
    )
    return Distribution(tuple(buckets.counts), buckets.total, exemplars)


class Observed:
    """A number that is read when metrics are collected; ``None`` when it cannot be."""

    def __init__(self, instrument: Instrument, read: Callable[[], float | None]) -> None:
        """Know how to read it."""
        self.instrument = instrument
        self._read = read

    def family(self) -> Family:
        """What is read now."""
        it, value = self.instrument, self._read()
        series = () if value is None else (Series({}, value),)
        return Family(it.name, it.prometheus, it.type, it.help, it.unit, series, adds_up=it.type is Type.COUNTER)


class Counted:
    """A counter of how many values a histogram with the same labels has measured: what is measured is counted once."""

    def __init__(self, instrument: Instrument, histogram: Histogram) -> None:
        """Know the histogram."""
        self.instrument = instrument
        self._histogram = histogram

    def family(self) -> Family:
        """What was counted."""
        it, measured = self.instrument, self._histogram.family()
        values = [(each.labels, each.value) for each in measured.series]
        series = tuple(Series(labels, value.count) for labels, value in values if isinstance(value, Distribution))
        return Family(it.name, it.prometheus, it.type, it.help, it.unit, series, adds_up=True)


Metric: TypeAlias = Count | Counted | Histogram | Observed


class Metrics:
    """The registry: metrics in the order they were added."""

    def __init__(self) -> None:
        """Begin with none."""
        self._metrics: list[Metric] = []

    def count(self, instrument: Instrument) -> Count:
        """A new counter or up-down counter."""
        metric = Count(instrument)
        self._metrics.append(metric)
        return metric

    def histogram(self, instrument: Instrument, bounds: tuple[float, ...] = SECONDS) -> Histogram:
        """A new histogram."""
        metric = Histogram(instrument, bounds)
        self._metrics.append(metric)
        return metric

    def count_of(self, histogram: Histogram, instrument: Instrument) -> None:
        """Add a counter of what a histogram with the same labels measures."""
        self._metrics.append(Counted(instrument, histogram))

    def observe(self, instrument: Instrument, read: Callable[[], float | None]) -> None:
        """Add a number that is read when it is wanted."""
        self._metrics.append(Observed(instrument, read))

    def collect(self) -> tuple[Family, ...]:
        """Everything as it is now."""
        return tuple(metric.family() for metric in self._metrics)
