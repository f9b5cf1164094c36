"""What each kind of step does: the effect it asks for, and the result it makes of what came back."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from capably.expr.source import ABSENT, RESULTS, Source, as_text, evaluate
from capably.plan.answer import Loss, Run
from capably.plan.caller import Ability, Question, Response
from capably.plan.effects import Call, Effect, Execute, Note
from capably.plan.flow import decoded, is_success
from capably.plan.inputs import invalid_inputs
from capably.plan.lookup import look_up
from capably.plan.operation import Operation
from capably.plan.outcome import Fault, Headers, Outcome, Problem
from capably.plan.steps import (
    CallTask,
    ElicitTask,
    LogTask,
    LookupTask,
    RootsTask,
    SampleTask,
    ScriptTask,
    Step,
    Task,
    TransformTask,
)
from capably.upstream.reply import Reply
from capably.upstream.request import RequestError, build_request

NOTHING: Final = ABSENT
"""The result of a step that has none."""

Values = Mapping[str, Any]


def is_pure(task: Task) -> bool:
    """Whether a task needs nothing but values."""
    return isinstance(task, LookupTask | TransformTask)


def compute(task: Task, values: Values) -> Any:
    """The result of a pure task, ``NOTHING`` when it has none."""
    if isinstance(task, LookupTask):
        index, key = evaluate(task.index, values), evaluate(task.key, values)
        if index is ABSENT or key is ABSENT:
            return NOTHING
        found = look_up(task, index, key)
        return NOTHING if found is None else found
    return evaluate(task.value, values) if isinstance(task, TransformTask) else NOTHING


def effect_of(operation: Operation, step: Step, key: str, values: Values, *, is_whole: bool) -> Effect:
    """What a task that is not pure asks for; ``is_whole`` when a reply must be complete.

    Raises:
        Fault: status 400, a value cannot stand where the request needs it.
    """
    task = step.task
    if isinstance(task, CallTask):
        return _call(operation, task, values, is_whole=is_whole)
    if isinstance(task, ScriptTask):
        return Execute(task.script, _context(task, values))
    if isinstance(task, ElicitTask):
        return Question(key, Ability.ELICIT, message=_text(task.message, values), schema=task.schema)
    if isinstance(task, SampleTask):
        return Question(key, Ability.SAMPLE, sampling=_sampling(task, values))
    if isinstance(task, RootsTask):
        return Question(key, Ability.ROOTS)
    if isinstance(task, LogTask):
        return Note(task.level, _text(task.message, values))
    raise TypeError("a pure task has no effect")


def _call(operation: Operation, task: CallTask, values: Values, *, is_whole: bool) -> Call:
    work = task.consumed
    try:
        request = build_request(work.request, values)
    except RequestError as problem:
        places = {item.name: item.location.value for item in operation.inputs}
        if problem.input in places:
            raise invalid_inputs([Problem(problem.input, places[problem.input], str(problem))]) from None
        raise Fault(422, "cannot-call", "A step cannot make its call", str(problem)) from None
    request = msgspec.structs.replace(request, answer_bytes=work.raw_format.max_bytes)
    return Call(work.target.namespace, request, work.scheme, is_whole)


def _context(task: ScriptTask, values: Values) -> dict[str, Any]:
    """Inputs, then results by step, then the step's own values; what is absent has no key."""
    own = ((name, evaluate(source, values)) for name, source in task.values)
    inputs = {name: value for name, value in values.items() if name != RESULTS}
    return {**inputs, **values[RESULTS], **{name: value for name, value in own if value is not ABSENT}}


def _text(source: Source, values: Values) -> str:
    value = evaluate(source, values)
    return "" if value is ABSENT else as_text(value)


def _sampling(task: SampleTask, values: Values) -> dict[str, Any]:
    """The parameters of MCP's `sampling/createMessage`."""
    content = {"type": "text", "text": _text(task.message, values)}
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": content}], "maxTokens": task.most_tokens}
    if task.system is not None:
        asked["systemPrompt"] = _text(task.system, values)
    return asked


def refusal_of(step: Step, value: Any, passed_on: Callable[[Headers], Headers]) -> Outcome | Fault | None:
    """Why an effect that ended is a failure of its step; ``None`` when it is none."""
    if isinstance(value, Reply) and not is_success(value):
        media_type = value.header("content-type")
        return Outcome(value.status, media_type, value.body, passed_on(value.headers), value.stream, step=step.name)
    if isinstance(value, Response) and value.action != "accept":
        word = "declined" if value.action == "decline" else "cancelled"
        return Fault(409, word, f"The caller {word}", f"what was asked was {word}: nothing after it was done")
    return None


def result_of(step: Step, value: Any, values: Values, losses: dict[Loss, None]) -> Any:
    """The result that a task makes of what came back.

    Raises:
        Fault: status 502, the upstream's answer cannot be read.
    """
    task = step.task
    if isinstance(task, CallTask):
        return _answered(task, value, values, losses)
    if isinstance(task, SampleTask):
        return _sampled(value)
    if isinstance(task, LogTask):
        return NOTHING
    return dict(value.content) if isinstance(value, Response) else value


def _answered(task: CallTask, reply: Reply, values: Values, losses: dict[Loss, None]) -> Any:
    if not reply.body:
        return NOTHING
    if task.consumed.raw_format.is_binary:
        media_type = task.consumed.raw_format.told_as(reply.status, reply.header("content-type"))
        return f"data:{media_type.replace(' ', '')};base64,{b64encode(reply.body).decode()}"
    try:
        value = decoded(task.consumed, reply)
    except Fault:
        if task.is_read:
            raise
        return NOTHING
    return _projected(task, value, Run(values, task.consumed.raw_format.is_listless, losses))


def _projected(task: CallTask, value: Any, run: Run) -> Any:
    projection = task.projection
    if projection is None:
        return value
    if isinstance(value, list) and task.by_element and projection.named:
        return [{**(item if isinstance(item, dict) else {}), **projection.apply(item, run)} for item in value]
    return projection.apply(value, run)


def _sampled(response: Response) -> dict[str, Any]:
    content = response.content.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [part["text"] for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return {
        "text": "\n".join(texts),
        "model": response.content.get("model"),
        "stopReason": response.content.get("stopReason"),
    }
