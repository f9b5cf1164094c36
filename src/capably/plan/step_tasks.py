"""What each kind of step says becomes a task."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from capably.diagnostics import error, warning
from capably.document import Mapping, Node, Scalar, Sequence, plain
from capably.expr.jsonpath import PathError, compile_path
from capably.expr.source import Constant, Source
from capably.model.exposes import Exposed
from capably.model.flows import AggregateFlow, StepRecord
from capably.model.values import Output
from capably.plan.answer import Answer
from capably.plan.binding import Binder, Place
from capably.plan.draft import Draft
from capably.plan.formats import compile_format
from capably.plan.intake import Front, Intake
from capably.plan.outputs import compile_answer
from capably.plan.resolve import Caller
from capably.plan.steps import (
    CallTask,
    ElicitTask,
    LogTask,
    LookupTask,
    RootsTask,
    SampleTask,
    ScriptTask,
    Task,
    TransformTask,
)
from capably.plan.target import Candidate

_EVIDENT = (
    ("call", "call"),
    ("index", "lookup"),
    ("lookupValue", "lookup"),
    ("file", "script"),
    ("value", "transform"),
    ("schema", "elicit"),
    ("message", "sample"),
)
"""Keys that tell the kind of a step which does not state it."""
_NEVER = 10**9  # steps are no k-th call of a name: their order says nothing


class TaskCompiler:
    """Compiles the tasks of one operation's steps; ``called`` are the operations they call."""

    def __init__(self, draft: Draft, front: Front, doing: Exposed | AggregateFlow, intake: Intake) -> None:
        """Keep what tasks need."""
        self._draft = draft
        self._found = draft.found
        self._front = front
        self._doing = doing
        self._intake = intake
        self.called: list[Candidate] = []

    def task(self, record: StepRecord, name: str, place: Place, texts: Binder) -> Task | None:
        """The task of a step; ``None`` when it is none, which is told."""
        kind = self._kind(record, name)
        return _COMPILE[kind](self, record, name, place, texts) if kind is not None else None

    def _kind(self, record: StepRecord, name: str) -> str | None:
        if record.type is not None:
            return record.type
        if "type" in record.node.entries:
            return None  # what stands there has been told
        evident = next((kind for key, kind in _EVIDENT if key in record.node.entries), None)
        if evident is None:
            advice = "add `type: call` with `call: namespace.operation`"
            self._found.append(error("FLW001", f"`{name}` does not say what it does", record.node.span, advice))
            return None
        message = f"`{name}` has no `type`: it is taken to be a {evident}"
        self._found.append(warning("FLW001", message, record.node.span, f"add `type: {evident}`"))
        return evident

    def _needs(self, record: StepRecord, name: str, *keys: str) -> bool:
        missing = [key for key in keys if key not in record.node.entries]
        for key in missing:
            advice = f"add `{key}:` here"
            self._found.append(error("FLW001", f"the step `{name}` needs `{key}`", record.node.span, advice))
        return not missing

    def call(self, record: StepRecord, name: str, place: Place, _texts: Binder) -> Task | None:
        """A request to a consumed operation."""
        if not self._needs(record, name, "call") or record.call is None:
            return None
        caller = Caller(record, record.call, record.value_span("call"), _NEVER)
        reached = self._draft.reach(caller)
        if reached is None:
            return None
        self.called.append(reached.candidate)
        operation = reached.candidate.operation
        binder = self._draft.binder(self._front, reached, place, self._intake)
        form = compile_format(operation, self._front.server, None, self._draft.read_file, self._found)
        consumed = self._draft.consumed(reached, binder, record.with_, (), form)
        return CallTask(consumed, self._projection(operation.outputs, binder), not _is_of_whole(operation.outputs))

    def _projection(self, outputs: tuple[Output, ...], binder: Binder) -> Answer | None:
        """What the consumed operation says its answer holds; where some are named, the others say nothing."""
        named = tuple(output for output in outputs if output.name) or outputs
        paths = tuple(_with_mapping(output) for output in named)
        if not paths:
            return None
        return compile_answer(paths, lambda text, node: binder.text(text, node.span), self._found)

    def lookup(self, record: StepRecord, name: str, place: Place, texts: Binder) -> Task | None:
        """A search in an earlier result."""
        if not self._needs(record, name, "index", "match", "lookupValue"):
            return None
        if record.index is None or record.match is None or record.lookup_value is None:
            return None
        span = record.value_span("index")
        results = place.results
        index = results.path(record.index, span) if record.index.startswith("$") else None
        index = index if index is not None else results.named(record.index, span, loosely=True)
        if index is None:
            results.tell_unknown(record.index, span)
            return None
        try:
            simple = f"$['{record.match}']" if "'" not in record.match and "$" not in record.match else record.match
            match = compile_path(simple)
        except PathError as problem:
            message = f"`match` cannot be used: {problem}"
            self._found.append(error("OUT002", message, record.value_span("match"), "it is the name of a field"))
            return None
        return LookupTask(index, match, texts.value(record.lookup_value), self._fields(record))

    def _fields(self, record: StepRecord) -> tuple[str, ...]:
        node = record.outputs
        items = node.items if isinstance(node, Sequence) else [node] if node is not None else []
        names = [_field(item) for item in items]
        if None in names and node is not None:
            message = "`outputParameters` of a lookup are the names of fields"
            self._found.append(error("DOC010", message, node.span, "such as `- fullName`"))
        return tuple(name for name in names if name)

    def script(self, record: StepRecord, _name: str, _place: Place, texts: Binder) -> Task | None:
        """A script with its files."""
        script = self._draft.scripts.get(record.node.span)  # what is wrong with it has been told
        values = tuple((key, texts.compose(node)) for key, node in (record.with_ or {}).items())
        return ScriptTask(script, values) if script is not None else None

    def transform(self, record: StepRecord, name: str, _place: Place, texts: Binder) -> Task | None:
        """A value made of inputs and results."""
        if not self._needs(record, name, "value") or record.value is None:
            return None
        return TransformTask(texts.compose(record.value))

    def elicit(self, record: StepRecord, name: str, _place: Place, texts: Binder) -> Task | None:
        """A question to a person."""
        if not self._needs(record, name, "message"):
            return None
        return ElicitTask(self._message(record, "message", texts), self._schema(record.schema))

    def sample(self, record: StepRecord, name: str, _place: Place, texts: Binder) -> Task | None:
        """A question to the caller's model."""
        if not self._needs(record, name, "message"):
            return None
        system = self._message(record, "system", texts) if record.system is not None else None
        return SampleTask(self._message(record, "message", texts), system, record.max_tokens or 1000)

    def roots(self, _record: StepRecord, _name: str, _place: Place, _texts: Binder) -> Task | None:
        """A question to the caller's client: which folders it works in."""
        return RootsTask()

    def log(self, record: StepRecord, name: str, _place: Place, texts: Binder) -> Task | None:
        """Something the caller is told."""
        if not self._needs(record, name, "message"):
            return None
        return LogTask(self._message(record, "message", texts), record.level or "info")

    def _message(self, record: StepRecord, key: str, texts: Binder) -> Source:
        node = record.node.get(key)
        return texts.value(node) if node is not None else Constant("")

    def _schema(self, node: Node | None) -> dict[str, Any]:
        """The schema of an answer; a mapping of fields alone is an object of them."""
        stated = plain(node) if node is not None else {}
        if not isinstance(stated, dict):
            if node is not None:
                advice = "such as `{reason: {type: string}}`"
                self._found.append(error("FLW006", "`schema` must be a JSON Schema", node.span, advice))
            stated = {}
        if "properties" in stated or stated.get("type") == "object":
            return {"type": "object", "properties": {}, **stated}
        return {"type": "object", "properties": stated}


