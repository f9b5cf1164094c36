"""Whether a process records anything: what its control server, the command line and the environment say together."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from capably.examine import Examined
from capably.plan.observability import Observability
from capably.plan.operation import ServerPlan
from capably.settings import Settings
from capably.telemetry.otlp_target import target_of
from capably.telemetry.settings import Propagation, TelemetrySettings
from capably.telemetry.telemetry import Telemetry


def telemetry_of(control: ServerPlan | None, examined: Sequence[Examined], settings: Settings) -> Telemetry | None:
    """What records a process; ``None`` when nobody would see it.

    Args:
        control: the control server of the process.
        examined: the documents it serves.
        settings: how it was started.
    """
    stated = control.control.observability if control is not None and control.control is not None else None
    found = telemetry_settings(stated, settings.given.environ, title_of(examined[0]), access_log=settings.access_log)
    return Telemetry(found, settings.redactor) if found is not None else None


def title_of(document: Examined) -> str:
    """The title of the capability in a document."""
    return document.compiled.plan.title if document.compiled is not None else document.file


def telemetry_settings(
    stated: Observability | None, environ: Mapping[str, str], title: str, *, access_log: bool = False
) -> TelemetrySettings | None:
    """What is recorded; ``None`` is nothing.

    Args:
        stated: ``observability`` of the control server; ``None`` when there is no such server.
        environ: the environment; its ``OTEL_*`` variables hold where a document is silent.
        title: the title of the capability, which names the service.
        access_log: whether each request is logged.
    """
    is_off = _is_true(environ.get("OTEL_SDK_DISABLED", "")) or (stated is not None and not stated.enabled)
    otlp = None if is_off else target_of(stated.otlp if stated is not None else "", environ, f"ikanos-{title}")
    if is_off or (stated is None and otlp is None):
        silent = TelemetrySettings(enabled=False, shows_metrics=False, shows_traces=False, access_log=True)
        return silent if access_log else None
    plan = stated or Observability(metrics=False, traces=False)
    sampling, follows = _sampling(plan, environ)
    return TelemetrySettings(
        shows_metrics=plan.metrics,
        shows_traces=plan.traces,
        buffer_size=plan.traces_kept,
        sampling=sampling,
        follows_callers=follows,
        propagation=_propagation(plan, environ),
        otlp=otlp,
        access_log=access_log,
    )


_SAMPLERS: Final[Mapping[str, tuple[float | None, bool]]] = MappingProxyType(
    {
        "always_on": (1.0, False),
        "always_off": (0.0, False),
        "traceidratio": (None, False),
        "parentbased_always_on": (1.0, True),
        "parentbased_always_off": (0.0, True),
        "parentbased_traceidratio": (None, True),
    }
)
"""``OTEL_TRACES_SAMPLER``: the share of traces, and whether callers count; ``OTEL_TRACES_SAMPLER_ARG`` fills a gap."""

_PROPAGATORS: Final = MappingProxyType(
    {"tracecontext": Propagation.W3C, "b3": Propagation.B3_SINGLE, "b3multi": Propagation.B3}
)
"""``OTEL_PROPAGATORS``: the first one that is known here."""


def _sampling(plan: Observability, environ: Mapping[str, str]) -> tuple[float, bool]:
    """The share of traces, and whether what callers say counts; a variable that cannot be read counts as none."""
    named = _SAMPLERS.get(environ.get("OTEL_TRACES_SAMPLER", "").strip().lower())
    if named is None or plan.sampling != Observability().sampling:
        return plan.sampling, True
    share, follows = named
    if share is None:
        try:
            share = float(environ.get("OTEL_TRACES_SAMPLER_ARG", "1"))
        except ValueError:
            share = 1.0
    return (share if 0 <= share <= 1 else 1.0), follows


def _propagation(plan: Observability, environ: Mapping[str, str]) -> Propagation:
    stated = Propagation(plan.propagation)
    if stated is not Propagation.W3C:
        return stated
    names = (name.strip().lower() for name in environ.get("OTEL_PROPAGATORS", "").split(","))
    return next((_PROPAGATORS[name] for name in names if name in _PROPAGATORS), stated)


def _is_true(text: str) -> bool:
    return text.strip().lower() == "true"  # OpenTelemetry: Environment Variable Specification, Boolean
