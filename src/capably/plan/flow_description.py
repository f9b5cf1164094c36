"""A flow as data that people and programs can read: its steps, what each waits for, and what runs at the same time."""

from typing import Annotated, TypedDict

from msgspec import Meta

from capably.plan.consumed import Target
from capably.plan.steps import CallTask, Flow, Step


class TargetDescription(TypedDict):
    """The consumed operation that is called."""

    namespace: str
    resource: str
    operation: str
    method: str
    path: str


class LoopDescription(TypedDict):
    """A step that is done for each element of a list."""

    item: Annotated[str, Meta(description="The name of the element at hand.")]
    at_once: Annotated[int, Meta(description="How many elements are done at the same time.")]
    most: Annotated[int, Meta(description="More elements than this fail the step.")]


class StepDescription(TypedDict):
    """A step of a flow."""

    name: str
    kind: Annotated[str, Meta(description="call, lookup, script, transform, elicit or sample.")]
    target: Annotated[TargetDescription | None, Meta(description="What a call calls; null for other steps.")]
    reads: Annotated[list[str], Meta(description="The steps whose results it uses.")]
    waits_for: Annotated[list[str], Meta(description="The steps that must have ended before it starts.")]
    stage: Annotated[int, Meta(description="Steps of one stage may run at the same time; the first is 1.")]
    conditional: Annotated[bool, Meta(description="Whether it is left out when its condition does not hold.")]
    loop: Annotated[LoopDescription | None, Meta(description="Its forEach; null when it is done once.")]
    on_error: Annotated[str, Meta(description="What a failure does: stop, continue or fallback.")]
    line: Annotated[int, Meta(description="The line of the document it stands on.")]


class FlowDescription(TypedDict):
    """The steps of an operation."""

    ref: Annotated[str, Meta(description="The flow of an aggregate it is; empty when the steps are its own.")]
    deadline_s: Annotated[float | None, Meta(description="The most seconds it may take; null when not limited.")]
    steps: list[StepDescription]


def describe_target(target: Target) -> TargetDescription:
    """A consumed operation by its names."""
    return {
        "namespace": target.namespace,
        "resource": target.resource,
        "operation": target.operation,
        "method": target.method,
        "path": target.path,
    }


def describe_flow(flow: Flow) -> FlowDescription:
    """The steps in written order."""
    stages = stages_of(flow)
    steps = [_step(flow, step, stage) for step, stage in zip(flow.steps, stages, strict=True)]
    return {"ref": flow.name, "deadline_s": flow.deadline_s, "steps": steps}


def stages_of(flow: Flow) -> list[int]:
    """For each step the earliest stage it can run in, from 1."""
    stages: list[int] = []
    for step in flow.steps:
        stages.append(1 + max((stages[earlier] for earlier in step.after), default=0))
    return stages


def _step(flow: Flow, step: Step, stage: int) -> StepDescription:
    task, loop = step.task, step.loop
    return {
        "name": step.name,
        "kind": step.kind,
        "target": describe_target(task.consumed.target) if isinstance(task, CallTask) else None,
        "reads": [flow.steps[number].name for number in step.reads],
        "waits_for": [flow.steps[number].name for number in step.after],
        "stage": stage,
        "conditional": step.condition is not None,
        "loop": {"item": loop.item, "at_once": loop.at_once, "most": loop.most} if loop is not None else None,
        "on_error": step.on_error.value,
        "line": step.span.line,
    }
