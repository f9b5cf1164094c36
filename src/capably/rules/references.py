"""Rules about names that refer to operations."""

from collections import defaultdict
from collections.abc import Iterator

from capably.diagnostics import Diagnostic, Span, warning
from capably.model.capability import Capability
from capably.plan.compile import Compiled
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
    """A path parameter that the path has no placeholder for: it is taken to be the path's end."""
    for item in candidates(capability.consumes):
        for name in item.appended:
            span = next(parameter.span for parameter in item.parameters if parameter.name == name)
            message = f"`{name}` is a path parameter without a place in the path: the request goes to `{item.path}`"
            yield warning("REF011", message, span, f"write the path with `{{{name}}}` in its place")
