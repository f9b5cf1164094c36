"""The control server: what an operator may see of a running process, and do with it."""

from dataclasses import dataclass

from capably.document import Node
from capably.model.exposes import Exposes
from capably.model.fields import OURS, Record, key
from capably.model.scripting import Scripting


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAccess(Record):
    """What may be done with logs: `management.logs`, when it is more than true or false."""

    level_control: bool | None = key("level-control", "Whether levels may be changed while it runs (true).")
    stream: bool | None = key("stream", "Whether `/logs/stream` follows the log (false).")
    max_subscribers: int | None = key("max-subscribers", "How many may follow it at a time, 1 to 20 (5).")


@dataclass(frozen=True, slots=True, kw_only=True)
class Management(Record):
    """What a control server shows and does: one key for each part of it."""

    health: bool | None = key("health", "`/health/live` and `/health/ready` (true).")
    info: bool | None = key("info", "`/status` (false).")
    reload: bool | None = key("reload", "`/config/reload` reads the documents again (false).")
    validate: bool | None = key("validate", "`/config/validate` tells what reading them again would do (false).")
    logs: Node | None = key("logs", "`/logs`: true, false, or what may be done with logs (false).")
    scripting: Scripting | None = key(
        "scripting", "`/scripting`, and what holds for scripts until it is changed there."
    )
    config: bool | None = key("config", "`/config`: the documents and settings, without secrets (false).", since=OURS)
    console: bool | None = key("console", "The web page at `/`, which can call every operation (false).", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMetrics(Record):
    """Metrics that are read from the control server."""

    enabled: bool | None = key("enabled", "Whether there is `/metrics` (true).")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics(Record):
    """Counts and durations of requests."""

    local: LocalMetrics | None = key("local", "Those read from the control server.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTraces(Record):
    """Traces that are read from the control server."""

    enabled: bool | None = key("enabled", "Whether there is `/traces` (true).")
    buffer_size: int | None = key("buffer-size", "How many of the last traces are kept, 10 to 10000 (100).")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces(Record):
    """What happened in single requests."""

    sampling: Node | None = key("sampling", "The part of requests that is traced, 0 to 1 (1).")
    propagation: str | None = key(
        "propagation", "The headers that carry traces: w3c or b3 (w3c).", one_of=("w3c", "b3")
    )
    local: LocalTraces | None = key("local", "Those read from the control server.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpExporter(Record):
    """An OpenTelemetry collector."""

    endpoint: str = key("endpoint", "Its URL.", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporters(Record):
    """Where telemetry is sent."""

    otlp: OtlpExporter | None = key("otlp", "An OpenTelemetry collector.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observability(Record):
    """What is recorded of requests, and where it goes."""

    enabled: bool | None = key("enabled", "Whether anything is recorded (true).")
    metrics: Metrics | None = key("metrics", "Counts and durations.")
    traces: Traces | None = key("traces", "What happened in single requests.")
    exporters: Exporters | None = key("exporters", "Where it is sent.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposesControl(Exposes):
    """The control server of the process; there is at most one."""

    management: Management | None = key("management", "What it shows and does.")
    observability: Observability | None = key("observability", "What is recorded of requests.")
