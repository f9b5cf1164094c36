"""Everything that is recorded of a process, in one place with one owner: the service.

Whoever shows it reads ``traces``, ``metrics`` and ``logs``. Where nothing is recorded there is no such object.
"""

import asyncio
import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from capably.plan.caller import Invoke
from capably.plan.operation import ServerPlan
from capably.plan.variables import Variable
from capably.telemetry.access import AccessLog
from capably.telemetry.entry import Application, RecordedApp, RecordedMessages, recording_tools
from capably.telemetry.logs import Logs
from capably.telemetry.metrics import Metrics
from capably.telemetry.otlp import Exporting
from capably.telemetry.process import LoopLag, observe_process
from capably.telemetry.recorder import Recorder
from capably.telemetry.redaction import Redactor
from capably.telemetry.settings import TelemetrySettings
from capably.telemetry.traces import Traces

_LOGS_KEPT: Final = 1000


class Telemetry:
    """What is recorded, and who records it: an async context manager, for log records are heard while it lasts.

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
        self.recorder = Recorder(self.settings, self.traces, self.metrics)
        self.calls = self.recorder if self.settings.enabled else None  # who records what the runtime does
        self._access = AccessLog() if self.settings.access_log else None
        self._handler = self.logs.handler()
        self._lag = LoopLag(self.metrics)
        observe_process(self.metrics)
        otlp = self.settings.otlp
        self._exporting = Exporting(otlp, self.metrics, hide) if otlp is not None else None

    async def __aenter__(self) -> Self:
        """Hear what is logged, and begin to send, if anything is sent."""
        logging.getLogger().addHandler(self._handler)
        self._lag.start()
        if self._exporting is not None:
            self.recorder.sink, self.logs.sink = self._exporting.put_span, self._exporting.put_log
            self._exporting.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hear no more; what is still to be sent is sent."""
        self._lag.stop()
        if self._exporting is not None:
            await asyncio.to_thread(self._exporting.stop)
        logging.getLogger().removeHandler(self._handler)

    def begins_to_serve(self, capability: str, variables: Iterable[Variable]) -> None:
        """A capability is served from now on; the secrets among its variables are told to nobody."""
        self.redactor.add(variables)
        self.recorder.serves(capability, 1)

    def ends_to_serve(self, capability: str) -> None:
        """A capability is served no longer."""
        self.recorder.serves(capability, -1)

    def around(self, app: Application, server: ServerPlan, capability: str) -> Application:
        """A server whose requests are recorded; ``capability`` is the title of its document."""
        return RecordedApp(app, self.recorder, server, capability, self._access)

    def around_messages(self, server: ServerPlan, capability: str) -> RecordedMessages:
        """Records the messages of an MCP server over stdio."""
        return RecordedMessages(self.recorder, server, capability)

    def around_tools(self, invoke: Invoke) -> Invoke:
        """Runs operations of an MCP server, each in a span of its own."""
        return recording_tools(self.recorder, invoke)
