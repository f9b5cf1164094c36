"""Steps become a flow: tasks compiled, names of results resolved, the order derived."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import count

from capably.diagnostics import Diagnostic, Span, error, warning
from capably.document import Mapping as MappingNode
from capably.document import Node, Scalar
from capably.expr.source import Source
from capably.model.exposes import Exposed
from capably.model.flows import AggregateFlow, StepMapping, StepRecord
from capably.plan.answer import Answer
from capably.plan.binding import Binder, Place
from capably.plan.draft import Draft
from capably.plan.durations import seconds_of
from capably.plan.intake import Front, Intake
from capably.plan.results import Results
from capably.plan.step_order import Nature, nature_of, waits
from capably.plan.step_repeats import Repeats
from capably.plan.step_tasks import TaskCompiler
from capably.plan.steps import CallTask, Flow, OnError, ScriptTask, Step
from capably.plan.target import Candidate

Doing = Exposed | AggregateFlow
"""What says what is done: an exposed operation, or the flow of an aggregate it refers to."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A flow, the binder of texts that read its results, and the operations its steps call."""

    flow: Flow
    texts: Binder
    results: Results
    called: tuple[Candidate, ...]


class FlowCompiler:
    """Compiles the steps of one operation."""

    def __init__(self, draft: Draft, front: Front, doing: Doing, scopes: tuple[str, ...], intake: Intake) -> None:
        """Name the steps."""
        self._draft = draft
        self._found = draft.found
        self._front = front
        self._doing = doing
        self._scopes = scopes
        self._intake = intake
        self._names = _names(doing.steps, draft.found)
        self._tasks = TaskCompiler(draft, front, doing, intake)

    def compile(self) -> Compiled | None:
        """The flow; ``None`` when a step cannot be understood, which is told."""
        drafts = [self._step(number, record) for number, record in enumerate(self._doing.steps)]
        steps = [step for step in drafts if step is not None]
        results = self._results(len(self._names))
        texts = self._draft.texts(self._front, self._place(results), self._intake)
        mappings = tuple(self._mapping(item, texts) for item in self._doing.mappings)
        if len(steps) < len(drafts):
            return None
        ordered = _in_order(steps)
        flow = Flow(ordered, mappings, deadline_s=self._deadline())
        return Compiled(flow, texts, results, tuple(self._tasks.called))

    def _results(self, before: int, elements: tuple[str, ...] = ()) -> Results:
        return Results(self._names, before, self._found, elements)

    def _place(self, results: Results, record: StepRecord | None = None) -> Place:
        with_ = record.with_ if record is not None else None
        span = record.key_span("with") if record is not None else self._doing.node.span
        return Place(with_, span, self._scopes, results)

    def _step(self, number: int, record: StepRecord) -> Step | None:
        name = self._names[number]
        outer = self._results(number)
        repeats = Repeats(self._found)
        loop_record = repeats.record(record)
        elements = repeats.elements(loop_record)
        inner = self._results(number, elements)
        place = self._place(inner, record)
        texts = self._draft.texts(self._front, replace(place, with_=None), self._intake)
        task = self._tasks.task(record, name, place, texts)
        condition = repeats.condition(record, texts)
        fallback = texts.value(record.fallback) if record.fallback is not None else None
        over = None
        if loop_record is not None and loop_record.in_ is not None:
            over = self._draft.texts(self._front, self._place(outer), self._intake).value(loop_record.in_)
        if task is None:
            return None
        loop = repeats.loop(loop_record, over, elements, nature_of(task)) if over is not None else None
        reads = outer.read | inner.read
        if isinstance(task, ScriptTask):
            reads |= set(range(number))  # its context holds every result
        return Step(
            name=name,
            task=task,
            span=record.node.span,
            reads=tuple(sorted(reads)),
            condition=condition,
            loop=loop,
            on_error=self._on_error(record),
            fallback=fallback,
        )

    def _on_error(self, record: StepRecord) -> OnError:
        stated = OnError(record.on_error) if record.on_error is not None else None
        if record.fallback is not None and stated in {None, OnError.FALLBACK}:
            return OnError.FALLBACK
        if stated is OnError.FALLBACK:
            span = record.value_span("onError")
            self._found.append(error("FLW001", "`onError: fallback` needs `fallback`", span, "add `fallback:` here"))
        return stated or OnError.STOP

    def _mapping(self, item: StepMapping, texts: Binder) -> tuple[tuple[str, ...], Source]:
        target = tuple(part for part in item.target.split(".") if part) or (item.target,)
        return target, texts.compose(item.value) if item.value is not None else texts.compose(item.node)

    def _deadline(self) -> float | None:
        written = self._doing.deadline
        if written is None:
            return None
        seconds = seconds_of(written)
        if seconds is None:
            span = self._doing.value_span("deadline")
            self._found.append(error("FLW006", f"`{written}` is no duration", span, "such as 500ms, 30s or 2m"))
        return seconds


