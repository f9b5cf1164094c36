"""Metrics as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0 with exemplars.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics specification 1.0.0. A metric
has the same name in both: a counter whose published name does not end in ``total`` is of unknown type in OpenMetrics,
where a counter's name has to.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import inf, isinf, isnan
from typing import Final

from capably.telemetry.metrics import Distribution, Exemplar, Family, Series, Type

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_TOTAL: Final = "_total"
_VERSIONS: Final = frozenset({"0.0.1", "1.0.0", ""})


def exposition(families: Iterable[Family], accept: str = "") -> tuple[str, bytes]:
    """Metrics in the format that a scraper wants most.

    Args:
        families: what was collected.
        accept: the ``Accept`` header of the request; without one the text format is meant.

    Returns:
        The ``Content-Type`` and the body.
    """
    if _wants_open_metrics(accept):
        return OPEN_METRICS, open_metrics(families)
    return TEXT, text(families)


def text(families: Iterable[Family]) -> bytes:
    """Metrics in the text format."""
    lines: list[str] = []
    for family in families:
        if family.series:
            name = family.prometheus
            lines += (f"# HELP {name} {_escaped(family.help)}", f"# TYPE {name} {family.type.value}")
            for series in family.series:
                lines += _samples(family, name, series, with_exemplars=False)
    return ("\n".join(lines) + "\n").encode() if lines else b""


def open_metrics(families: Iterable[Family]) -> bytes:
    """Metrics as OpenMetrics."""
    lines: list[str] = []
    for family in families:
        if family.series:
            name, kind = family.prometheus, family.type.value
            if family.type is Type.COUNTER:
                kind = kind if name.endswith(_TOTAL) else "unknown"
                name = name.removesuffix(_TOTAL)
            lines.append(f"# TYPE {name} {kind}")
            lines.append(f"# HELP {name} {_escaped(family.help, quotes=True)}")
            for series in family.series:
                lines += _samples(family, family.prometheus, series, with_exemplars=True)
    return "\n".join([*lines, "# EOF", ""]).encode()


def _samples(family: Family, name: str, series: Series, *, with_exemplars: bool) -> Iterator[str]:
    value = series.value
    if not isinstance(value, Distribution):
        yield f"{name}{_labels(series.labels)} {_number(value)}"
        return
    count = 0
    for bound, here, exemplar in zip((*family.bounds, inf), value.counts, value.exemplars, strict=True):
        count += here
        tail = _exemplar(exemplar) if with_exemplars and exemplar is not None else ""
        yield f"{name}_bucket{_labels({**series.labels, 'le': _number(float(bound))})} {count}{tail}"
    yield f"{name}_sum{_labels(series.labels)} {_number(value.total)}"
    yield f"{name}_count{_labels(series.labels)} {count}"


def _exemplar(exemplar: Exemplar) -> str:
    labels = _labels({"trace_id": exemplar.trace_id, "span_id": exemplar.span_id})
    return f" # {labels} {_number(exemplar.value)} {exemplar.at / 1e9:.3f}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (
        f'{name.replace(".", "_").replace("-", "_")}="{_escaped(value, quotes=True)}"' for name, value in labels.items()
    )
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str, *, quotes: bool = False) -> str:
    value = value.replace("\\", r"\\").replace("\n", r"\n")
    return value.replace('"', r"\"") if quotes else value


def _number(value: float) -> str:
    if isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if isnan(value) else repr(value)


def _wants_open_metrics(accept: str) -> bool:
    """Whether OpenMetrics is liked at least as much as text (RFC 9110, section 12.5.1)."""
    liked = {"open": 0.0, "text": 0.0}
    for item in accept.lower().split(","):
        media, *rest = (part.strip() for part in item.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        if media == "application/openmetrics-text" and parameters.get("version", "").strip('"') in _VERSIONS:
            liked["open"] = max(liked["open"], _quality(parameters))
        elif media in {"text/plain", "text/*", "*/*"}:
            liked["text"] = max(liked["text"], _quality(parameters))
    return liked["open"] > 0 and liked["open"] >= liked["text"]


def _quality(parameters: Mapping[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
