"""A plan as data that people and programs can read: the JSON of ``capably plan`` (docs/reference/plan.md)."""

from collections.abc import Iterable
from typing import Any

import msgspec

from capably.plan.inputs import input_schema
from capably.plan.operation import Input, Operation, Plan
from capably.upstream.request import Request, RequestError, build_request

_SAMPLES: dict[str, Any] = {
    "number": 1.5,
    "integer": 1,
    "boolean": True,
    "array": ["item"],
    "object": {"key": "value"},
}


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The servers and operations of a plan, with the upstream request each would make."""
    return {
        "title": plan.title,
        "servers": [
            {
                "server": server.kind.value,
                "namespace": server.namespace,
                "address": server.address or "127.0.0.1",
                "port": server.port,
                "operations": len(server.operations),
            }
            for server in plan.servers
        ],
        "upstreams": dict(plan.upstreams),
        "operations": [describe_operation(item) for server in plan.servers for item in server.operations],
    }


def describe_operation(operation: Operation) -> dict[str, Any]:
    """One operation: what callers see, what it calls and why, what it takes, and an example of its request."""
    target = operation.target
    return {
        "server": operation.server.value,
        "namespace": operation.namespace,
        "name": operation.name,
        "title": operation.title,
        "description": operation.description,
        "method": operation.method,
        "path": operation.route.path if operation.route is not None else None,
        "target": {
            "namespace": target.namespace,
            "resource": target.resource,
            "operation": target.operation,
            "method": target.method,
            "path": target.path,
        },
        "decided_by": operation.decided_by,
        "inputs": [_input(item) for item in operation.inputs],
        "input_schema": input_schema(operation.inputs),
        "example": example(operation),
        "line": operation.span.line,
    }


def _input(item: Input) -> dict[str, Any]:
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
    if item.schema.get("enum"):
        return item.schema["enum"][0]
    return _SAMPLES.get(item.type, f"{item.name}-1")


def example(operation: Operation) -> dict[str, Any] | None:
    """The upstream request that sample inputs would make; ``None`` when no sample fits."""
    try:
        request = build_request(operation.request, sample_inputs(operation.inputs))
    except RequestError:
        return None
    return describe_request(request)


def describe_request(request: Request) -> dict[str, Any]:
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
        return msgspec.json.decode(request.body)
    except msgspec.DecodeError:
        return request.body.decode("utf-8", "replace")
