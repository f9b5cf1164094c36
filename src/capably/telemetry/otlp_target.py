"""Where records are sent, as the document and the ``OTEL_*`` variables say together.

Source: OpenTelemetry, OTLP Exporter Configuration and Environment Variable Specification.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

TRACES, METRICS, LOGS = "traces", "metrics", "logs"
SIGNALS: Final = (TRACES, METRICS, LOGS)

_GRPC, _HTTP = 4317, 4318
"""The ports of a collector (OpenTelemetry: OTLP default ports)."""


@dataclass(frozen=True, slots=True)
class OtlpTarget:
    """Where records go, and how often.

    ``urls`` by signal (``traces``, ``metrics``, ``logs``); one that is missing is not sent. Spans and logs are sent
    every ``delay_s`` or when ``batch`` have come, metrics every ``interval_s``; what comes while ``queue`` wait is
    dropped. ``service`` names this process, unless the environment does. ``endpoint`` is the base URL, for showing.
    """

    urls: Mapping[str, str]
    service: str = "capably"
    delay_s: float = 5.0
    interval_s: float = 60.0
    batch: int = 512
    queue: int = 2048
    endpoint: str = ""


def target_of(stated: str, environ: Mapping[str, str], service: str) -> OtlpTarget | None:
    """Where records go; ``None`` is nowhere.

    Args:
        stated: the base URL that the document states, or nothing; it wins over the environment.
        environ: the environment.
        service: what the process is called unless the environment names it.
    """
    base = stated or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    urls = {signal: url for signal in SIGNALS if (url := _url(signal, stated, base, environ))}
    if not urls:
        return None
    return OtlpTarget(
        urls=urls,
        service=service,
        delay_s=_number(environ, "OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
        interval_s=_number(environ, "OTEL_METRIC_EXPORT_INTERVAL", 60_000) / 1000,
        batch=_number(environ, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
        queue=_number(environ, "OTEL_BSP_MAX_QUEUE_SIZE", 2048),
        endpoint=base or next(iter(urls.values())),
    )


def _url(signal: str, stated: str, base: str, environ: Mapping[str, str]) -> str:
    name = signal.upper()
    if environ.get(f"OTEL_{name}_EXPORTER", "").strip().lower() == "none":
        return ""
    own = environ.get(f"OTEL_EXPORTER_OTLP_{name}_ENDPOINT", "").strip()
    if own and not stated:
        return own
    return f"{_over_http(base, environ)}/v1/{signal}" if base else ""


def _over_http(base: str, environ: Mapping[str, str]) -> str:
    """The base URL for OTLP over HTTP, which is all that is spoken here: a collector has a port of its own for it."""
    base = (base if "://" in base else f"http://{base}").rstrip("/")
    if environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip().startswith("http/"):
        return base
    try:
        port = urlsplit(base).port
    except ValueError:
        return base
    return base.replace(f":{_GRPC}", f":{_HTTP}", 1) if port == _GRPC else base


def _number(environ: Mapping[str, str], name: str, usual: int) -> int:
    """A whole number above 0; what is none counts as not given."""
    text = environ.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else usual
