"""Rules about the servers a document exposes."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from capably.diagnostics import Diagnostic, Span, error, warning
from capably.model.capability import Capability
from capably.model.consumes import Consumes
from capably.plan.compile import Compiled
from capably.plan.operation import Kind, Operation, Route

Item = TypeVar("Item")


def _repeated(items: Iterable[Item], key: Callable[[Item], Hashable]) -> Iterator[tuple[Item, Item]]:
    """Pairs of the first item with a key and each later one."""
    first: dict[Hashable, Item] = {}
    for item in items:
        earlier = first.setdefault(key(item), item)
        if earlier is not item:
            yield earlier, item


def nothing_served(capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """A document that exposes no operation."""
    if compiled.plan.offers_something:
        return
    span = capability.key_span("capability")
    advice = "add `exposes:` with a `type: rest` or `type: mcp` server whose operations have a `call`"
    if capability.exposes:
        stated = "no server of it has an operation that can be served"
    elif "capability" in capability.node.entries:
        stated = "it exposes no server"
    else:
        stated = "it only holds entries for other documents"
        advice = "import it: `- import: NAMESPACE` with `from: ./this-file.yaml`, and serve that document"
    yield error("DOC015", f"there is nothing to serve: {stated}", span, advice)


def part_not_served(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """Ways to an API that are not taken."""
    for entry in capability.consumes:
        if (entry.type or "http").lower() not in {"http", "https"}:
            message = (
                f"`{entry.namespace}` is an API of type `{entry.type}`, which capably does not speak: it is sent http"
            )
            yield warning("DOC013", message, entry.value_span("type"), "write `type: http`, or put a gateway before it")
        if entry.tunnel is not None:
            message = f"`{entry.namespace}` is reached through a tunnel, which capably does not open"
            yield warning("DOC013", message, entry.key_span("tunnel"), *_without_tunnel(entry))


def _without_tunnel(entry: Consumes) -> tuple[str, ...]:
    if not entry.needs_tunnel:
        return ("it is reached directly, as `fallback: direct` says",)
    given = f"--upstream {entry.namespace}=URL"
    return (f"give the address at which a tunneler of this machine offers it with {given}",)


def namespace_twice(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """Two servers share a namespace."""
    for earlier, server in _repeated(compiled.plan.servers, lambda item: item.namespace):
        message = f"two servers have the namespace `{server.namespace}`"
        yield error("SRV002", message, server.span, "rename one", related=[(earlier.span, "the other one")])


def port_twice(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """Two servers share a port."""
    plan = compiled.plan
    servers = (server for server in (*plan.servers, plan.control) if server is not None and server.port)
    for earlier, server in _repeated(servers, lambda item: item.port):
        message = f"`{server.namespace}` and `{earlier.namespace}` both listen on port {server.port}"
        advice = f"change one, or serve with `--port {server.namespace}={server.port + 1}`"
        yield warning("SRV001", message, server.port_span, advice, related=[(earlier.port_span, "the other one")])


def _shape(route: Route | None) -> Hashable:
    segments = route.segments if route is not None else ()
    shape = tuple(part if isinstance(part, str) else part[::2] for part in segments)
    return shape, route is not None and route.takes_rest


def _route_key(operation: Operation) -> Hashable:
    return operation.method, _shape(operation.route)


def route_twice(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """Two operations of one server answer the same method and path."""
    for server in compiled.plan.servers:
        if server.kind is Kind.REST:
            for earlier, operation in _repeated(server.operations, _route_key):
                path = operation.route.path if operation.route is not None else ""
                yield _hidden("SRV003", f"{operation.method} {path}", operation.span, earlier.span)


def forward_twice(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """Two forwards of one server stand on the same path."""
    for server in compiled.plan.servers:
        for earlier, forward in _repeated(server.forwards, lambda item: _shape(item.route)):
            yield _hidden("SRV003", f"the forward on {forward.route.path}", forward.span, earlier.span)


def tool_twice(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """Two tools of one server have the same name."""
    for server in compiled.plan.servers:
        if server.kind is Kind.MCP:
            for earlier, operation in _repeated(server.operations, lambda item: item.name):
                yield _hidden("SRV004", f"the tool `{operation.name}`", operation.span, earlier.span)


def _hidden(code: str, what: str, span: Span, earlier: Span) -> Diagnostic:
    message = f"{what} is exposed twice: the first one is served"
    return warning(code, message, span, "remove or change one of them", related=[(earlier, "the first one")])


def unsafe_tool_name(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """A tool name that clients may refuse (MCP 2025-11-25, Tools: Tool Names)."""
    for server in compiled.plan.servers:
        for operation in server.operations if server.kind is Kind.MCP else ():
            if operation.served_as:
                message = (
                    f"clients may refuse the tool name `{operation.name}`: it is served as `{operation.served_as}`"
                )
                yield warning("SRV005", message, operation.span, "use 1 to 64 letters, digits, `_` and `-`")
