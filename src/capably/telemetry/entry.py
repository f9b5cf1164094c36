"""Where requests enter: an ASGI layer around a server, and what runs the operations of MCP tools.

There is no layer where nothing is recorded.
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from capably.plan.caller import Caller, Invoke
from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Fault, Outcome
from capably.telemetry import names
from capably.telemetry.access import AccessLog
from capably.telemetry.current import current
from capably.telemetry.propagation import parent_of
from capably.telemetry.recorder import Recorder
from capably.telemetry.records import SpanKind, Value

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_SERVER_ERROR: Final = 500
_NAMING: Final = frozenset({"tools/call", "resources/read", "prompts/get"})


class RecordedApp:
    """A server whose requests are recorded.

    Args:
        app: the server.
        recorder: records them.
        server: the server's plan.
        capability: the title of the capability it belongs to.
        access: writes a line for each request, if wanted.
    """

    def __init__(
        self, app: Application, recorder: Recorder, server: ServerPlan, capability: str, access: AccessLog | None = None
    ) -> None:
        """Know what is the same for every request."""
        self._app = app
        self._recorder = recorder
        self._propagation = recorder.propagation
        self._kind = server.kind.value
        self._access = access
        self._attributes = _about(server, capability)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        attributes = self._attributes.copy()
        attributes[names.METHOD] = names.method_of(scope["method"])
        entry = self._recorder.entered(self._kind, attributes, parent_of(scope["headers"], self._propagation))
        status = size = 0

        def sending(message: Message) -> Awaitable[None]:
            nonlocal status, size
            if message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            elif message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        token = current.set(entry)
        try:
            await self._app(scope, receive, sending)
        except Exception as problem:
            entry.add_exception(problem)
            entry.tree.failure = type(problem).__name__
            raise
        finally:
            self._recorder.left(entry, status)
            if self._access is not None:
                self._access.write(scope, entry, status, size)
            current.reset(token)


def recording_tools(recorder: Recorder, invoke: Invoke) -> Invoke:
    """Runs operations of an MCP server, each in a span of its own below its request."""

    async def invoke_recorded(operation: Operation, inputs: Inputs, caller: Caller) -> Outcome:
        above = current.get()
        if above is None:
            return await invoke(operation, inputs, caller)
        if caller.trace.headers:
            recorder.joins(above, caller.trace)
        tree, name = above.tree, operation.wire_name
        if tree.operation in _NAMING:
            tree.operation = f"{tree.operation} {name}"
        span = above.child(names.TOOL, SpanKind.INTERNAL, {names.ADAPTER: "mcp", names.OPERATION: name})
        token = current.set(span)
        try:
            outcome = await invoke(operation, inputs, caller)
        except Fault as fault:
            span.error = fault.kind
            span.add_exception(fault)
            if fault.status >= _SERVER_ERROR:
                tree.failure = fault.kind
            raise
        else:
            if outcome.is_error:
                span.error = str(outcome.status)
                if outcome.status >= _SERVER_ERROR:
                    tree.failure = str(outcome.status)
            return outcome
        finally:
            span.end()
            current.reset(token)

    return invoke_recorded


class RecordedMessages:
    """Records messages that come without HTTP, as over standard input and output."""

    def __init__(self, recorder: Recorder, server: ServerPlan, capability: str) -> None:
        """Know what is the same for every message."""
        self._recorder = recorder
        self._kind = server.kind.value
        self._attributes = _about(server, capability)

    @contextmanager
    def __call__(self) -> Iterator[Callable[[], None]]:
        """A message has come. While the context lasts work for it is begun; the function tells when that has ended."""
        entry = self._recorder.entered(self._kind, self._attributes.copy())
        token = current.set(entry)
        try:
            yield lambda: self._recorder.left(entry, 0)
        finally:
            current.reset(token)


def _about(server: ServerPlan, capability: str) -> dict[str, Value]:
    return {names.ADAPTER: server.kind.value, names.NAMESPACE: server.namespace, names.CAPABILITY: capability}
