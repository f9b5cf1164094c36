"""A plan as data that people and programs can read: the JSON of ``capably plan`` (docs/reference/plan.md)."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypedDict

from msgspec import DecodeError, Meta
from msgspec import json as msgspec_json

from capably.plan.consumed import Consumed
from capably.plan.effects import Call
from capably.plan.flow_description import FlowDescription, TargetDescription, describe_flow, describe_target
from capably.plan.gate import scheme_of
from capably.plan.inputs import input_schema
from capably.plan.offer_description import (
    PromptDescription,
    ResourceDescription,
    describe_prompt,
    describe_resource,
)
from capably.plan.operation import (
    REST_OF_PATH,
    Derived,
    Forward,
    Input,
    Operation,
    Plan,
    SkillPlan,
    SkillTool,
)
from capably.plan.outcome import Fault, Passage
from capably.plan.passage import request_of
from capably.plan.steps import Flow
from capably.upstream.request import Request, RequestError, build_request


class ServerDescription(TypedDict):
    """A server the document exposes."""

    server: Annotated[str, Meta(description="The kind of server: rest, mcp, skill or control.")]
    namespace: Annotated[str, Meta(description="The server's name; `--port` takes it.")]
    address: Annotated[str, Meta(description="The address it listens on.")]
    port: Annotated[int, Meta(description="The port it listens on.")]
    operations: Annotated[int, Meta(description="How many operations or tools it offers.")]
    forwards: Annotated[int, Meta(description="How many paths it passes on as they are.")]
    skills: Annotated[int, Meta(description="How many skills it describes.")]
    asks_for: Annotated[str, Meta(description="How callers prove who they are: a scheme, or none.")]


InputDescription = TypedDict(
    "InputDescription",
    {
        "name": Annotated[str, Meta(description="The input's name in the document.")],
        "in": Annotated[str, Meta(description="path, query, header, cookie, body, or argument (MCP).")],
        "wire_name": Annotated[str, Meta(description="Its name on the wire, such as the route's placeholder.")],
        "type": Annotated[str, Meta(description="Its JSON type.")],
        "required": bool,
        "from": Annotated[
            str,
            Meta(description="What made it known: declared, route, with, target (what is called), flow or template."),
        ],
        "description": str,
    },
)


class RequestDescription(TypedDict):
    """An upstream request."""

    method: str
    url: Annotated[str, Meta(description="Encoded; values that are not known show as <NAME>.")]
    headers: dict[str, str]
    body: Annotated[Any, Meta(description="The JSON value of the body, its text, or null when none is sent.")]


class OperationDescription(TypedDict):
    """An exposed operation or tool."""

    server: Annotated[str, Meta(description="The kind of its server: rest, mcp or skill.")]
    namespace: Annotated[str, Meta(description="Its server's name.")]
    name: str
    served_as: Annotated[str, Meta(description="The name callers use: the tool's own unless clients may refuse that.")]
    title: str
    description: str
    asks_for: Annotated[str | None, Meta(description="How callers prove who they are, if not as the server asks.")]
    scopes: Annotated[list[str], Meta(description="What their tokens must grant, besides the server's own scopes.")]
    method: Annotated[str | None, Meta(description="The HTTP method; null for tools.")]
    path: Annotated[str | None, Meta(description="The HTTP path; null for tools.")]
    target: Annotated[TargetDescription | None, Meta(description="What is called; null for a mock and for steps.")]
    flow: Annotated[FlowDescription | None, Meta(description="Its steps; null when it has none.")]
    decided_by: Annotated[
        str,
        Meta(
            description="What chose the target: name, full-name, with, path, description, order or identical; or mock: "
            "the outputs state their values and nothing is called."
        ),
    ]
    inputs: list[InputDescription]
    input_schema: Annotated[dict[str, Any], Meta(description="The inputs as a JSON Schema (2020-12).")]
    example: Annotated[
        RequestDescription | None,
        Meta(description="The request that sample inputs would make; null when there is none."),
    ]
    line: Annotated[int, Meta(description="The line of the document it stands on.")]


class ForwardDescription(TypedDict):
    """A path whose requests are passed on as they are."""

    namespace: Annotated[str, Meta(description="Its server's name.")]
    path: Annotated[str, Meta(description="The HTTP path; a last {path} takes all that is left.")]
    description: str
    target: Annotated[str, Meta(description="The consumed namespace requests are passed on to.")]
    scopes: Annotated[list[str], Meta(description="What callers' tokens must grant, besides the server's own scopes.")]
    trusted_headers: Annotated[list[str], Meta(description="Headers of callers that pass, in lower case.")]
    example: Annotated[RequestDescription | None, Meta(description="The request that a GET of this path would make.")]
    line: Annotated[int, Meta(description="The line of the document it stands on.")]


SkillToolDescription = TypedDict(
    "SkillToolDescription",
    {
        "name": str,
        "description": str,
        "from": Annotated[str | None, Meta(description="The operation it stands for: `namespace.action`.")],
        "instruction": Annotated[str | None, Meta(description="Else the file of the skill that says how it is done.")],
    },
)


class SkillDescription(TypedDict):
    """A skill that agents can read."""

    namespace: Annotated[str, Meta(description="Its server's name.")]
    name: str
    description: str
    location: Annotated[str | None, Meta(description="The folder with its files; null when it has none.")]
    tools: list[SkillToolDescription]
    line: Annotated[int, Meta(description="The line of the document it stands on.")]


class PlanDescription(TypedDict):
    """A plan."""

    title: str
    language: Annotated[str, Meta(description="The version of the language the document is written in.")]
    servers: list[ServerDescription]
    upstreams: Annotated[dict[str, str], Meta(description="Base URI by consumed namespace.")]
    operations: list[OperationDescription]
    forwards: list[ForwardDescription]
    skills: list[SkillDescription]
    resources: list[ResourceDescription]
    prompts: list[PromptDescription]


_SAMPLES: Mapping[str, Any] = {
    "number": 1.5,
    "integer": 1,
    "boolean": True,
    "array": ["item"],
    "object": {"key": "value"},
}
NO_PLAN: PlanDescription = {
    "title": "",
    "language": "",
    "servers": [],
    "upstreams": {},
    "operations": [],
    "forwards": [],
    "skills": [],
    "resources": [],
    "prompts": [],
}


def describe_plan(plan: Plan) -> PlanDescription:
    """The servers and operations of a plan, with the upstream request each would make."""
    return {
        "title": plan.title,
        "language": plan.language,
        "servers": [
            {
                "server": server.kind.value,
                "namespace": server.namespace,
                "address": server.address or "127.0.0.1",
                "port": server.port,
                "operations": len(server.operations),
                "forwards": len(server.forwards),
                "skills": len(server.skills),
                "asks_for": scheme_of(server.gate),
            }
            for server in (*plan.servers, *([plan.control] if plan.control is not None else []))
        ],
        "upstreams": dict(plan.upstreams),
        "operations": [describe_operation(item) for server in plan.servers for item in server.operations],
        "forwards": [describe_forward(item) for server in plan.servers for item in server.forwards],
        "skills": [describe_skill(server.namespace, item) for server in plan.servers for item in server.skills],
        "resources": [
            describe_resource(server.namespace, item) for server in plan.servers for item in server.resources
        ],
        "prompts": [describe_prompt(server.namespace, item) for server in plan.servers for item in server.prompts],
    }


def describe_operation(operation: Operation) -> OperationDescription:
    """One operation: what callers see, what it calls and why, what it takes, and an example of its request."""
    return {
        "server": operation.server.value,
        "namespace": operation.namespace,
        "name": operation.name,
        "served_as": operation.wire_name,
        "title": operation.title,
        "description": operation.description,
        "asks_for": scheme_of(operation.gate) if operation.gate is not None else None,
        "scopes": list(operation.scopes),
        "method": operation.method,
        "path": operation.route.path if operation.route is not None else None,
        "target": describe_target(operation.work.target) if isinstance(operation.work, Consumed) else None,
        "flow": describe_flow(operation.work) if isinstance(operation.work, Flow) else None,
        "decided_by": operation.work.decided_by,
        "inputs": [_input(item) for item in operation.inputs],
        "input_schema": input_schema(operation),
        "example": example(operation),
        "line": operation.span.line,
    }


def describe_forward(forward: Forward) -> ForwardDescription:
    """One forward: where it stands, where it leads to, and an example of its request."""
    return {
        "namespace": forward.namespace,
        "path": forward.route.path,
        "description": forward.description,
        "target": forward.target,
        "scopes": list(forward.scopes),
        "trusted_headers": sorted(forward.trusted),
        "example": _passed_on(forward),
        "line": forward.span.line,
    }


def _passed_on(forward: Forward) -> RequestDescription | None:
    rest = REST_OF_PATH if forward.route.takes_rest else None
    try:
        request = request_of(forward, Passage("GET", rest, "", sample_inputs(forward.inputs), ()))
    except Fault:
        return None
    return describe_request(Call(forward.target, request, forward.scheme).shown)


def describe_skill(namespace: str, skill: SkillPlan) -> SkillDescription:
    """One skill: what its tools stand for, and where its files are."""
    return {
        "namespace": namespace,
        "name": skill.name,
        "description": skill.description,
        "location": str(skill.folder.path) if skill.folder is not None else None,
        "tools": [_skill_tool(tool) for tool in skill.tools],
        "line": skill.span.line,
    }


def _skill_tool(tool: SkillTool) -> SkillToolDescription:
    means = tool.means
    return {
        "name": tool.name,
        "description": tool.description,
        "from": f"{means.namespace}.{means.action}" if isinstance(means, Derived) else None,
        "instruction": means if isinstance(means, str) else None,
    }


def _input(item: Input) -> InputDescription:
    return {
        "name": item.name,
        "in": item.location.value,
        "wire_name": item.wire_name,
        "type": item.type,
        "required": item.required,
        "from": item.origin.value,
        "description": item.description,
    }


def sample_inputs(inputs: Iterable[Input]) -> dict[str, Any]:
    """A plausible value for every input: its default, its first choice, else one of its type that bears its name."""
    return {item.name: _sample(item) for item in inputs}


def _sample(item: Input) -> Any:
    if "default" in item.schema:
        return item.schema["default"]
    for keyword in ("enum", "examples"):
        if item.schema.get(keyword):
            return item.schema[keyword][0]
    if "const" in item.schema:
        return item.schema["const"]
    return _SAMPLES.get(item.type, f"{item.name}-1")


def example(operation: Operation) -> RequestDescription | None:
    """The upstream request that sample inputs would make; ``None`` when no sample fits, or nothing is called."""
    work = operation.work
    if not isinstance(work, Consumed):
        return None
    try:
        request = build_request(work.request, sample_inputs(operation.inputs))
    except RequestError:
        return None
    return describe_request(Call(work.target.namespace, request, work.scheme).shown)


def describe_request(request: Request) -> RequestDescription:
    """A request as data; a JSON body as its value, any other as text."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "body": _body(request),
    }


def _body(request: Request) -> Any:
    if request.body is None:
        return None
    try:
        return msgspec_json.decode(request.body)
    except DecodeError:
        return request.body.decode("utf-8", "replace")
