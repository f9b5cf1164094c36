"""The REST server: routes of a plan over HTTP.

An upstream's status and body come back as they are. Every error of ours is an RFC 9457 problem detail.
"""

import logging
from dataclasses import dataclass

import msgspec

from capably.diagnostics import nearest
from capably.plan.caller import Invoke, SilentCaller
from capably.plan.operation import Operation, ServerPlan
from capably.plan.outcome import Fault, Outcome, PassOn
from capably.plan.trace_context import HEADER_NAMES, NO_TRACE, TraceContext, trace_of_headers
from capably.servers.cross_origin import CrossOrigin
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
    headers_of,
    read_body,
    send_body,
    send_fault,
    until_answered,
)
from capably.servers.passing import Exchange, pass_through
from capably.servers.rest_answer import NO_CHOICE, Asked, Offer, Sent, offer_of, send_answer, wanted_type
from capably.servers.rest_documents import ALLOWED, Documents
from capably.servers.rest_inputs import InputReader, Reading
from capably.servers.router import Match, Router
from capably.telemetry.current import asks_for_route

_log = logging.getLogger("capably.rest")


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """An operation with all that is decided of it before requests come."""

    operation: Operation
    reader: InputReader
    offer: Offer


def build_app(
    server: ServerPlan, invoke: Invoke, limits: Limits, gatekeeper: Gatekeeper, pass_on: PassOn
) -> Application:
    """The ASGI application of one REST server."""
    return _RestServer(server, invoke, limits, gatekeeper, pass_on)


class _RestServer:
    """One server: what is decided before requests come, and how each is answered."""

    def __init__(
        self, server: ServerPlan, invoke: Invoke, limits: Limits, gatekeeper: Gatekeeper, pass_on: PassOn
    ) -> None:
        self._server = server
        self._invoke = invoke
        self._limits = limits
        self._gatekeeper = gatekeeper
        self._pass_on = pass_on
        self._router = Router(server.operations, server.forwards)
        self._documents = Documents(server)
        self._origins = CrossOrigin(server)
        self._endpoints = {
            id(item): _Endpoint(item, _reader(server, item), offer_of(item)) for item in server.operations
        }
        self._allowed = Match({item.method: item for item in server.operations if item.method}, ()).allowed
        self._paths = tuple(dict.fromkeys(item.route.path for item in server.operations if item.route is not None))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        sent = headers_of(scope)
        send = self._origins.telling(sent, send)
        try:
            await self._respond(Exchange(scope, receive, send), sent)
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

    async def _respond(self, exchange: Exchange, sent: Sent) -> None:
        scope, send = exchange.scope, exchange.send
        check_origin(scope, self._limits, self._origins.allows)
        self._origins.check(scope, sent)
        match = _match(self._router, scope)
        allowed = self._origins.preflight(scope, sent, match)
        if allowed is not None:
            await send_body(send, 204, None, b"", allowed)
            return
        asked = match.operation(scope["method"]) if match is not None else None
        passed = _forward(self._router, match, scope) if match is not None and asked is None else None
        _tell(asked, passed, scope)
        await _admit(self._gatekeeper, self._server, scope, asked, passed)
        if match is None:
            await self._describe(scope, send, sent)
        elif passed is not None and passed.forward is not None:
            await pass_through(passed.forward, passed, exchange, self._pass_on, self._limits)
        elif asked is None and scope["method"] == "OPTIONS":
            await send_body(send, 204, None, b"", (("allow", match.allowed),))
        else:
            await self._run(self._endpoints[id(_operation(scope["method"], match))], match, exchange, sent)

    async def _run(self, endpoint: _Endpoint, match: Match, exchange: Exchange, sent: Sent) -> None:
        scope, receive = exchange.scope, exchange.receive
        asked = Asked(scope["method"], sent, wanted_type(endpoint.offer, sent), endpoint.offer)
        body = await read_body(scope, receive, self._limits.body_bytes)
        reading = endpoint.reader.read(match.values, scope["query_string"], sent, body)
        await until_answered(scope, receive, self._answer(endpoint.operation, reading, asked, exchange))

    async def _answer(self, operation: Operation, reading: Reading, asked: Asked, exchange: Exchange) -> None:
        outcome = await self._invoke(operation, reading.inputs, SilentCaller(_trace(exchange.scope, asked.sent)))
        if reading.headers:
            outcome = msgspec.structs.replace(outcome, headers=(*outcome.headers, *reading.headers))
        await send_answer(exchange.send, outcome, asked)

    async def _describe(self, scope: Scope, send: Send, sent: Sent) -> None:
        """Answer from what the server says of itself; the document has no such path."""
        path = scope["path"]
        if path == "*" and scope["method"] == "OPTIONS":  # about the server as a whole: RFC 9110, section 9.3.7
            await send_body(send, 204, None, b"", (("allow", self._allowed),))
            return
        if not self._documents.has(path):
            raise _not_found(path, self._paths)
        asks_for_route(path, "GET")
        if scope["method"] == "OPTIONS":
            await send_body(send, 204, None, b"", (("allow", ALLOWED),))
            return
        page = self._documents.page(path, scope["method"], scope.get("root_path", ""))
        outcome = Outcome(200, page.media_type, page.body, page.headers)
        await send_answer(send, outcome, Asked(scope["method"], sent, page.media_type, NO_CHOICE))


_INTERNAL = Fault(500, "internal", "Something went wrong in the server", "the server's log says what happened")


def _trace(scope: Scope, sent: Sent) -> TraceContext:
    return NO_TRACE if HEADER_NAMES.isdisjoint(sent) else trace_of_headers(scope["headers"])


def _reader(server: ServerPlan, operation: Operation) -> InputReader:
    gates = (server.gate, operation.gate)
    return InputReader(operation, [name for gate in gates if gate is not None for _place, name in gate.asked])


async def _admit(
    gatekeeper: Gatekeeper, server: ServerPlan, scope: Scope, operation: Operation | None, passed: Match | None
) -> None:
    """Let the caller in for what it asks for; strangers are not told whether there is such a thing."""
    forward = passed.forward if passed is not None else None
    wanted = operation or forward
    gate = operation.gate if operation is not None and operation.gate is not None else server.gate
    await gatekeeper.admit(gate, scope, wanted.scopes if wanted is not None else ())


def _tell(asked: Operation | None, passed: Match | None, scope: Scope) -> None:
    """Tell whoever records what is asked for."""
    if asked is not None and asked.route is not None:
        asks_for_route(asked.route.path, asked.method or scope["method"])
    elif passed is not None and passed.forward is not None:
        asks_for_route(passed.forward.route.path, scope["method"])


def _match(router: Router, scope: Scope) -> Match | None:
    try:
        return router.find(scope["raw_path"])
    except UnicodeDecodeError:
        detail = "percent-encode the UTF-8 bytes of each part of the path"
        raise Fault(400, "malformed-path", "The path is not UTF-8", detail) from None


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
