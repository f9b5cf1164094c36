"""What a document says that has no effect on a request."""

from collections.abc import Iterable

from capably.diagnostics import Diagnostic, did_you_mean, warning
from capably.expr.names import fold
from capably.plan.intake import Front
from capably.plan.target import Candidate


def unused_with_keys(front: Front, candidate: Candidate, used: Iterable[str]) -> list[Diagnostic]:
    """Keys of ``with`` that neither a parameter nor a template of the called operation takes."""
    names = [item.name for item in candidate.parameters]
    taken = {fold(name) for name in (*names, *used)}
    return [
        warning(
            "REF007",
            f"`{candidate.consumes.namespace}.{candidate.operation.name}` takes no `{key}`: the value goes nowhere",
            front.exposed.with_[key].span,
            *did_you_mean(key, names),
        )
        for key in front.exposed.with_ or {}
        if front.exposed.with_ is not None and fold(key) not in taken
    ]
