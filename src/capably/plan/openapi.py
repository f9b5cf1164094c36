"""What a REST server offers, as an OpenAPI 3.1 document, made from the plan that it is served from.

So it says what the server does: the inputs it checks, the answers it gives, whom it asks for what.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from capably.plan.consumed import Consumed
from capably.plan.contract import StatedAnswer
from capably.plan.gate import DigestGate, Gate, OpenGate, SecretGate
from capably.plan.gate_oauth2 import OAuthGate
from capably.plan.operation import Forward, Input, Location, Mock, Operation, Route, ServerPlan
from capably.plan.representations import ANYTHING, JSON, media_types

Object: TypeAlias = dict[str, Any]

VERSION: Final = "3.1.1"
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
"""What bodies may be beside JSON where they are made of fields, as web forms send them."""

_PARAMETERS: Final = (Location.PATH, Location.QUERY, Location.HEADER, Location.COOKIE)
_NOT_PARAMETERS: Final = frozenset({"accept", "content-type", "authorization"})  # OpenAPI 3.1.1, section 4.8.12.1
_WORD: Final = re.compile("[A-Za-z0-9]+")
_PROBLEM: Final = "application/problem+json"
_BODILESS: Final = frozenset({"204", "205"})


def openapi_document(server: ServerPlan, root: str = "") -> Object:
    """The OpenAPI document of a REST server.

    Args:
        server: its plan.
        root: the URL it is reached at, or the path below which it is; empty when that is the root.

    Returns:
        JSON values; two calls with equal arguments give equal documents, keys in the same order.
    """
    gates = _gates(server)
    schemes = {_scheme_name(gate): _scheme(gate) for gate in gates}
    document: Object = {
        "openapi": VERSION,
        "info": _info(server),
        "servers": [{"url": root or "/"}],
        "paths": _paths(server),
        "components": {
            "schemas": {"Problem": _PROBLEM_SCHEMA},
            "responses": {"Problem": _REFUSAL, "Failure": _FAILURE},
        },
    }
    if schemes:
        document["components"]["securitySchemes"] = schemes
    if server.gate is not None:
        document["security"] = [_requirement(server.gate, ())]
    return document


def _info(server: ServerPlan) -> Object:
    info: Object = {"title": server.title or server.namespace, "version": server.version}
    return {**info, "description": server.description} if server.description else info


def _paths(server: ServerPlan) -> Object:
    """Path items; routes that differ in the names of their placeholders only are one path, under its first names."""
    paths: Object = {}
    names: dict[tuple[object, ...], Route] = {}
    ids = _ids(server.operations)
    for operation, identifier in zip(server.operations, ids, strict=True):
        if operation.route is None or operation.method is None:
            continue
        shown = names.setdefault(_shape(operation.route), operation.route)
        item = paths.setdefault(_path(shown), {})
        item.setdefault(operation.method.lower(), _operation(operation, server, shown, identifier))
    for forward in server.forwards:
        shown = names.setdefault(_shape(forward.route), forward.route)
        paths.setdefault(_path(shown), {}).update(_forward(forward, shown))
    return paths


def _ids(operations: Iterable[Operation]) -> Iterator[str]:
    """Names of operations, each once: where one is used again, method and path tell them apart."""
    listed = list(operations)
    times = Counter(item.name for item in listed)
    seen: Counter[str] = Counter()
    for item in listed:
        path = item.route.path if item.route is not None else ""
        spelled = "-".join(_WORD.findall(f"{(item.method or '').lower()} {path}"))
        name = item.name if times[item.name] == 1 else spelled
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"


def _shape(route: Route) -> tuple[object, ...]:
    return tuple(segment if isinstance(segment, str) else segment[::2] for segment in route.segments)


def _path(route: Route) -> str:
    parts = (
        segment
        if isinstance(segment, str)
        else "".join(f"{{{text}}}" if at % 2 else text for at, text in enumerate(segment))
        for segment in route.segments
    )
    return "/" + "/".join(parts)


def _placeholders(route: Route) -> list[str]:
    return [name for segment in route.segments if not isinstance(segment, str) for name in segment[1::2]]


def _operation(operation: Operation, server: ServerPlan, shown: Route, identifier: str) -> Object:
    told: Object = {"operationId": identifier}
    if operation.title:
        told["summary"] = operation.title
    if operation.description:
        told["description"] = operation.description
    parameters = list(_parameters(operation, shown))
    if parameters:
        told["parameters"] = parameters
    body = _body([item for item in operation.inputs if item.location is Location.BODY])
    if body is not None:
        told["requestBody"] = body
    told["responses"] = _responses(operation)
    if operation.gate is not None:
        told["security"] = [] if isinstance(operation.gate, OpenGate) else [_requirement(operation.gate, ())]
    gate = operation.gate or server.gate
    if operation.scopes and isinstance(gate, OAuthGate):
        told["security"] = [_requirement(gate, operation.scopes)]
    return told


def _parameters(operation: Operation, shown: Route) -> Iterator[Object]:
    own = _placeholders(operation.route) if operation.route is not None else []
    by_place = {item.wire_name: item for item in operation.inputs if item.location is Location.PATH}
    for name, own_name in zip(_placeholders(shown), own, strict=True):
        known = by_place.get(own_name)
        schema = dict(known.schema) if known is not None else {"type": "string"}
        yield _described({"name": name, "in": "path", "required": True}, schema, known)
    for item in operation.inputs:
        if item.location in _PARAMETERS and item.location is not Location.PATH:
            if item.location is Location.HEADER and item.wire_name.lower() in _NOT_PARAMETERS:
                continue
            start = {"name": item.wire_name, "in": item.location.value}
            yield _described({**start, "required": True} if item.required else start, dict(item.schema), item)


def _described(parameter: Object, schema: Object, item: Input | None) -> Object:
    """A parameter with what is said of it: its description stands beside its schema."""
    description = schema.pop("description", "") or (item.description if item is not None else "")
    return {**parameter, **({"description": description} if description else {}), "schema": schema}


def _body(items: list[Input]) -> Object | None:
    if not items:
        return None
    whole = next((item for item in items if item.whole_body), None)
    if whole is not None:
        return _described_body(whole.description, {JSON: {"schema": dict(whole.schema)}}, is_required=whole.required)
    schema: Object = {"type": "object", "properties": {item.wire_name: dict(item.schema) for item in items}}
    required = [item.wire_name for item in items if item.required]
    if required:
        schema["required"] = required
    content = {name: {"schema": schema} for name in (JSON, *FORMS)}
    return _described_body("", content, is_required=bool(required))


def _described_body(description: str, content: Object, *, is_required: bool) -> Object:
    body: Object = {"description": description} if description else {}
    return {**body, "content": content, **({"required": True} if is_required else {})}


def _responses(operation: Operation) -> Object:
    """What is answered: as the plan knows it, with what the document states of it (`responses`) by status."""
    schema = dict(operation.output.schema) if operation.output is not None else {}
    kinds = media_types(operation)
    content = {kind: {"schema": schema} if kind == kinds[0] and schema else {} for kind in kinds}
    responses: Object = {"200": {"description": "The answer.", "content": content}}
    if isinstance(operation.work, Mock):
        responses["204"] = {"description": "There is nothing to say."}
    else:
        responses["2XX"] = {"description": "The answer, with the status of the upstream.", "content": content}
    failure = {"$ref": f"#/components/responses/{'Problem' if isinstance(operation.work, Mock) else 'Failure'}"}
    if operation.inputs:
        responses["400"] = failure
    responses["default"] = failure
    if any(item.is_success for item in operation.contract) and not isinstance(operation.work, Mock):
        del responses["200"]
    responses |= {item.status: _stated(item, _content(item, operation, content)) for item in operation.contract}
    return {status: responses[status] for status in sorted(responses)}


def _content(answer: StatedAnswer, operation: Operation, made: Object) -> Object:
    """What is told with a stated status, by media type: ``made`` is what successes hold as the plan knows it."""
    stated: Object = {kind: {"schema": dict(schema)} if schema else {} for kind, schema in answer.content.items()}
    if not answer.is_success:
        return {**stated, _PROBLEM: _PROBLEM_CONTENT} if answer.status.startswith(("4", "5")) else stated
    if answer.status in _BODILESS:
        return {}
    work = operation.work
    if isinstance(work, Consumed) and work.raw_format.is_binary:
        return {kind: {} for kind in work.raw_format.kinds_of(answer.status)} or made
    if not stated or ANYTHING in made:
        return stated or made
    return {**stated, **{kind: item or stated.get(kind, {}) for kind, item in made.items()}}


def _stated(answer: StatedAnswer, content: Object) -> Object:
    return {"description": answer.description, **({"content": content} if content else {})}


def _forward(forward: Forward, shown: Route) -> Object:
    """A path item that says what passes; OpenAPI has no word for "any method"."""
    told = forward.description or f"Any request is passed on to `{forward.target}` as it is."
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _placeholders(shown)
    ]
    return {"description": told, **({"parameters": parameters} if parameters else {})}


def _gates(server: ServerPlan) -> list[Gate]:
    gates = (server.gate, *(item.gate for item in server.operations))
    return [gate for gate in gates if gate is not None and not isinstance(gate, OpenGate)]


def _scheme_name(gate: Gate) -> str:
    """A name that equal gates share: the scheme, and what tells gates of it apart."""
    if isinstance(gate, SecretGate):
        return gate.scheme.lower() or f"apikey-{gate.placement}-{gate.name}"
    return "digest" if isinstance(gate, DigestGate) else "oauth2"


def _requirement(gate: Gate, scopes: Iterable[str]) -> Object:
    own = gate.scopes if isinstance(gate, OAuthGate) else ()
    return {_scheme_name(gate): list(dict.fromkeys((*own, *scopes)))}


def _scheme(gate: Gate) -> Object:
    if isinstance(gate, SecretGate) and not gate.scheme:
        return {"type": "apiKey", "in": gate.placement, "name": gate.name}
    if isinstance(gate, OAuthGate):
        told = f"An access token of {gate.issuer} for {gate.audience}."
        return {"type": "http", "scheme": "bearer", "description": told}
    return {"type": "http", "scheme": gate.scheme.lower() if isinstance(gate, SecretGate) else "digest"}


_PROBLEM_SCHEMA: Final[Object] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "The kind of problem."},
        "title": {"type": "string", "description": "The same for every problem of the kind."},
        "status": {"type": "integer", "description": "The status of the answer."},
        "detail": {"type": "string", "description": "What happened this time, and what to do."},
        "errors": {
            "type": "array",
            "description": "Every input that is not as it should be.",
            "items": {
                "type": "object",
                "properties": {
                    "input": {"type": "string"},
                    "in": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "required": ["input", "in", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}
_PROBLEM_CONTENT: Final[Object] = {"schema": {"$ref": "#/components/schemas/Problem"}}
_REFUSAL: Final[Object] = {"description": "What went wrong.", "content": {_PROBLEM: _PROBLEM_CONTENT}}
_FAILURE: Final[Object] = {
    "description": "What went wrong here; or a failure of the upstream, as it came.",
    "content": {_PROBLEM: _PROBLEM_CONTENT, ANYTHING: {}},
}
