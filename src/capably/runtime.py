"""Performs what a flow asks for: drives the generator, makes its calls, tells failures as faults."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from functools import partial
from time import perf_counter
from typing import Any, Self, TypeAlias

from capably.driver import Perform, drive
from capably.plan.answer import Loss
from capably.plan.caller import Caller
from capably.plan.effects import Call, Effect, Execute, Start
from capably.plan.flow import run
from capably.plan.interpreter import run_flow
from capably.plan.operation import Forward, Inputs, Operation
from capably.plan.outcome import Fault, Outcome, Passage
from capably.plan.passage import outcome_of, request_of
from capably.plan.steps import Flow, Script
from capably.plan.trace_context import NO_TRACE, TraceContext
from capably.plan.watch import Watch
from capably.telemetry.recorder import Recorder
from capably.telemetry.steps import FlowRecording
from capably.upstream.authenticator import Authenticator
from capably.upstream.client import Client, ClientLimits
from capably.upstream.pool import Pool
from capably.upstream.reply import Reply, Trouble, UpstreamError
from capably.upstream.request import Request

_log = logging.getLogger("capably.upstream")

_FAULTS: dict[Trouble, tuple[int, str, str]] = {
    Trouble.UNREACHABLE: (502, "The upstream cannot be reached", "check that it runs and that its base URI is right"),
    Trouble.TIMEOUT: (504, "The upstream did not answer in time", "try again later"),
    Trouble.BROKEN: (502, "The upstream's answer broke off", "try again; it may be overloaded or restarting"),
    Trouble.TOO_LARGE: (502, "The upstream's answer is too large", "ask for less, for example with a limit"),
    Trouble.REDIRECT: (
        502,
        "The upstream redirected the call",
        "redirects are followed within one origin and for GET only: state the final address as base URI",
    ),
    Trouble.AUTH: (502, "This server could not authenticate to the upstream", "its operator has to fix that"),
}


RunScript: TypeAlias = Callable[[Script, Mapping[str, Any]], Awaitable[Any]]
"""Runs a script with its context in a sandbox and returns its result. Raises :class:`Fault`."""


async def no_scripts(script: Script, _context: Mapping[str, Any]) -> Any:
    """Runs no script.

    Raises:
        Fault: always, status 501.
    """
    detail = f"`{script.main.name}` is not run: scripts are switched off"
    raise Fault(501, "no-scripts", "Scripts are not run here", detail)


class Runtime:
    """Runs operations of one plan; an async context manager that gives up its upstream calls at the end."""

    def __init__(
        self,
        limits: ClientLimits,
        run_script: RunScript = no_scripts,
        watch: Watch | None = None,
        recorder: Recorder | None = None,
        pool: Pool | None = None,
    ) -> None:
        """Prepare; nothing is opened before the context is entered.

        Args:
            limits: of upstream calls.
            run_script: what runs scripts.
            watch: what is told of calls.
            recorder: what records them.
            pool: the connections to use; its own when left out.
        """
        self._run_script = run_script
        self._watch = watch
        self.recorder = recorder
        self._client = Client(limits, pool)
        self._authenticator = Authenticator(self._client, self.fetch)
        self._told: set[Loss] = set()

    def watched(self, watch: Watch | None) -> "Runtime":
        """This runtime, with its connections and all it remembers, telling what it performs to somebody else."""
        twin = copy(self)
        twin._watch = watch  # noqa: SLF001 -- its own
        return twin

    async def __aenter__(self) -> Self:
        """Open the upstream client."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the upstream client."""
        await self._authenticator.aclose()
        await self._client.__aexit__(*exc)

    async def invoke(self, operation: Operation, inputs: Inputs, caller: Caller) -> Outcome:
        """Run an operation with accepted inputs.

        Raises:
            Fault: the inputs cannot be sent, or the upstream gave no usable answer.
            InputRequiredError: a flow asks its caller, who has to come again with the answer.
        """
        if isinstance(operation.work, Flow):
            return await self._run_flow(operation, operation.work, inputs, caller)
        flow = run(operation, inputs)
        try:
            call = next(flow)
            while True:
                reply = self._perform(call, caller.trace)
                call = flow.send(await (reply if self._watch is None else self._timed("", call, reply)))
        except StopIteration as end:
            outcome: Outcome = end.value
            self._tell(outcome)
            return outcome
        finally:
            flow.close()

    async def _run_flow(self, operation: Operation, flow: Flow, inputs: Inputs, caller: Caller) -> Outcome:
        turns = run_flow(operation, inputs, dict(caller.journal) if flow.asks else None)
        told = self._watch.ended if self._watch is not None else None
        perform: Perform = partial(self._watched, caller.trace)
        deadline = asyncio.timeout(flow.deadline_s)
        try:
            async with deadline:
                if self.recorder is None:
                    outcome = await drive(turns, perform, caller, len(flow.steps), told)
                else:
                    with FlowRecording(self.recorder, flow) as record:
                        perform = record.performing(perform)
                        outcome = await drive(
                            record.turns(turns), perform, caller, len(flow.steps), record.telling(told)
                        )
        except TimeoutError:
            if not deadline.expired():
                raise
            detail = f"`{operation.name}` did not end within {flow.deadline_s:g} s; what it had started was stopped"
            raise Fault(504, "flow-deadline", "The operation took too long", detail) from None
        if outcome.step:
            _log.warning("%s: step %s: the upstream answered %d", operation.name, outcome.step, outcome.status)
        self._tell(outcome)
        return outcome

    async def _watched(self, trace: TraceContext, start: Start) -> Any:
        effect = start.effect
        done = self._perform_step(effect, trace)
        if self._watch is None or not isinstance(effect, Call | Execute):
            return await done
        return await self._timed(start.key, effect, done)

    async def _timed(self, key: str, effect: Call | Execute, done: Awaitable[Any]) -> Any:
        """Wait, and tell the watch what came and how long it took."""
        began = perf_counter()
        answer: Any = None
        try:
            answer = await done
        except Fault as fault:
            answer = fault
            raise
        finally:
            if self._watch is not None:
                self._watch.performed(key, effect, answer, perf_counter() - began)
        return answer

    async def _perform_step(self, effect: Effect, trace: TraceContext) -> Any:
        if isinstance(effect, Execute):
            return await self._run_script(effect.script, effect.context)
        if not isinstance(effect, Call):
            raise TypeError("questions are asked by the driver")
        reply = await self._perform(effect, trace)
        if reply.stream is not None and effect.is_whole:
            await reply.stream.aclose()
            detail = f"`{effect.namespace}` answers with a stream, which only the last step of a flow can pass on"
            raise Fault(502, "upstream-unreadable", "The upstream's answer cannot be read", detail)
        return reply

    def _tell(self, outcome: Outcome) -> None:
        """Log what outputs lost; each once, for an upstream that does it does it with every answer."""
        for loss in outcome.losses:
            if loss not in self._told:
                self._told.add(loss)
                _log.warning("%s", loss)

    async def fetch(self, request: Request) -> Reply:
        """Make a request that belongs to no operation, such as one to an authorization server.

        Raises:
            UpstreamError: there is no answer.
        """
        if self.recorder is not None:
            return await self.recorder.call("", request, None, self._client.send)
        return await self._client.send(request)

    async def pass_on(self, forward: Forward, passage: Passage) -> Outcome:
        """Pass a caller's request on through a forward.

        Raises:
            Fault: its path cannot be passed on, or the upstream gave no answer.
        """
        request = request_of(forward, passage)
        body = passage.body if not isinstance(passage.body, bytes) else None
        if forward.scheme is None:
            send = partial(self._client.open, body=body)
        else:
            send = partial(self._authenticator.pass_on, forward.scheme, body=body)
        try:
            if self.recorder is not None:
                reply = await self.recorder.call(forward.target, request, NO_TRACE, send)
            else:
                reply = await send(request)
        except UpstreamError as problem:
            raise _fault(forward.target, problem) from problem
        return outcome_of(forward, passage, request, reply)

    async def _perform(self, call: Call, trace: TraceContext) -> Reply:
        """Make a call, with the trace it belongs to: it is there before anything is signed."""
        send = self._client.send if call.scheme is None else partial(self._authenticator.send, call.scheme)
        try:
            if self.recorder is not None:
                return await self.recorder.call(call.namespace, call.request, trace, send)
            return await send(trace.joined_to(call.request) if trace.headers else call.request)
        except UpstreamError as problem:
            raise _fault(call.namespace, problem) from problem


def _fault(namespace: str, problem: UpstreamError) -> Fault:
    _log.warning("%s: %s: %s", namespace, problem.trouble.value, problem.reason)
    status, title, advice = _FAULTS[problem.trouble]
    detail = f"`{namespace}` gave no usable answer: {problem.told or advice}"
    return Fault(status, f"upstream-{problem.trouble.value}", title, detail)
