"""A consumed operation as a whole: its full path and every parameter, from all levels of the document."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from capably.diagnostics import Span
from capably.document import Node
from capably.expr.names import find_name
from capably.expr.template import holes
from capably.model.consumes import ConsumedOperation, ConsumedResource, Consumes
from capably.model.values import Parameter
from capably.plan.consumed import Target
from capably.plan.operation import Location
from capably.plan.parameter_schema import schema_of
from capably.upstream.request import OF_THE_CONNECTION
from capably.upstream.styles import Layout, Style

ENVIRONMENT = "environment"
"""The place of a parameter whose value comes from outside, for templates."""


@dataclass(frozen=True, slots=True)
class TargetParameter:
    """A parameter of a consumed operation.

    ``fixed`` is the value the document states for it, if it states one; ``layout`` is how lists and objects are
    written, where the document says.
    """

    name: str
    location: str
    type: str
    required: bool
    description: str
    schema: Mapping[str, Any]
    span: Span
    fixed: Node | None = None
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A consumed operation that a ``call`` may mean.

    ``path`` is whole; it ends with a placeholder for each of ``appended``, the path parameters that the written path
    has no place for.
    """

    consumes: Consumes
    resource: ConsumedResource
    operation: ConsumedOperation
    path: str
    parameters: tuple[TargetParameter, ...]
    appended: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        """Its names, for the plan."""
        return Target(
            namespace=self.consumes.namespace,
            resource=self.resource.name or self.resource.path,
            operation=self.operation.name,
            method=self.operation.method,
            path=self.path,
        )

    @property
    def span(self) -> Span:
        """Where the operation's name stands."""
        return self.operation.value_span("name")


def candidates(
    consumes: tuple[Consumes, ...], is_bound: Callable[[str], bool] = lambda _name: False
) -> list[Candidate]:
    """Every consumed operation of a document, in its order; a placeholder that is bound is no parameter."""
    return [
        _candidate(entry, resource, operation, is_bound)
        for entry in consumes
        for resource in entry.resources
        for operation in resource.operations
    ]


def _candidate(
    entry: Consumes, resource: ConsumedResource, operation: ConsumedOperation, is_bound: Callable[[str], bool]
) -> Candidate:
    written = join_path(resource.path, operation.path)
    appended = _without_place(entry.base_uri + written, (*resource.inputs, *operation.inputs))
    path = append_placeholders(written, appended)
    declared: dict[tuple[str, str], TargetParameter] = {}
    for level in (entry.inputs, resource.inputs, operation.inputs):
        for parameter in level:
            one = _parameter(parameter, path, operation.method)
            if one.location != Location.HEADER or one.name.lower() not in OF_THE_CONNECTION:
                declared[one.name, one.location] = one
    parameters = list(declared.values())
    names = [item.name for item in parameters if item.location == Location.PATH]
    for hole in holes(path, single=True):
        if not find_name(hole.name, names).names and not is_bound(hole.name):
            names.append(hole.name)
            parameters.append(_undeclared(hole.name, resource.value_span("path")))
    return Candidate(entry, resource, operation, path, tuple(parameters), appended)


def _without_place(written: str, inputs: tuple[Parameter, ...]) -> tuple[str, ...]:
    """Path parameters that the written path and base URI have no placeholder for, in the order of the document."""
    places = [hole.name for hole in holes(written, single=True)]
    stated = (item for item in inputs if item.in_ == Location.PATH and item.value is None)
    return tuple(dict.fromkeys(item.name for item in stated if not find_name(item.name, places).names))


_EXTENSION = re.compile(r"\.(?:json|xml|csv|yaml)$")


def append_placeholders(path: str, names: tuple[str, ...]) -> str:
    """A path with a placeholder for each name at its end.

    An extension stays last: ``/calls.json`` and ``sid`` become ``/calls/{sid}.json``. Dropping an identifier would make
    another request of it: the DELETE of one thing would become the DELETE of all.
    """
    if not names or "?" in path:
        return path
    extension = _EXTENSION.search(path)
    stem = path[: extension.start()] if extension is not None else path
    ending = extension[0] if extension is not None else ""
    return stem.rstrip("/") + "".join(f"/{{{name}}}" for name in names) + ending


def entry_parameters(entry: Consumes) -> tuple[TargetParameter, ...]:
    """The parameters of every request to an API."""
    return tuple(_parameter(parameter, "", "GET") for parameter in entry.inputs)


def join_path(resource: str, operation: str | None) -> str:
    """The full path: an operation's relative path is appended, an absolute one restates the whole."""
    if not operation:
        return resource
    if operation.startswith("/"):
        return operation
    return f"{resource.rstrip('/')}/{operation}"


def _undeclared(name: str, span: Span) -> TargetParameter:
    return TargetParameter(name, Location.PATH, "string", True, "", {"type": "string"}, span)


_DEFAULT_LOCATION = {"GET": Location.QUERY, "DELETE": Location.QUERY, "HEAD": Location.QUERY}


def _parameter(parameter: Parameter, path: str, method: str) -> TargetParameter:
    location = parameter.in_
    if location is None:
        in_path = find_name(parameter.name, (hole.name for hole in holes(path, single=True))).names
        location = Location.PATH if in_path else _DEFAULT_LOCATION.get(method, Location.BODY)
    return TargetParameter(
        name=parameter.name,
        location=str(location),
        type=parameter.type or ("object" if location == Location.BODY else "string"),
        required=bool(parameter.required) or location == Location.PATH,
        description=parameter.description or "",
        schema=schema_of(parameter, "object" if location == Location.BODY else "string"),
        span=parameter.value_span("name"),
        fixed=parameter.value if parameter.value is not None else parameter.const,
        layout=layout_of(parameter, location),
    )


_STYLE_OF_FORMAT = {"ssv": Style.SPACE, "tsv": Style.TAB, "pipes": Style.PIPE}


def layout_of(parameter: Parameter, location: str) -> Layout | None:
    """How lists and objects are written, with the defaults of OpenAPI 3.1; ``None`` when nothing is said of it."""
    usual = Style.SIMPLE if location in {Location.PATH, Location.HEADER} else Style.FORM
    if parameter.style is None and parameter.explode is None:
        swagger = parameter.collection_format
        return None if swagger is None else Layout(_STYLE_OF_FORMAT.get(swagger, usual), explode=swagger == "multi")
    style = Style(parameter.style) if parameter.style is not None else usual
    return Layout(style, parameter.explode if parameter.explode is not None else style is Style.FORM)
