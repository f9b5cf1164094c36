"""Rules about what callers give."""

from collections.abc import Iterator

from capably.diagnostics import Diagnostic, warning
from capably.model.capability import Capability
from capably.plan.compile import Compiled
from capably.plan.operation import Operation, Origin


def inputs_inferred(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """Operations whose inputs are not declared, told once for each server."""
    for server in compiled.plan.servers:
        inferred = [item for item in server.operations if _is_inferred(item)]
        if not inferred:
            continue
        word = "operation" if len(inferred) == 1 else "operations"
        message = f"{len(inferred)} {word} of `{server.namespace}` declare no inputs: they are inferred"
        names = ", ".join(item.name for item in inferred[0].inputs)
        advice = f"`{inferred[0].name}` takes {names}; `capably plan` shows all; state them with `inputParameters`"
        yield warning("INP001", message, inferred[0].span, advice)


def _is_inferred(operation: Operation) -> bool:
    return bool(operation.inputs) and all(item.origin is not Origin.DECLARED for item in operation.inputs)
