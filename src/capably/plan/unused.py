"""What a document says that has no effect on a request."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass

from capably.diagnostics import Diagnostic, did_you_mean, warning
from capably.document import Node
from capably.expr.names import fold
from capably.expr.source import FromInput
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


def inputs_read(compiled: object) -> Iterator[str]:
    """The names of the inputs that a compiled part of an operation reads, such as a request or an answer."""
    if isinstance(compiled, FromInput):
        yield compiled.name
    elif isinstance(compiled, Mapping):
        yield from inputs_read(tuple(compiled.values()))
    elif isinstance(compiled, tuple):
        for each in compiled:
            yield from inputs_read(each)
    elif is_dataclass(compiled):
        for each in fields(compiled):
            yield from inputs_read(getattr(compiled, each.name))
