"""Which runs a story makes: through which servers its operation is called, and with what."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from capably.casefile.callers import HttpRequest, ToolCall, request_for, written_request
from capably.casefile.comparing import plain_json
from capably.casefile.records import Story
from capably.diagnostics import Diagnostic, did_you_mean, error
from capably.expr.names import find_name
from capably.plan.operation import Kind, Operation, Plan, ServerPlan
from capably.servers.mcp_mirrors import mirrors_of


@dataclass(frozen=True, slots=True)
class Run:
    """A story that goes through one server."""

    story: Story
    server: ServerPlan
    asks: HttpRequest | ToolCall


def runs_of(story: Story, plan: Plan, found: list[Diagnostic]) -> list[Run]:
    """The runs of a story: one through each kind of server that has its operation.

    Args:
        story: the story.
        plan: the document's plan.
        found: collects why it cannot be run.
    """
    servers = [item for item in plan.servers if story.server in {None, item.namespace}]
    if not servers:
        names = [item.namespace for item in plan.servers]
        message = f"the document serves no server `{story.server}`"
        found.append(error("CAS002", message, story.value_span("server"), *did_you_mean(story.server or "", names)))
        return []
    if story.request is not None:
        return _written(story, story.request, servers, found)
    runs = [run for kind in (Kind.REST, Kind.MCP) for run in _through(story, kind, servers, found)]
    if not runs and not found:
        found.append(_unknown(story, servers))
    return runs


def _written(story: Story, line: str, servers: list[ServerPlan], found: list[Diagnostic]) -> list[Run]:
    kinds = (Kind.REST, Kind.SKILL) if story.server is None else tuple(Kind)
    server = next((item for kind in kinds for item in servers if item.kind is kind), None)
    if server is None:
        message = "the document serves no REST server to send this to"
        found.append(error("CAS002", message, story.value_span("request"), "name another one with `server:`"))
        return []
    return [Run(story, server, written_request(line, story.body, story.headers or {}))]


def _through(story: Story, kind: Kind, servers: list[ServerPlan], found: list[Diagnostic]) -> Iterator[Run]:
    if story.through not in {None, kind.value}:
        return
    name = (story.tool if kind is Kind.MCP else None) or story.call or ""
    operations = {
        known: (item, operation)
        for item in reversed(servers)
        for operation in reversed(item.operations)
        if item.kind is kind
        for known in _names(operation)
    }
    one = find_name(name, operations).one
    if one is None:
        if story.through is not None or (kind is Kind.MCP and story.tool is not None):
            found.append(_unknown(story, [item for item in servers if item.kind is kind]))
        return
    server, operation = operations[one]
    inputs = _inputs(story, operation, found)
    if inputs is None:
        return
    if kind is Kind.MCP:
        yield Run(story, server, ToolCall(operation.name, inputs, mirrors_of(operation)))
        return
    try:
        yield Run(story, server, request_for(operation, inputs, story.headers or {}))
    except ValueError as problem:
        message = f"REST callers cannot leave this out: {problem}"
        advice = "give it in `with`, or write `through: mcp`"
        found.append(error("CAS002", message, story.value_span("call"), advice))


def _names(operation: Operation) -> Iterator[str]:
    yield operation.name
    if operation.route is not None:
        yield f"{operation.method} {operation.route.path}"


def _inputs(story: Story, operation: Operation, found: list[Diagnostic]) -> dict[str, Any] | None:
    """The inputs by the operation's names for them; ``None`` when it has no such input.

    A story that goes through MCP alone may give arguments that no tool has, to see them refused.
    """
    names = [item.name for item in operation.inputs]
    given = {}
    for written, node in (story.inputs or {}).items():
        name = find_name(written, names).one
        if name is None and story.through != "mcp":
            advice = did_you_mean(written, names) or ("it takes none",)
            message = f"`{operation.name}` has no input `{written}`"
            found.append(error("CAS002", message, node.span, *advice))
            return None
        given[name or written] = plain_json(node)
    return given


def _unknown(story: Story, servers: list[ServerPlan]) -> Diagnostic:
    names = [name for item in servers for operation in item.operations for name in _names(operation)]
    key = "tool" if story.tool is not None and story.through != "rest" else "call"
    written = (story.tool if key == "tool" else story.call) or ""
    advice = did_you_mean(written, dict.fromkeys(names)) or ("`capably plan` shows what the document serves",)
    return error("CAS002", f"the document serves no operation `{written}`", story.value_span(key), *advice)
