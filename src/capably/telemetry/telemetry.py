"""Everything that is recorded of a process, in one place with one owner: the composition root.

Whoever shows it reads ``traces``, ``metrics`` and ``logs``. Where nothing is recorded there is no such object.
"""

from typing import Final

from capably.telemetry.logs import Logs
from capably.telemetry.metrics import Metrics
from capably.telemetry.redaction import Redactor
from capably.telemetry.settings import TelemetrySettings
from capably.telemetry.traces import Traces

_LOGS_KEPT: Final = 1000


class Telemetry:
    """What was recorded.

    Args:
        settings: what to record; what most want, when left out.
        redactor: takes secrets out of everything that is shown or sent; a reload adds its own.
    """

    def __init__(self, settings: TelemetrySettings | None = None, redactor: Redactor | None = None) -> None:
        """Begin with nothing recorded."""
        self.settings = settings or TelemetrySettings()
        self.redactor = redactor or Redactor()
        hide = self.redactor.hide
        self.traces = Traces(self.settings.buffer_size, hide)
        self.metrics = Metrics()
        self.logs = Logs(_LOGS_KEPT, hide)
