"""Sends what was recorded to an OpenTelemetry collector (OTLP over HTTP), from a thread of its own.

The exporters of the OpenTelemetry SDK do it (extra ``otel``): they try again, time out, and read the variables
``OTEL_EXPORTER_OTLP_*`` for headers, certificates and compression. A collector that cannot be reached is told once;
what cannot be sent is dropped, and nothing waits for it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from capably.telemetry.logs import LogRecord
from capably.telemetry.metrics import Metrics
from capably.telemetry.otlp_target import LOGS, METRICS, TRACES, OtlpTarget
from capably.telemetry.recording import Recording
from capably.telemetry.redaction import Hide, shown_url

_log = logging.getLogger("capably.telemetry")

FLUSH_S: Final = 5.0
"""How long the end of the process waits for what is still to be sent."""


class Exporting:
    """Sends records until it is stopped.

    Args:
        target: where to.
        metrics: what is sent of them is what they are at that moment.
        hide: takes secrets out of spans.
    """

    def __init__(self, target: OtlpTarget, metrics: Metrics, hide: Hide) -> None:
        """Begin with nothing to send."""
        self._target = target
        self._metrics = metrics
        self._hide = hide
        self._since = time.time_ns()
        self._spans: deque[Recording] = deque()
        self._logs: deque[LogRecord] = deque()
        self._wake = threading.Event()
        self._is_stopping = False
        self._is_failing = False
        self._exporters: list[Any] = []
        self._thread = threading.Thread(target=self._run, name="capably-otlp", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is left, for a few seconds at most; to a collector that is down, nothing."""
        self._is_stopping = True
        self._wake.set()
        if not self._is_failing:
            self._thread.join(FLUSH_S)
        for exporter in self._exporters:
            exporter.shutdown()  # ends what is tried again
        self._thread.join(1)

    def put_span(self, span: Recording) -> None:
        """Send a span that has ended."""
        self._put(self._spans, span)

    def put_log(self, record: LogRecord) -> None:
        """Send a log record. May be called in any thread."""
        self._put(self._logs, record)

    def _put(self, queue: "deque[Any]", item: Any) -> None:
        if len(queue) >= self._target.queue:
            return
        queue.append(item)
        if len(queue) == self._target.batch:
            self._wake.set()

    def _run(self) -> None:
        try:
            with _quiet_sdk():
                self._send_until_stopped()
        except ImportError as problem:
            told = "records are not sent to a collector: install `capably[otel]` (%s is missing)"
            _log.warning(told, problem.name)
        except Exception:  # noqa: BLE001 -- what is served goes on
            _log.exception("records are not sent any more")

    def _send_until_stopped(self) -> None:
        from capably.telemetry.otlp_exporters import Exporters  # noqa: PLC0415 -- the SDK takes a while to import

        exporters = Exporters(self._target, self._hide)
        self._exporters = exporters.opened
        ways: tuple[tuple[str, deque[Any], Callable[[list[Any]], bool]], ...] = (
            (TRACES, self._spans, exporters.spans),
            (LOGS, self._logs, exporters.logs),
        )
        due = time.monotonic() + self._target.interval_s
        tellers = {signal: _Teller(url) for signal, url in self._target.urls.items()}
        is_last = False
        while not is_last:
            self._wake.wait(self._target.delay_s)
            self._wake.clear()
            is_last = self._is_stopping
            for signal, queue, send in ways:
                while queue:
                    batch = [queue.popleft() for _ in range(min(len(queue), self._target.batch))]
                    if signal in tellers:
                        self._tell(tellers[signal], len(batch), is_sent=send(batch))
            if METRICS in tellers and (is_last or time.monotonic() >= due):
                due = time.monotonic() + self._target.interval_s
                is_sent = exporters.metrics(self._metrics.collect(), self._since)
                self._tell(tellers[METRICS], 0, is_sent=is_sent)

    def _tell(self, teller: "_Teller", count: int, *, is_sent: bool) -> None:
        self._is_failing = not is_sent
        teller.tell(count, is_sent=is_sent)


class _Teller:
    """Tells once that a collector takes nothing, and when it does again."""

    def __init__(self, url: str) -> None:
        self._url = shown_url(url)
        self._is_failing = False
        self._lost = 0

    def tell(self, count: int, *, is_sent: bool) -> None:
        if is_sent and self._is_failing:
            _log.warning("%s takes records again; %d were lost", self._url, self._lost)
            self._lost = 0
        elif not is_sent and not self._is_failing:
            _log.warning("%s takes no records: they are lost until it does", self._url)
        self._is_failing = not is_sent
        if not is_sent:
            self._lost += count


@contextmanager
def _quiet_sdk() -> Iterator[None]:
    """The SDK's own words about every attempt are not for an operator's log, least of all for what is sent."""
    logger = logging.getLogger("opentelemetry")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
