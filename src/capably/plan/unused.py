"""What a document says that has no effect on a request."""

from collections.abc import Iterable, Mapping

from capably.diagnostics import Diagnostic, did_you_mean, warning
from capably.document import Node
from capably.expr.names import fold
from capably.plan.target import Candidate


def unused_keys(with_: Mapping[str, Node] | None, candidate: Candidate, used: Iterable[str]) -> list[Diagnostic]:
    """Keys of ``with`` that neither a parameter nor a template of the called operation takes."""
    names = [item.name for item in candidate.parameters]
    taken = {fold(name) for name in (*names, *used)}
    return [
        warning(
            "REF007",
            f"`{candidate.consumes.namespace}.{candidate.operation.name}` takes no `{key}`: the value goes nowhere",
            node.span,
            *did_you_mean(key, names),
        )
        for key, node in (with_ or {}).items()
        if fold(key) not in taken
    ]
