"""`confirm: true`: a person is asked before an operation runs."""

from dataclasses import replace

from capably.expr.source import Constant
from capably.plan.consumed import Consumed
from capably.plan.operation import Operation
from capably.plan.steps import CallTask, ElicitTask, Flow, Step

_NO_FIELDS = {"type": "object", "properties": {}}


def confirmed(operation: Operation) -> Operation:
    """The operation with a first step that asks; a mock does nothing that has to be confirmed."""
    work = operation.work
    if isinstance(work, Consumed):
        work = Flow((Step("call", CallTask(work), operation.span),), decided_by=work.decided_by, tells_last=True)
    if not isinstance(work, Flow):
        return operation
    names = {step.name for step in work.steps}
    name = next(name for name in ("confirm", "confirm-first", "confirm-before-all") if name not in names)
    what = f"Run `{operation.title or operation.name}`?"
    message = f"{what} {operation.description}".strip()
    first = Step(name, ElicitTask(Constant(message), _NO_FIELDS), operation.span)
    others = tuple(
        replace(step, after=(0, *(at + 1 for at in step.after)), reads=tuple(at + 1 for at in step.reads))
        for step in work.steps
    )
    return replace(operation, work=replace(work, steps=(first, *others)))
