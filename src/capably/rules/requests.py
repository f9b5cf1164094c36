"""Rules about what requests to consumed APIs are made of."""

from collections.abc import Iterator

from capably.diagnostics import Diagnostic, error, warning
from capably.document import plain
from capably.model.capability import Capability
from capably.model.values import Parameter
from capably.plan.choices import is_choice, not_a_choice
from capably.plan.compile import Compiled
from capably.upstream.request import OF_THE_CONNECTION
from capably.upstream.sendable import is_field_name

_STYLES = {
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "path": ("simple", "label", "matrix"),
    "header": ("simple",),
    "cookie": ("form",),
}


def _parameters(capability: Capability) -> Iterator[Parameter]:
    for entry in capability.consumes:
        yield from entry.inputs
        for resource in entry.resources:
            yield from resource.inputs
            for operation in resource.operations:
                yield from operation.inputs


def value_not_allowed(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A parameter whose fixed value or default is not among the values it allows."""
    for parameter in _parameters(capability):
        choices = plain(parameter.enum) if parameter.enum is not None else None
        if not isinstance(choices, list):
            continue
        for key in ("value", "const", "default"):
            node = getattr(parameter, key)
            value = plain(node) if node is not None else None
            schema = {"enum": choices, "type": parameter.type}
            if not (isinstance(value, str) and "{{" in value) and not is_choice(value, schema):
                yield not_a_choice(parameter.name, value, schema, parameter.value_span(key))


def header_of_the_connection(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A header parameter that is never sent as it is stated."""
    for parameter in _parameters(capability):
        if parameter.in_ == "header" and parameter.name.lower() in OF_THE_CONNECTION:
            message = f"`{parameter.name}` is written when a request is sent: the parameter has no effect"
            yield warning("REQ001", message, parameter.value_span("name"), "remove it")


def header_without_name(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A header parameter whose name no header can have."""
    for parameter in _parameters(capability):
        if parameter.in_ == "header" and not is_field_name(parameter.name):
            message = f"`{parameter.name}` is no name of a header"
            yield error("REQ003", message, parameter.value_span("name"), "such as `X-Request-Id`")


def style_out_of_place(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A style that its parameter's place does not know."""
    for parameter in _parameters(capability):
        styles = _STYLES.get(parameter.in_ or "query")
        if parameter.style is not None and styles is not None and parameter.style not in styles:
            message = f"a {parameter.in_ or 'query'} parameter cannot have the style `{parameter.style}`"
            yield warning("REQ002", message, parameter.value_span("style"), f"styles here: {', '.join(styles)}")
