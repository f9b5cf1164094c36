"""Runs a flow without doing I/O: decides what can start, takes what has ended, returns the outcome.

A step starts when all it waits for has ended, so steps that do not depend on each other run at the same time. The
outcome is that of running them in written order: when a step fails, those written before it are still waited for, for
one of them may fail too, and then its failure is the one that is told; nothing written after it is started any more.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from capably.expr.source import ABSENT, RESULTS, evaluate
from capably.payload.decode import as_list
from capably.plan.answer import Loss, Run
from capably.plan.effects import End, Ended, Progress, Start, Turn
from capably.plan.flow import as_json, outcome_of, passed_on
from capably.plan.header_outputs import with_headers
from capably.plan.operation import Inputs, Operation
from capably.plan.outcome import Fault, Outcome
from capably.plan.steps import Flow, Loop, OnError, Step, TransformTask
from capably.plan.tasks import NOTHING, compute, effect_of, is_pure, refusal_of, result_of
from capably.upstream.reply import Reply

MOST_AT_ONCE: Final = 16
"""Effects of one flow that are in flight at the same time."""


def run_flow(
    operation: Operation, inputs: Inputs, journal: Mapping[str, Any] | None = None, at_once: int = MOST_AT_ONCE
) -> Generator[Turn, Ended | None, Outcome]:
    """Run an operation whose work is a flow.

    Each turn is answered with one effect that has ended, or with ``None`` when none is in flight.

    Args:
        operation: what to run.
        inputs: its checked inputs.
        journal: what effects gave in earlier rounds of the same call, by key: they are not asked for again.
        at_once: how many effects may be in flight; 1 runs the steps in written order.

    Raises:
        Fault: a step failed without an answer of an upstream.
    """
    if not isinstance(operation.work, Flow):
        raise TypeError("the operation has no steps")
    return _FlowRun(operation, operation.work, inputs, journal or {}, at_once).run()


@dataclass(slots=True)
class _Unit:
    """A step, or one element of its loop: its key and the values its sources read."""

    step: int
    key: str
    values: Mapping[str, Any]
    element: int | None = None


@dataclass(slots=True)
class _LoopRun:
    """The elements of a step's loop: results by position, and the first of them that failed."""

    loop: Loop
    elements: list[Any]
    results: dict[int, Any] = field(default_factory=dict)
    next: int = 0
    running: int = 0
    failed_at: int = 0
    failure: "Outcome | Fault | None" = None