def _in_order(steps: list[Step]) -> tuple[Step, ...]:
    natures: list[Nature] = [nature_of(step.task) for step in steps]
    after = waits(natures, [frozenset(step.reads) for step in steps])
    return tuple(replace(step, after=wait) for step, wait in zip(steps, after, strict=True))


def with_readers(flow: Flow, read: Iterable[int]) -> Flow:
    """The flow, its calls knowing whether anything reads their results; ``read`` are those that outputs read."""
    wanted = {*read, *(number for step in flow.steps for number in step.reads)}
    if not flow.mappings:
        wanted.add(len(flow.steps) - 1)
    steps = tuple(_known_read(step, is_read=number in wanted) for number, step in enumerate(flow.steps))
    return replace(flow, steps=steps)


def tells_last(flow: Flow, answer: Answer, read: Collection[int]) -> bool:
    """Whether the reply of the last step is the answer, status and all: nothing is made of it, nor read by its name."""
    last = flow.steps[-1] if flow.steps else None
    if last is None or flow.mappings or last.loop is not None or not isinstance(last.task, CallTask):
        return False
    is_read = flow.reads_steps or len(flow.steps) - 1 in read
    return not answer.is_declared or (last.task.projection is None and not is_read)


def _known_read(step: Step, *, is_read: bool) -> Step:
    return replace(step, task=replace(step.task, is_read=is_read)) if isinstance(step.task, CallTask) else step


def _names(records: tuple[StepRecord, ...], found: list[Diagnostic]) -> tuple[str, ...]:
    """The names of steps; one without a name is called by its number."""
    stated: dict[str, Span] = {}
    names: list[str] = []
    for number, record in enumerate(records, 1):
        if record.name is None:
            names.append(next(name for more in count() if (name := f"step-{number + more}") not in names))
            continue
        span = record.value_span("name")
        if record.name in stated:
            related = [(stated[record.name], "the first one")]
            message = f"two steps are named `{record.name}`: nothing could tell their results apart"
            found.append(error("FLW004", message, span, "rename one", related=related))
        stated.setdefault(record.name, span)
        names.append(record.name)
    return tuple(names)


def steps_in_outputs(doing: Doing, results: Results) -> bool:
    """Whether outputs name steps themselves, as in ``mapping: $.get-ship.name``; those that do count as read."""
    before = set(results.read)
    results.read.clear()
    for output in doing.outputs:
        _named_in(output.node, results)
        if not doing.mappings and output.name in results.names and output.mapping is None and output.value is None:
            results.read.add(results.names.index(output.name))
    names_steps = bool(results.read)
    results.read |= before
    return names_steps


def _named_in(node: Node, results: Results) -> None:
    """Look at an output and at the properties that are found below the same root."""
    if not isinstance(node, MappingNode):
        return
    stated = node.get("mapping") or node.get("value")
    if isinstance(stated, Scalar) and isinstance(stated.value, str):
        head = _head(stated.text)
        if head in results.names:
            results.read.add(results.names.index(head))
        return
    properties = node.get("properties")
    for entry in properties.entries.values() if isinstance(properties, MappingNode) else ():
        _named_in(entry.value, results)


def _head(path: str) -> str:
    text = path.strip().removeprefix("{{").removesuffix("}}").strip()
    if text.startswith("$["):
        return text[2:].partition("]")[0].strip("'\" ")
    return text.removeprefix("$").removeprefix(".").partition(".")[0].partition("[")[0].strip()


def undeclared_targets(doing: Doing, found: list[Diagnostic]) -> list[StepMapping]:
    """Mappings whose target no named output declares: they are told as they are."""
    names = {output.name for output in doing.outputs}
    if not names or None in names:
        return []
    left = [item for item in doing.mappings if item.target.partition(".")[0] not in names]
    for item in left:
        message = f"`{item.target}` is not among the `outputParameters`: it is answered as it is"
        advice = f"declare it: `- name: {item.target.partition('.')[0]}` with its `type`"
        found.append(warning("FLW011", message, item.value_span("target"), advice))
    return left
