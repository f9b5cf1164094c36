"""Records requests and calls: begins spans, ends them, and counts.

Whoever records never fails for it: what is done here is plain arithmetic on values that were checked before.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from random import getrandbits
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from capably.plan.trace_context import TraceContext
from capably.telemetry import names
from capably.telemetry.current import current
from capably.telemetry.metrics import Histogram, Labels, Metrics
from capably.telemetry.propagation import NOBODY, Parent, parent_in, with_parent
from capably.telemetry.recording import Recording, Sink, Tree
from capably.telemetry.records import SpanKind, Value
from capably.telemetry.settings import TelemetrySettings
from capably.telemetry.traces import Traces
from capably.upstream.reply import Reply, UpstreamError
from capably.upstream.request import Request

Send: TypeAlias = Callable[[Request], Awaitable[Reply]]
"""Makes a call. Raises UpstreamError."""

_LOW: Final = 2**64 - 1
_SERVER_ERROR: Final = 500


class Recorder:
    """Records what a process does.

    Args:
        settings: what is recorded.
        traces: where requests are kept that have ended.
        metrics: where they are counted.
    """

    def __init__(self, settings: TelemetrySettings, traces: Traces, metrics: Metrics) -> None:
        """Begin to count."""
        self.propagation = settings.propagation
        self.sink: Sink | None = None
        self._traces = traces if settings.shows_traces else None
        self._bound = round(settings.sampling * 2**64)
        self._follows = settings.follows_callers
        self._request_seconds = metrics.histogram(names.REQUEST_SECONDS)
        metrics.count_of(self._request_seconds, names.REQUESTS)
        self._request_errors = metrics.count(names.REQUEST_ERRORS)
        self._step_seconds = metrics.histogram(names.STEP_SECONDS)
        self._call_seconds = metrics.histogram(names.CALL_SECONDS)
        metrics.count_of(self._call_seconds, names.CALLS)
        self._capabilities = metrics.count(names.CAPABILITIES)

    def serves(self, capability: str, change: int) -> None:
        """Count a capability that is served from now on (``change`` 1), or no longer (-1)."""
        self._capabilities.add((capability,), change)

    def entered(self, kind: str, attributes: dict[str, Value], parent: Parent = NOBODY) -> Recording:
        """A request begins: ``kind`` is that of the server it came to, ``parent`` the caller's span."""
        trace_id = parent.trace_id or getrandbits(128) or 1
        is_sampled = self._samples(trace_id, parent)
        tree = Tree(trace_id, parent.span_id, parent.state, kind, is_sampled=is_sampled, sink=self.sink)
        return Recording(tree, parent.span_id, f"{kind}.request", SpanKind.SERVER, attributes)

    def _samples(self, trace_id: int, parent: Parent) -> bool:
        """Whether a trace is recorded (OpenTelemetry SDK: ParentBased, TraceIdRatioBased)."""
        if parent.is_sampled is not None and self._follows:
            return parent.is_sampled
        return (trace_id & _LOW) < self._bound

    def joins(self, entry: Recording, trace: TraceContext) -> None:
        """Take a request for part of the trace that its message tells, unless something of it was recorded already."""
        tree = entry.tree
        if entry.kind is not SpanKind.SERVER or tree.has_children:
            return
        parent = parent_in(trace)
        if parent.trace_id and (parent.trace_id, parent.span_id) != (tree.trace_id, tree.remote):
            tree.trace_id, tree.remote, tree.state = parent.trace_id, parent.span_id, parent.state
            tree.is_sampled = self._samples(parent.trace_id, parent)
            entry.parent = parent.span_id

    def left(self, entry: Recording, status: int) -> None:
        """A request has ended, with an HTTP status, or 0 when it had none."""
        tree, attributes = entry.tree, entry.attributes
        operation = tree.operation = tree.operation or names.UNKNOWN
        attributes[names.OPERATION] = operation
        if status:
            attributes[names.STATUS_CODE] = status
        failure = tree.failure or (str(status) if status >= _SERVER_ERROR else "")
        if failure:
            entry.error = entry.error or failure
            attributes[names.ERROR_TYPE] = failure
        entry.end()
        if self._traces is not None and tree.is_sampled:
            self._traces.keep(entry)
        else:
            tree.recordings.clear()  # nobody looks at them here; what is sent has its spans
        labels = (tree.kind, str(attributes.get(names.NAMESPACE, "")), operation, "ERROR" if failure else "OK")
        self._measure(self._request_seconds, labels, entry)
        if failure:
            self._request_errors.add((*labels[:3], failure))

    async def call(self, namespace: str, request: Request, caller: TraceContext | None, send: Send) -> Reply:
        """Make a call to an upstream, as part of the request at hand.

        Args:
            namespace: the consumed API that is called, empty for another server.
            request: what to send; the upstream is told that this call is its parent, unless it says something else.
            caller: what the caller told of its trace; ``None`` when nothing of it is told to others.
            send: makes the call.

        Raises:
            UpstreamError: there is no answer.
        """
        method, host = names.method_of(request.method), _host_of(request.url.split("/", 3)[2])
        span = self._calling(method, host, namespace, request.url)
        status = failure = ""
        try:
            if caller is not None:
                request = with_parent(request, span, self.propagation, caller)
            reply = await send(request)
            status = str(reply.status)
            span.attributes[names.STATUS_CODE] = reply.status
            if reply.status >= _SERVER_ERROR:
                span.error = status
        except UpstreamError as problem:
            failure = span.error = problem.trouble.value
            span.add_event("exception", {"exception.type": "UpstreamError", "exception.message": problem.reason})
            raise
        except BaseException:  # the caller has left, or the flow has failed elsewhere
            failure = "cancelled"
            raise
        else:
            return reply
        finally:
            if failure:
                span.attributes[names.ERROR_TYPE] = failure
            span.end()
            self._measure(self._call_seconds, (method, host, status, failure), span)

    def _calling(self, method: str, host: str, namespace: str, url: str) -> Recording:
        attributes: dict[str, Value] = {names.METHOD: method, names.URL: url, names.SERVER_ADDRESS: host}
        if namespace:
            attributes[names.NAMESPACE] = namespace
        above = current.get()
        if above is not None:
            return above.child(f"http.client.{method}", SpanKind.CLIENT, attributes)
        trace_id = getrandbits(128) or 1  # nobody's request: a token or a key is fetched ahead
        tree = Tree(trace_id, 0, "", "", is_sampled=self._samples(trace_id, NOBODY), sink=self.sink)
        return Recording(tree, 0, f"http.client.{method}", SpanKind.CLIENT, attributes)

    def step_ended(self, span: Recording, kind: str, namespace: str) -> None:
        """A step of a flow has ended."""
        span.end()
        self._measure(self._step_seconds, (kind, namespace), span)

    def _measure(self, histogram: Histogram, labels: Labels, span: Recording) -> None:
        tree = span.tree
        trace_id = tree.trace_id if tree.is_sampled else 0
        histogram.record(labels, (span.ended - span.began) / 1e9, trace_id, span.span_id)


@lru_cache(maxsize=1024)
def _host_of(authority: str) -> str:
    """The host of an authority, without user and port."""
    try:
        return urlsplit(f"//{authority}").hostname or names.UNKNOWN
    except ValueError:
        return names.UNKNOWN
