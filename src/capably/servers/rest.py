"""The REST server: routes of a plan over HTTP.

An upstream's status and body come back as they are. Every error of ours is an RFC 9457 problem detail.
"""

import logging
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from capably.diagnostics import nearest
from capably.plan.caller import Invoke, SilentCaller
from capably.plan.inputs import accept, invalid_inputs
from capably.plan.operation import Input, Inputs, Location, Operation, ServerPlan
from capably.plan.outcome import Fault, PassOn, Problem
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import (
    Application,
    ClientGoneError,
    Limits,
    Receive,
    Scope,
    Send,
    StreamBrokenError,
    check_origin,
    header,
    read_body,
    send_body,
    send_fault,
    send_stream,
    until_answered,
)
from capably.servers.passing import Exchange, pass_through
from capably.servers.rest_documents import ALLOWED, Documents
from capably.servers.router import Match, Router

_log = logging.getLogger("capably.rest")


def build_app(
    server: ServerPlan, invoke: Invoke, limits: Limits, gatekeeper: Gatekeeper, pass_on: PassOn
) -> Application:
    """The ASGI application of one REST server."""
    router = Router(server.operations, server.forwards)
    documents = Documents(server)
    paths = tuple(dict.fromkeys(item.route.path for item in server.operations if item.route is not None))

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        check_origin(scope, limits)
        match = _match(router, scope)
        asked = match.operation(scope["method"]) if match is not None else None
        passed = _forward(router, match, scope) if match is not None and asked is None else None
        await _admit(gatekeeper, server, scope, asked, passed)
        if match is None:
            await _describe(documents, scope, send, paths)
            return
        if passed is not None and passed.forward is not None:
            await pass_through(passed.forward, passed, Exchange(scope, receive, send), pass_on, limits)
            return
        if scope["method"] == "OPTIONS" and "OPTIONS" not in match.operations:
            await send_body(send, 204, None, b"", (("allow", match.allowed),))
            return
        operation = _operation(scope["method"], match)
        inputs = await _inputs(operation, match, scope, receive, limits)
        answer = _answer(operation, inputs, invoke, send, is_head=scope["method"] == "HEAD")
        await until_answered(scope, receive, answer)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await respond(scope, receive, send)
        except Fault as fault:
            await send_fault(send, fault, head=scope["method"] == "HEAD")
        except ClientGoneError:
            return
        except StreamBrokenError as problem:
            _log.warning("%s %s: the stream broke off: %s", scope["method"], scope["path"], problem)
            raise
        except Exception:  # noqa: BLE001 -- the last resort: whatever happens, the caller gets a problem
            _log.exception("%s %s failed", scope["method"], scope["path"])
            await send_fault(send, _INTERNAL, head=scope["method"] == "HEAD")

    return app


async def _describe(documents: Documents, scope: Scope, send: Send, paths: tuple[str, ...]) -> None:
    """Answer from what the server says of itself; the document has no such path."""
    path = scope["path"].removeprefix(root := scope.get("root_path", ""))
    if not documents.has(path):
        raise _not_found(scope["path"], paths)
    if scope["method"] == "OPTIONS":
        await send_body(send, 204, None, b"", (("allow", ALLOWED),))
        return
    page = documents.page(path, scope["method"], root)
    await send_body(send, 200, page.media_type, page.body, page.headers, head=scope["method"] == "HEAD")


_INTERNAL = Fault(500, "internal", "Something went wrong in the server", "the server's log says what happened")


async def _admit(
    gatekeeper: Gatekeeper, server: ServerPlan, scope: Scope, operation: Operation | None, passed: Match | None
) -> None:
    """Let the caller in for what it asks for; strangers are not told whether there is such a thing."""
    forward = passed.forward if passed is not None else None
    wanted = operation or forward
    gate = operation.gate if operation is not None and operation.gate is not None else server.gate
    await gatekeeper.admit(gate, scope, wanted.scopes if wanted is not None else ())


def _match(router: Router, scope: Scope) -> Match | None:
    try:
        return router.find(scope["raw_path"])
    except UnicodeDecodeError:
        detail = "percent-encode the UTF-8 bytes of each part of the path"
        raise Fault(400, "malformed-path", "The path is not UTF-8", detail) from None


