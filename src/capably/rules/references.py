"""Rules about names that refer to operations."""

from collections import defaultdict
from collections.abc import Iterator

from capably.diagnostics import Diagnostic, Span, warning
from capably.expr.names import find_name
from capably.expr.template import holes
from capably.model.capability import Capability
from capably.plan.compile import Compiled
from capably.plan.operation import Location
from capably.plan.target import candidates


def operation_named_twice(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """Two consumed operations of one namespace share a name."""
    for entry in capability.consumes:
        places: dict[str, list[tuple[Span, str]]] = defaultdict(list)
        for resource in entry.resources:
            for operation in resource.operations:
                story = f"{operation.method} {resource.path}"
                places[operation.name].append((operation.value_span("name"), story))
        for name, found in places.items():
            if len(found) > 1:
                message = f"`{entry.namespace}` has {len(found)} operations named `{name}`"
                advice = f"calls are told apart by their inputs and paths: name them apart, or call `{entry.namespace}"
                advice += f".<resource>.{name}`"
                yield warning("REF010", message, found[1][0], advice, related=[found[0], *found[2:]])


def path_without_place(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A path parameter that the path has no placeholder for: its value is lost, and the request is another one."""
    for item in candidates(capability.consumes):
        places = [hole.name for text in (item.consumes.base_uri, item.path) for hole in holes(text, single=True)]
        for parameter in item.parameters:
            if parameter.location == Location.PATH and not find_name(parameter.name, places).names:
                message = (
                    f"`{parameter.name}` is a path parameter, but `{item.path}` has no place for it: it is not sent"
                )
                advice = f"add it to the path, such as `{item.path.rstrip('/')}/{{{parameter.name}}}`"
                yield warning("REF007", message, parameter.span, advice)