class _FlowRun:
    def __init__(
        self, operation: Operation, flow: Flow, inputs: Inputs, journal: Mapping[str, Any], at_once: int
    ) -> None:
        self._operation = operation
        self._flow = flow
        self._journal = journal
        self._at_once = at_once
        self._results: dict[str, Any] = {}
        self._values: dict[str, Any] = {**inputs, RESULTS: self._results}
        self._ended: set[int] = set()
        self._begun: set[int] = set()
        self._loops: dict[int, _LoopRun] = {}
        self._in_flight: dict[str, _Unit] = {}
        self._starts: list[Start] = []
        self._told: list[Progress] = []
        self._kept: list[tuple[str, Any]] = []
        self._losses: dict[Loss, None] = {}
        self._failed_at = len(flow.steps)
        self._failure: Outcome | Fault | None = None
        self._last_reply: Reply | None = None

    def run(self) -> Generator[Turn, Ended | None, Outcome]:
        self._advance()
        while not self._is_over:
            ended = yield self._turn()
            if ended is not None:
                self._take(ended)
            self._advance()
        if self._told:
            yield self._turn()  # so that the last steps are told too
        return self._outcome()

    @property
    def _is_over(self) -> bool:
        return all(number in self._ended for number in range(self._failed_at))

    def _turn(self) -> Turn:
        turn = Turn(tuple(self._starts), tuple(self._told), tuple(self._kept))
        self._starts, self._told, self._kept = [], [], []
        return turn

    def _advance(self) -> None:
        """Start whatever can start; what needs nobody's help ends at once and lets more start."""
        changed = True
        while changed:
            changed = False
            for number in range(self._failed_at):
                if number in self._begun or len(self._in_flight) >= self._at_once:
                    continue
                if all(earlier in self._ended for earlier in self._flow.steps[number].after):
                    self._begin(number)
                    changed = True
            for number in list(self._loops):
                changed |= self._go_on(number)

    def _begin(self, number: int) -> None:
        self._begun.add(number)
        step = self._flow.steps[number]
        if step.loop is None:
            self._start(_Unit(number, step.name, self._values))
            return
        found = evaluate(step.loop.over, self._values)
        elements = [] if found is ABSENT or found is None else as_list(found)
        if len(elements) > step.loop.most:
            detail = f"step `{step.name}`: {len(elements)} elements are more than the {step.loop.most} it may take"
            self._fail(number, Fault(422, "too-many", "There is too much to do", detail))
            return
        self._loops[number] = _LoopRun(step.loop, elements, failed_at=len(elements))

    def _go_on(self, number: int) -> bool:
        """Start elements of a loop; whether something changed."""
        state, step = self._loops[number], self._flow.steps[number]
        changed = False
        while (
            number < self._failed_at
            and state.next < state.failed_at
            and state.running < state.loop.at_once
            and len(self._in_flight) < self._at_once
        ):
            position, element = state.next, state.elements[state.next]
            state.next += 1
            state.running += 1
            own = {state.loop.item: element, state.loop.index: position}
            values = {**self._values, **own, RESULTS: {**self._results, **own}}
            self._start(_Unit(number, f"{step.name}[{position}]", values, position))
            changed = True
        if all(position in state.results for position in range(state.failed_at)):
            del self._loops[number]
            if state.failure is not None:
                self._fail(number, state.failure)
            else:
                kept = (state.results[position] for position in range(len(state.elements)))
                self._finish(number, [item for item in kept if item is not NOTHING], End.DONE)
            return True
        return changed

    def _start(self, unit: _Unit) -> None:
        step = self._flow.steps[unit.step]
        if step.condition is not None and not step.condition.holds(unit.values):
            self._settle(unit, NOTHING, End.SKIPPED)
        elif unit.key in self._journal:
            known = self._journal[unit.key]
            self._settle(unit, NOTHING if known is None else known, End.REPEATED)
        elif is_pure(step.task):
            self._settle(unit, compute(step.task, unit.values), End.DONE)
        else:
            try:
                effect = effect_of(self._operation, step, unit.key, unit.values, is_whole=not self._passes(unit))
            except Fault as fault:
                self._settle_failure(unit, fault)
                return
            self._in_flight[unit.key] = unit
            self._starts.append(Start(unit.key, step, effect))

    def _take(self, ended: Ended) -> None:
        unit = self._in_flight.pop(ended.key)
        step = self._flow.steps[unit.step]
        if isinstance(ended.value, Fault):
            self._settle_failure(unit, ended.value)
            return
        refusal = refusal_of(step, ended.value, passed_on)
        if refusal is not None:
            self._settle_failure(unit, refusal)
            return
        if isinstance(ended.value, Reply) and self._passes(unit):
            self._last_reply = ended.value
            self._settle(unit, NOTHING, End.DONE)
            return
        try:
            result = result_of(step, ended.value, unit.values, self._losses)
        except Fault as fault:
            self._settle_failure(unit, fault)
            return
        self._settle(unit, result, End.DONE)

    def _passes(self, unit: _Unit) -> bool:
        """Whether a unit's reply is the answer, as it came."""
        return self._flow.tells_last and unit.step == len(self._flow.steps) - 1

    def _settle_failure(self, unit: _Unit, failure: Outcome | Fault) -> None:
        step = self._flow.steps[unit.step]
        failure = _named(step, failure)
        why = str(failure) if isinstance(failure, Fault) else f"the upstream answered {failure.status}"
        if step.on_error is OnError.STOP:
            if unit.element is None:
                self._fail(unit.step, failure, why)
            elif (state := self._loops.get(unit.step)) is not None:
                state.running -= 1
                if unit.element < state.failed_at:
                    state.failed_at, state.failure = unit.element, failure
            return
        replaced = NOTHING
        if step.on_error is OnError.FALLBACK and step.fallback is not None:
            replaced = compute(TransformTask(step.fallback), unit.values)
        end = End.FAILED if step.on_error is OnError.CONTINUE else End.REPLACED
        self._settle(unit, replaced, end, why)

    def _settle(self, unit: _Unit, result: Any, end: End, why: str = "") -> None:
        if self._flow.asks and end in _KEPT and not is_pure(self._flow.steps[unit.step].task):
            self._kept.append((unit.key, None if result is NOTHING else result))
        if unit.element is None:
            self._finish(unit.step, result, end, why)
        elif (state := self._loops.get(unit.step)) is not None:
            state.running -= 1
            state.results[unit.element] = result

    def _finish(self, number: int, result: Any, end: End, why: str = "") -> None:
        step = self._flow.steps[number]
        self._ended.add(number)
        if result is not NOTHING:
            self._results[step.name] = result
        self._told.append(Progress(step, end, None if result is NOTHING else result, why))

    def _fail(self, number: int, failure: Outcome | Fault, why: str = "") -> None:
        step = self._flow.steps[number]
        self._ended.add(number)
        self._told.append(Progress(step, End.FAILED, None, why or str(failure)))
        if number < self._failed_at:
            self._failed_at, self._failure = number, failure

    def _outcome(self) -> Outcome:
        if isinstance(self._failure, Fault):
            raise self._failure
        if self._failure is not None:
            return self._failure
        last = self._flow.steps[-1].task if self._flow.steps else None
        if self._last_reply is not None and last is not None:
            return outcome_of(self._operation, last.consumed, self._last_reply, self._values)  # type: ignore[union-attr]
        return self._told_value(self._base())

    def _base(self) -> Any:
        """What outputs are taken from: the mapped object, else the last result there is."""
        if self._flow.mappings:
            return _mapped(self._flow, self._values)
        names = (step.name for step in reversed(self._flow.steps))
        return next((self._results[name] for name in names if name in self._results), None)

    def _told_value(self, base: Any) -> Outcome:
        answer = self._operation.answer
        run = Run(self._values, losses=self._losses)
        above = base
        if self._flow.reads_steps:
            own = base if isinstance(base, dict) else {}
            above = {**self._results, **own} if self._flow.mappings else {**own, **self._results}
        headers = with_headers((), answer, above, (), run) if answer.headers else ()
        told = answer.apply(above, run) if answer.is_declared else base
        losses = tuple(run.losses)
        if told is None and not answer.is_declared:
            return Outcome(204, None, headers=headers, losses=losses)
        return Outcome(200, _JSON, as_json(told), headers, losses=losses)


_JSON = "application/json"
_KEPT = frozenset({End.DONE, End.FAILED, End.REPLACED})


def _mapped(flow: Flow, values: Mapping[str, Any]) -> dict[str, Any]:
    """The object that mappings make; a target with dots stands in an object of its own."""
    whole: dict[str, Any] = {}
    for target, source in flow.mappings:
        inner = whole
        for name in target[:-1]:
            held = inner.get(name)
            inner[name] = inner = held if isinstance(held, dict) else {}
        value = evaluate(source, values)
        inner[target[-1]] = None if value is ABSENT else value
    return whole


def _named(step: Step, failure: Outcome | Fault) -> Outcome | Fault:
    """A failure that says in which step it happened."""
    if isinstance(failure, Outcome):
        return failure
    prefix = f"step `{step.name}`: "
    if not failure.detail.startswith(prefix):
        failure.detail = prefix + failure.detail
    return failure