async def _answer(operation: Operation, inputs: Inputs, invoke: Invoke, send: Send, *, is_head: bool) -> None:
    outcome = await invoke(operation, inputs, SilentCaller())
    if outcome.stream is None:
        await send_body(send, outcome.status, outcome.media_type, outcome.body, outcome.headers, head=is_head)
    elif is_head:
        await outcome.stream.aclose()
        await send_body(send, outcome.status, outcome.media_type, b"", outcome.headers, head=True)
    else:
        await send_stream(send, outcome, outcome.stream)


def _forward(router: Router, match: Match, scope: Scope) -> Match | None:
    """The forward for a request that no operation answers: on the very path, else on a more general one."""
    return match if match.forward is not None else router.find_forward(scope["raw_path"])


_LONGEST_SHOWN = 200  # finding the nearest path takes time that grows with the path a caller sends


def _not_found(path: str, paths: tuple[str, ...]) -> Fault:
    shown = path[:_LONGEST_SHOWN]
    close = nearest(shown, paths)
    advice = f"did you mean {close}?" if close is not None else "see `capably plan` for the paths of this server"
    return Fault(404, "no-route", "No operation has this path", f"no route matches {shown}: {advice}")


def _operation(method: str, match: Match) -> Operation:
    operation = match.operation(method)
    if operation is None:
        detail = f"this path answers to {match.allowed}, not to {method}"
        headers = (("allow", match.allowed),)
        raise Fault(405, "method-not-allowed", "The method is not allowed here", detail, headers=headers)
    return operation


async def _inputs(operation: Operation, match: Match, scope: Scope, receive: Receive, limits: Limits) -> Inputs:
    places = {item.location for item in operation.inputs}
    body = await read_body(scope, receive, limits.body_bytes)
    values: dict[Location, Mapping[str, Any]] = {Location.PATH: _path_values(operation, match)}
    if Location.QUERY in places:
        values[Location.QUERY] = _query(scope)
    if Location.COOKIE in places:
        values[Location.COOKIE] = _cookies(scope)
    if Location.HEADER in places:
        values[Location.HEADER] = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
    given = {}
    for item in operation.inputs:
        name = item.wire_name.lower() if item.location is Location.HEADER else item.wire_name
        found = values.get(item.location, {})
        if name in found:
            given[item.name] = _one(item, found[name])
    if Location.BODY in places and body:
        given |= _body_values(operation, _decoded(body, scope))
    return accept(operation, given, from_text=True)


def _one(item: Input, value: Any) -> Any:
    """The only or the last value of a repeated parameter; an array takes them all."""
    if isinstance(value, list) and item.type != "array":
        return value[-1]
    return value


def _path_values(operation: Operation, match: Match) -> dict[str, str]:
    if operation.route is None:
        return {}
    names = [name for segment in operation.route.segments if not isinstance(segment, str) for name in segment[1::2]]
    return dict(zip(names, match.values, strict=True))


def _query(scope: Scope) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return values


def _cookies(scope: Scope) -> dict[str, str]:
    try:
        cookies = SimpleCookie(header(scope, b"cookie") or "")
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in cookies.items()}


def _decoded(body: bytes, scope: Scope) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        media_type = header(scope, b"content-type") or "application/json"
        if "json" not in media_type:
            detail = f"send `Content-Type: application/json` and JSON, not {media_type}"
            raise Fault(415, "unsupported-media-type", "The request body must be JSON", detail) from None
        detail = f"the body is not valid JSON: {problem}"
        raise Fault(400, "malformed-body", "The request body cannot be read", detail) from None


def _body_values(operation: Operation, body: Any) -> dict[str, Any]:
    inputs = [item for item in operation.inputs if item.location is Location.BODY]
    given = {item.name: body for item in inputs if item.whole_body}
    fields = [item for item in inputs if not item.whole_body]
    if fields and not isinstance(body, dict):
        names = ", ".join(f"`{item.wire_name}`" for item in fields)
        raise invalid_inputs([Problem("body", "body", f"the body must be a JSON object with {names}")])
    return given | {item.name: body[item.wire_name] for item in fields if item.wire_name in body}
