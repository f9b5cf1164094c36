"""What telemetry is asked to do, as documents, the command line and the environment say together."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from capably.telemetry.otlp_target import OtlpTarget
from capably.telemetry.redaction import shown_url

BUFFER_SIZE: Final = 100
"""How many traces are kept unless ``observability.traces.local.buffer-size`` says otherwise."""


class Propagation(StrEnum):
    """How the trace of a request is told in headers: ``observability.traces.propagation``.

    ``B3`` sends ``X-B3-*``, ``B3_SINGLE`` the one header ``b3``; both read either.
    """

    W3C = "w3c"
    B3 = "b3"
    B3_SINGLE = "b3-single"


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What is recorded, kept and sent.

    ``enabled`` is ``observability.enabled``: without it nothing is recorded, whatever else is said; requests may still
    be logged. ``shows_metrics`` and ``shows_traces`` say whether a control server answers ``/metrics`` and ``/traces``
    (``metrics.local.enabled`` and ``traces.local.enabled``; without the latter no trace is kept). ``buffer_size`` is
    how many traces are kept, ``sampling`` the share of traces that are recorded (0 to 1) where callers do not say;
    unless it ``follows_callers``, what they say does not count. ``otlp`` says where records are sent, ``None`` is
    nowhere. ``access_log`` writes a line for each request.
    """

    enabled: bool = True
    shows_metrics: bool = True
    shows_traces: bool = True
    buffer_size: int = BUFFER_SIZE
    sampling: float = 1.0
    follows_callers: bool = True
    propagation: Propagation = Propagation.W3C
    otlp: OtlpTarget | None = None
    access_log: bool = False

    @property
    def otlp_endpoint(self) -> str | None:
        """The collector's address, for showing."""
        return shown_url(self.otlp.endpoint) if self.otlp is not None else None
