"""What the process serves, as the JSON that the page is made of: documents, servers and what each of them offers."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from capably import __version__
from capably.diagnostics import Severity
from capably.plan.consumed import Consumed
from capably.plan.description import (
    describe_forward,
    describe_operation,
    describe_skill,
)
from capably.plan.gate import DigestGate, Gate, SecretGate, scheme_of
from capably.plan.offer_description import describe_prompt, describe_resource
from capably.plan.operation import Input, Kind, Operation, ServerPlan
from capably.plan.steps import CallTask, Flow
from capably.plan.variables import SECRET_NAMES
from capably.servers.console.hiding import hidden, hide_of
from capably.servers.desk import Desk, Document, Listener
from capably.telemetry.redaction import HIDDEN

Object: TypeAlias = dict[str, Any]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "QUERY"})
_REPEATABLE: Final = _SAFE | {"PUT", "DELETE"}  # RFC 9110, section 9.2.2
_ENDPOINTS: Final = {Kind.MCP: "/mcp", Kind.SKILL: "/skills"}


def overview(desk: Desk) -> Object:
    """Everything that is served, secrets left out."""
    told = {
        "version": __version__,
        "generation": desk.generation,
        "started_at": moment(desk.started_at),
        "documents": [_document(item, desk.listeners) for item in desk.documents],
    }
    found: Object = hidden(told, hide_of(desk.documents))
    return found


def moment(at: datetime) -> str:
    """A point in time as RFC 3339, which every browser reads."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _document(document: Document, listeners: tuple[Listener, ...]) -> Object:
    plan = document.plan
    by_namespace = {item.namespace: item for item in listeners}
    severities = [item.severity for item in document.diagnostics]
    return {
        "file": document.file,
        "path": str(Path(document.file).resolve()),
        "needs": _needs(document),
        "title": plan.title or document.file.rpartition("/")[2],
        "description": _description(document),
        "language": plan.language,
        "generation": document.generation,
        "loaded_at": moment(document.loaded_at),
        "upstreams": dict(plan.upstreams),
        "counts": {each.value: severities.count(each) for each in Severity},
        "servers": [_server(server, by_namespace.get(server.namespace)) for server in plan.servers],
    }


def _needs(document: Document) -> list[str]:
    """The environment variables that a process of its own would look for."""
    return list(dict.fromkeys(item.environment[-1] for item in document.variables if item.environment))


def _description(document: Document) -> str:
    info = document.capability.info
    return str(getattr(info, "description", None) or "")


def _server(server: ServerPlan, listener: Listener | None) -> Object:
    url = listener.url if listener is not None else ""
    over_stdio = server.over_stdio
    return {
        "kind": server.kind.value,
        "namespace": server.namespace,
        "description": server.description,
        "url": url,
        "endpoint": url if over_stdio or not url else url + _ENDPOINTS.get(server.kind, ""),
        "over_stdio": over_stdio,
        "is_started": listener is not None and listener.is_started,
        "docs": f"{url}/docs" if url and server.kind is Kind.REST and server.describes_itself else "",
        "asks": asked(server.gate),
        "line": server.span.line,
        "file": server.span.file,
        "operations": [_operation(item, server) for item in server.operations],
        "forwards": [{**describe_forward(item), "example": None} for item in server.forwards],
        "resources": [describe_resource(server.namespace, item) for item in server.resources],
        "prompts": [describe_prompt(server.namespace, item) for item in server.prompts],
        "skills": [describe_skill(server.namespace, item) for item in server.skills],
    }


def asked(gate: Gate | None) -> Object:
    """What callers are asked for: the scheme, and where an API key stands."""
    found: Object = {"scheme": scheme_of(gate)}
    if isinstance(gate, SecretGate) and not gate.scheme:
        found |= {"place": gate.placement, "name": gate.name}
    elif isinstance(gate, SecretGate | DigestGate):
        found["place"] = "header"
    return found


def key_of(operation: Operation) -> str:
    """The name by which the page asks for an operation: unique in its server, and the same after a reload."""
    return operation.wire_name if operation.route is None else f"{operation.method} {operation.route.path}"


def _operation(operation: Operation, server: ServerPlan) -> Object:
    described = describe_operation(operation)
    example = described["example"]
    if example is not None:
        shown = {name: HIDDEN if SECRET_NAMES.search(name) else text for name, text in example["headers"].items()}
        example = {**example, "headers": shown}
    return {
        **described,
        "example": example,
        "key": key_of(operation),
        "asks": asked(operation.gate if operation.gate is not None else server.gate),
        "file": operation.span.file,
        "effects": effects(operation),
        "inputs": [_input(item) for item in operation.inputs],
    }


def _input(item: Input) -> Object:
    """An input with what a form, and a request by hand, need to know."""
    return {
        "name": item.name,
        "in": item.location.value,
        "wire_name": item.wire_name,
        "type": item.type,
        "required": item.required,
        "from": item.origin.value,
        "description": item.description or item.schema.get("description", ""),
        "whole_body": item.whole_body,
        "schema": dict(item.schema),
    }


def effects(operation: Operation) -> Object:
    """What an operation may do to the world: what its tool says of it, else what the methods it calls mean."""
    stated = operation.hints
    methods = _methods(operation)
    found: Object = {
        "read_only": methods <= _SAFE,
        "destructive": "DELETE" in methods or operation.method == "DELETE",
        "idempotent": methods <= _REPEATABLE,
        "open_world": None,
        "stated": stated is not None,
    }
    if stated is not None:
        for name in ("read_only", "destructive", "idempotent", "open_world"):
            value = getattr(stated, name)
            found[name] = found[name] if value is None else value
    if found["read_only"]:
        found["destructive"] = False
    return found


def _methods(operation: Operation) -> set[str]:
    work = operation.work
    if isinstance(work, Consumed):
        return {work.target.method}
    if isinstance(work, Flow):
        return {step.task.consumed.target.method for step in work.steps if isinstance(step.task, CallTask)}
    return set()
