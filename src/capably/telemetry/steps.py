"""The spans of a flow: one for the flow of an aggregate, one for each step, the calls of a step below it."""

from collections.abc import Awaitable, Callable, Generator
from contextvars import Token
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Final, Self

from capably.plan.effects import End, Ended, Progress, Start, Turn
from capably.plan.outcome import Fault, Outcome
from capably.plan.steps import CallTask, Flow, LookupTask, ScriptTask, Step
from capably.telemetry import names
from capably.telemetry.current import current
from capably.telemetry.recorder import Recorder
from capably.telemetry.recording import Recording
from capably.telemetry.records import SpanKind, Value

_FAILED: Final = frozenset({End.FAILED, End.REPLACED})
_NOT_DONE: Final = frozenset({End.SKIPPED, End.REPEATED})


class FlowRecording:
    """Records one run of a flow while its context lasts, as part of the request at hand."""

    def __init__(self, recorder: Recorder, flow: Flow) -> None:
        """Know the flow."""
        self._recorder = recorder
        self._flow = flow
        self._span: Recording | None = None
        self._above: Recording | None = None
        self._token: Token[Recording | None] | None = None
        self._steps: dict[str, Recording] = {}
        self._began = 0

    def __enter__(self) -> Self:
        """Begin the span of an aggregate's flow; steps of an operation are below the request itself."""
        self._above = current.get()
        if self._above is not None and self._flow.name:
            self._span = self._above.child(names.FLOW, SpanKind.INTERNAL, {names.AGGREGATE: self._flow.name})
            self._above = self._span
            self._token = current.set(self._span)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, problem: BaseException | None, _at: TracebackType | None
    ) -> None:
        """End it, and what had begun and was stopped."""
        for span in self._steps.values():
            span.error = "cancelled"
            span.end()
        if self._span is not None:
            if isinstance(problem, Fault):
                self._span.error = problem.kind
                self._span.add_exception(problem)
            self._span.end()
        if self._token is not None:
            current.reset(self._token)

    def turns(self, turns: Generator[Turn, Ended | None, Outcome]) -> Generator[Turn, Ended | None, Outcome]:
        """The turns of the flow; what a turn computes by itself, such as a lookup, begins with it."""
        ended: Ended | None = None
        try:
            while True:
                self._began = perf_counter_ns()
                try:
                    turn = turns.send(ended)
                except StopIteration as end:
                    outcome: Outcome = end.value
                    return outcome
                ended = yield turn
        finally:
            turns.close()

    def performing(self, perform: Callable[[Start], Awaitable[Any]]) -> Callable[[Start], Awaitable[Any]]:
        """Performs effects below the spans of their steps; the first effect of a step begins its span."""

        async def performed(start: Start) -> Any:
            span = self._steps.get(start.step.name)
            if span is None:
                span = self._begin(start.step)
                if span is None:
                    return await perform(start)
                self._steps[start.step.name] = span
            token = current.set(span)
            try:
                return await perform(start)
            except Fault as fault:
                span.add_exception(fault)
                raise
            finally:
                current.reset(token)

        return performed

    def telling(self, told: Callable[[Progress], None] | None) -> Callable[[Progress], None]:
        """Hears of steps that have ended."""

        def ended(progress: Progress) -> None:
            if progress.end not in _NOT_DONE:
                self._end(progress)
            if told is not None:
                told(progress)

        return ended

    def _begin(self, step: Step) -> Recording | None:
        if self._above is None:
            return None
        attributes: dict[str, Value] = {
            names.STEP_INDEX: next(at for at, item in enumerate(self._flow.steps) if item is step),
            names.STEP_NAME: step.name,
        }
        task = step.task
        if isinstance(task, CallTask):
            target = task.consumed.target
            attributes |= {names.STEP_CALL: f"{target.namespace}.{target.operation}", names.NAMESPACE: target.namespace}
        elif isinstance(task, LookupTask):
            attributes[names.STEP_MATCH] = task.match.text
        elif isinstance(task, ScriptTask):
            attributes |= {names.SCRIPT_FILE: task.script.main.name, names.SCRIPT_LANGUAGE: task.script.language}
        return self._above.child(f"step.{step.kind}", SpanKind.INTERNAL, attributes)

    def _end(self, progress: Progress) -> None:
        step = progress.step
        span = self._steps.pop(step.name, None)
        if span is None:
            span = self._begin(step)
            if span is None:
                return
            span.began = self._began
        if progress.end in _FAILED:
            span.error = progress.fault or progress.end.value
        namespace = step.task.consumed.target.namespace if isinstance(step.task, CallTask) else ""
        self._recorder.step_ended(span, step.kind, namespace)
