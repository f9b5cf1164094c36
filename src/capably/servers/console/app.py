"""The console as a part of a control server: the page at ``/``, its files and its JSON below ``/console/``.

Whoever mounts it asks callers who they are, for everything but what :meth:`Console.is_public` names.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec

from capably.plan.caller import Response
from capably.plan.gate import Gate, SecretGate
from capably.plan.gate_oauth2 import OAuthGate
from capably.plan.operation import Operation, ServerPlan
from capably.plan.outcome import Fault
from capably.servers.console.assets import PAGE, SAFETY, send_asset
from capably.servers.console.hiding import hidden, hide_of
from capably.servers.console.overview import asked, key_of, overview
from capably.servers.console.pulse import Reloads, pulse
from capably.servers.console.shown import Shown
from capably.servers.console.sources import secrets_of, sources, verdict_json
from capably.servers.console.trial import Trial
from capably.servers.desk import Desk
from capably.servers.http import Limits, Receive, Scope, Send, check_same_origin, read_body, send_body, until_answered
from capably.telemetry import names
from capably.telemetry.current import current
from capably.telemetry.recorded import Recorded
from capably.telemetry.recording import Recording
from capably.telemetry.records import Value
from capably.telemetry.telemetry import Telemetry

Answer: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

BELOW: Final = "/console/"
STATIC: Final = "/console/static/"
_ACCESS: Final = "access.json"
_MOST_TRIALS: Final = 50


class _Try(msgspec.Struct, frozen=True):
    """What the page sends to try an operation."""

    server: str
    operation: str
    inputs: dict[str, Any] = {}


class _Given(msgspec.Struct, frozen=True):
    """What the page sends when a person has answered a question of a flow."""

    trial: str
    question: str
    action: str
    content: dict[str, Any] = {}


class Console:
    """The console of one process."""

    def __init__(
        self,
        desk: Desk,
        telemetry: Telemetry | None,
        recorded: Recorded | None,
        limits: Limits,
        gate: Gate | None = None,
        *,
        may_reload: bool = True,
    ) -> None:
        """Know what to show.

        Args:
            desk: the process.
            telemetry: what records calls from the page; ``None`` when nothing is recorded.
            recorded: what was recorded, by several workers together.
            limits: caps of the control server.
            gate: what the control server asks of its callers, for the page to ask people for it.
            may_reload: whether the page may have documents looked at and taken up again.
        """
        self._desk = desk
        self._telemetry = telemetry
        self._shown = Shown.of(telemetry, recorded)
        self._limits = limits
        self._gate = gate
        self._may_reload = may_reload
        self._reloads = Reloads(desk)
        self._trials: dict[str, Trial] = {}
        self._kept: dict[str, tuple[object, bytes]] = {}
        self._long: dict[str, Callable[[], Any]] = {
            "overview.json": self._overview,
            "sources.json": lambda: sources(desk),
        }
        self._reads: dict[str, Callable[[], Awaitable[Any]]] = {
            "pulse.json": lambda: pulse(desk, self._reloads, self._shown),
            "traces.json": self._shown.traces_json,
        }
        self._does: dict[str, Answer] = {"try": self._try, "answer": self._given}
        if may_reload:
            self._does |= {"reload": self._reload, "validate": self._validate}

    def close(self) -> None:
        """Stop listening to reloads."""
        self._reloads.close()

    @staticmethod
    def has(path: str) -> bool:
        """Whether a path is the console's."""
        return path == "/" or path.startswith(BELOW)

    def is_public(self, path: str) -> bool:
        """Whether a path is answered without asking who calls.

        Browsers cannot send tokens before a page has asked for them, so the page and its files, which tell nothing, are
        open where callers need a bearer token or an API key. Basic and digest are the browser's own affair.
        """
        by_page = isinstance(self._gate, OAuthGate) or (
            isinstance(self._gate, SecretGate) and self._gate.scheme != "Basic"
        )
        return by_page and (path == "/" or path.startswith(STATIC))

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a path of the console.

        Raises:
            Fault: there is no such path, it is asked for in a way it is not answered, or by another page.
        """
        path, method = scope["path"], scope["method"]
        is_reading = method in {"GET", "HEAD"}
        if path == "/" or path.startswith(STATIC):
            _check_method(path, is_reading=is_reading, allowed="GET, HEAD")
            await self._file(scope, send, path)
            return
        name = path.removeprefix(BELOW)
        if name in self._does:
            _check_method(path, is_reading=method == "POST", allowed="POST")
            check_same_origin(scope)
            await self._does[name](scope, receive, send)
            return
        _check_method(path, is_reading=is_reading, allowed="GET, HEAD")
        body = await self._written(name) if name in self._long else _json(await self._read(name))
        await _send_json(send, body, head=method == "HEAD")

    async def _file(self, scope: Scope, send: Send, path: str) -> None:
        name = path.removeprefix(STATIC) if path != "/" else PAGE
        if name == _ACCESS:
            await _send_json(send, _json(asked(self._gate)))
        elif not await send_asset(scope, send, name):
            raise _missing(path)

    async def _written(self, name: str) -> bytes:
        """What is long and changes with what is served only: written once for it, beside the event loop."""
        served = (self._desk.generation, tuple(item.is_started for item in self._desk.listeners))
        known, body = self._kept.get(name, (None, b""))
        if known != served:
            body = await asyncio.to_thread(lambda: _json(self._long[name]()))
            self._kept[name] = (served, body)
        return body

    async def _read(self, name: str) -> Any:
        read = self._reads.get(name)
        if read is not None:
            return await read()
        if name == "reloads.json":
            return self._reloads.told(self._desk)
        found = await self._shown.trace_json(name.removeprefix("traces/").removesuffix(".json"))
        if found is None:
            raise _missing(BELOW + name)
        return found

    def _overview(self) -> Any:
        return {**overview(self._desk), "may_reload": self._may_reload, "records": self._shown.numbers is not None}

    async def _try(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked_for = await self._body(scope, receive, _Try)
        server, operation = self._found(asked_for)
        if len(self._trials) >= _MOST_TRIALS:
            raise Fault(429, "too-many-trials", "Too many operations are being tried", "wait until one has ended")
        trial = Trial(operation, hide_of(self._desk.documents))
        self._trials[trial.id] = trial
        try:
            await until_answered(scope, receive, self._told(trial, server, asked_for.inputs, send))
        finally:
            del self._trials[trial.id]

    async def _told(self, trial: Trial, server: ServerPlan, inputs: dict[str, Any], send: Send) -> None:
        headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
        headers += [(name.encode(), value.encode()) for name, value in SAFETY]
        invoke = self._desk.invoke_for(server, trial)
        entry = self._entered(server, trial)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            async for event in trial.run(invoke, inputs, self._kept_trace(entry)):
                line = msgspec.json.encode(event, enc_hook=str) + b"\n"
                await send({"type": "http.response.body", "body": line, "more_body": True})
        finally:
            if entry is not None and self._telemetry is not None:
                self._telemetry.recorder.left(entry, trial.status)
        await send({"type": "http.response.body", "body": b""})

    def _kept_trace(self, entry: Recording | None) -> str:
        """The id of the trace that a call can be looked up by; empty when there will be none."""
        if entry is None or not entry.tree.is_sampled or self._shown.traces is None:
            return ""
        return entry.trace_id

    def _entered(self, server: ServerPlan, trial: Trial) -> Recording | None:
        """The span of a call from the page: it is recorded like those of other callers, under a kind of its own."""
        if self._telemetry is None or self._telemetry.calls is None:
            return None
        attributes: dict[str, Value] = {names.ADAPTER: "console", names.NAMESPACE: server.namespace}
        entry = self._telemetry.recorder.entered("console", attributes)
        entry.tree.operation = trial.name
        current.set(entry)
        return entry

    def _found(self, asked_for: _Try) -> tuple[ServerPlan, Operation]:
        servers = [server for document in self._desk.documents for server in document.plan.servers]
        server = next((item for item in servers if item.namespace == asked_for.server), None)
        operations = server.operations if server is not None else ()
        operation = next((item for item in operations if key_of(item) == asked_for.operation), None)
        if server is None or operation is None:
            detail = f"`{asked_for.server}` has no `{asked_for.operation}` any more: the document was reloaded"
            raise Fault(404, "no-operation", "There is no such operation", detail)
        return server, operation

    async def _given(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = await self._body(scope, receive, _Given)
        trial = self._trials.get(given.trial)
        if trial is None or not trial.respond(given.question, Response(given.action, given.content)):
            raise Fault(409, "not-asked", "Nobody waits for this answer", "the call has ended, or was answered already")
        await send_body(send, 204, None, b"", SAFETY)

    async def _reload(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._body(scope, receive, dict)
        await self._send_verdict(send, verdict_json(await self._desk.reload(), secrets_of(self._desk)))

    async def _validate(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._body(scope, receive, dict)
        await self._send_verdict(send, verdict_json(await self._desk.validate(), secrets_of(self._desk)))

    async def _send_verdict(self, send: Send, told: Any) -> None:
        await _send_json(send, _json(hidden(told, hide_of(self._desk.documents))))

    async def _body(self, scope: Scope, receive: Receive, kind: type[Any]) -> Any:
        body = await read_body(scope, receive, self._limits.body_bytes)
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as problem:
            raise Fault(400, "malformed-body", "The body cannot be read", str(problem)) from None


def _missing(path: str) -> Fault:
    return Fault(404, "no-route", "Nothing has this path", f"the console has no {path}")


def _check_method(path: str, *, is_reading: bool, allowed: str) -> None:
    if not is_reading:
        headers = (("allow", allowed),)
        detail = f"{path} answers to {allowed}"
        raise Fault(405, "method-not-allowed", "The method is not allowed here", detail, headers=headers)


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)


async def _send_json(send: Send, body: bytes, *, head: bool = False) -> None:
    await send_body(send, 200, "application/json", body, (*SAFETY, ("cache-control", "no-store")), head=head)
