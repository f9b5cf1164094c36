"""What a process records of its work, as its control server says it."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from capably.plan.operation import ServerPlan
from capably.plan.variables import Variable
from capably.telemetry import Propagation, Telemetry, TelemetrySettings
from capably.telemetry.redaction import Redactor


def telemetry_of(control: ServerPlan | None, variables: Iterable[Variable]) -> Telemetry | None:
    """What records, ``None`` where nobody looks or nothing shall be recorded.

    Args:
        control: the control server of the process.
        variables: those of its documents, whose secrets are told to nobody.
    """
    if control is None or control.control is None or not control.control.observability.enabled:
        return None
    said = control.control.observability
    settings = TelemetrySettings(
        shows_metrics=said.metrics,
        shows_traces=said.traces,
        buffer_size=said.traces_kept,
        sampling=said.sampling,
        propagation=Propagation(said.propagation),
        otlp_endpoint=said.otlp or None,
    )
    return Telemetry(settings, Redactor(variables))


@contextmanager
def keeping_logs(telemetry: Telemetry | None) -> Iterator[None]:
    """Keep what is logged while the context lasts."""
    if telemetry is None:
        yield
        return
    handler = telemetry.logs.handler()
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
