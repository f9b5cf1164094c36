"""Rules about what callers give."""

from collections.abc import Iterator

from capably.diagnostics import Diagnostic, error, warning
from capably.document import Scalar, Sequence
from capably.expr.template import holes
from capably.model.capability import Capability
from capably.model.exposes import ExposesMcp, ExposesRest
from capably.model.values import Parameter
from capably.plan.compile import Compiled
from capably.plan.consumed import Consumed
from capably.plan.conversion import LOST, convert
from capably.plan.operation import Operation, Origin
from capably.plan.parameter_schema import schema_of
from capably.plan.schema_check import check_of
from capably.plan.unused import inputs_read


def inputs_inferred(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """Operations whose inputs are not declared, told once for each server."""
    for server in compiled.plan.servers:
        inferred = [item for item in server.operations if _is_inferred(item)]
        if not inferred:
            continue
        what = "1 operation" if len(inferred) == 1 else f"{len(inferred)} operations"
        declare = "declares" if len(inferred) == 1 else "declare"
        message = f"{what} of `{server.namespace}` {declare} no inputs: they are inferred"
        names = ", ".join(item.name for item in inferred[0].inputs)
        advice = f"`{inferred[0].name}` takes {names}; `capably plan` shows all; state them with `inputParameters`"
        yield warning("INP001", message, inferred[0].span, advice)


_STATED = frozenset({Origin.DECLARED, Origin.FLOW})


def _is_inferred(operation: Operation) -> bool:
    return bool(operation.inputs) and all(item.origin not in _STATED for item in operation.inputs)


def input_without_use(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """A value that callers are asked for, and that neither the request nor the answer takes."""
    for server in compiled.plan.servers:
        for operation in server.operations:
            work = operation.work
            if not isinstance(work, Consumed):
                continue
            read = set(inputs_read((work.request, work.scheme, operation.answer, operation.contents)))
            for item in operation.inputs:
                if item.name not in read:
                    target = work.target
                    message = f"`{item.name}` of `{operation.name}` goes nowhere: `{target.name}` takes no such value"
                    advice = f"{target.method} {target.path} has no place for it: remove it, or name it as it is there"
                    yield warning("INP004", message, operation.span, advice)


def schema_unusable(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """An input whose schema is none."""
    advice = "see JSON Schema 2020-12, and ECMA-262 for patterns"
    for parameter in _parameters(capability):
        check = check_of(schema_of(parameter, "string"))
        fault = check.fault() if check is not None else None
        if parameter.enum is not None and not isinstance(parameter.enum, Sequence):
            fault = "`enum` must be a list"
        if fault is not None:
            message = f"the schema of `{parameter.name}` cannot be used: {fault}"
            yield error("INP003", message, parameter.value_span("name"), advice)


_WORDS = {"number": "a number", "integer": "a whole number", "boolean": "true or false"}


def value_of_another_type(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A parameter whose fixed value or default is no number, or not true or false, as its type says."""
    for parameter in _parameters(capability):
        if parameter.type not in _WORDS:
            continue
        for key in ("value", "const", "default"):
            node = getattr(parameter, key)
            if not isinstance(node, Scalar) or node.value in (None, "") or holes(node.text):
                continue
            if convert(node.value, parameter.type) is LOST:
                message = f"`{parameter.name}` is declared {parameter.type}, and `{node.text}` is none"
                yield warning("INP002", message, node.span, f"write {_WORDS[parameter.type]}")


def _parameters(capability: Capability) -> Iterator[Parameter]:
    """Every parameter that callers may be asked for."""
    for server in capability.exposes:
        if isinstance(server, ExposesMcp):
            yield from (parameter for offer in (*server.tools, *server.resources) for parameter in offer.inputs)
        elif isinstance(server, ExposesRest):
            yield from server.inputs
            for resource in server.resources:
                yield from resource.inputs
                yield from (parameter for operation in resource.operations for parameter in operation.inputs)
    yield from (parameter for entry in capability.aggregates for flow in entry.flows for parameter in flow.inputs)
    for entry in capability.consumes:
        yield from entry.inputs
        for consumed in entry.resources:
            yield from consumed.inputs
            yield from (parameter for operation in consumed.operations for parameter in operation.inputs)