_Compile = Callable[[TaskCompiler, StepRecord, str, Place, Binder], Task | None]
_COMPILE: dict[str, _Compile] = {
    "call": TaskCompiler.call,
    "lookup": TaskCompiler.lookup,
    "script": TaskCompiler.script,
    "transform": TaskCompiler.transform,
    "elicit": TaskCompiler.elicit,
    "sample": TaskCompiler.sample,
    "roots": TaskCompiler.roots,
    "log": TaskCompiler.log,
}


def _with_mapping(output: Output) -> Output:
    """The output of a consumed operation, whose `value` is always a path."""
    node = output.value
    if output.mapping is not None or not isinstance(node, Scalar) or "{{" in node.text:
        return output
    return replace(output, mapping=node, value=None)


def _is_of_whole(outputs: tuple[Output, ...]) -> bool:
    """Whether paths are written into the whole list that an upstream answers, not into its elements."""
    texts = [node.text.strip() for item in outputs if isinstance(node := item.mapping or item.value, Scalar)]
    return any(text.startswith("$[") and not text.startswith(("$['", '$["')) for text in texts)


def _field(node: Node | None) -> str | None:
    if isinstance(node, Scalar):
        return node.text
    name = node.get("name") if isinstance(node, Mapping) else None
    return name.text if isinstance(name, Scalar) else None
