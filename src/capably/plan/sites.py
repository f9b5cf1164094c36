"""Exposed operations with the levels above them: server, resource, parameters of all levels."""

from collections.abc import Iterator
from dataclasses import dataclass

from capably.diagnostics import Diagnostic, Span
from capably.model.exposes import Exposed, ExposedOperation, ExposedResource, Exposes, ExposesMcp, ExposesRest
from capably.model.values import Parameter
from capably.plan.intake import Front
from capably.plan.operation import Kind
from capably.plan.routes import placeholders
from capably.plan.stated_schema import stated_inputs


@dataclass(frozen=True, slots=True)
class Site:
    """One exposed operation with the levels above it."""

    kind: Kind
    server: Exposes
    exposed: Exposed
    span: Span
    parameters: tuple[Parameter, ...]
    method: str | None = None
    path: str | None = None
    resource: ExposedResource | None = None

    @property
    def namespace(self) -> str:
        """The server's name."""
        return self.server.namespace or self.kind.value

    @property
    def front(self) -> Front:
        """What the levels say of its inputs."""
        names = placeholders(self.path or "")
        return Front(
            self.kind,
            self.namespace,
            self.exposed,
            self.parameters,
            names,
            self.span,
            self.server.node.once,
            self.server,
        )


def sites(server: Exposes, found: list[Diagnostic]) -> Iterator[Site]:
    """Every operation and tool of a server, in the order of the document; problems are added to ``found``."""
    if isinstance(server, ExposesMcp):
        for tool in server.tools:
            yield Site(Kind.MCP, server, tool, tool.value_span("name"), stated_inputs(tool, found))
    elif isinstance(server, ExposesRest):
        for resource in server.resources:
            for operation in resource.operations:
                yield _rest_site(server, resource, operation)


def _rest_site(server: ExposesRest, resource: ExposedResource, operation: ExposedOperation) -> Site:
    levels: dict[tuple[str, str | None], Parameter] = {}
    for parameter in (*server.inputs, *resource.inputs, *operation.inputs):
        levels[parameter.name, parameter.in_] = parameter
    span = operation.value_span("name") if operation.name is not None else operation.value_span("method")
    return Site(Kind.REST, server, operation, span, tuple(levels.values()), operation.method, resource.path, resource)
