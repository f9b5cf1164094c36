"""The MCP server kind: streamable HTTP at ``/`` and ``/mcp``.

A thin shell: it reads the request, lets :class:`Protocol` decide, performs what it asks for and sends the reply: one
JSON answer, or an event stream as soon as there is something to tell the client before the answer. What is wrong with
the HTTP of a request is answered with a problem detail, what is wrong with its message with a JSON-RPC error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

from capably.plan.caller import Invoke
from capably.plan.operation import ServerPlan
from capably.plan.outcome import Fault
from capably.plan.principal import Principal
from capably.plan.trace_context import HEADER_NAMES, NO_TRACE, trace_of_headers
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import (
    ClientGoneError,
    Limits,
    Receive,
    Scope,
    Send,
    check_origin,
    header,
    read_body,
    send_body,
    send_fault,
    until_answered,
)
from capably.servers.mcp_audience import Audience
from capably.servers.mcp_call import Call
from capably.servers.mcp_eras import NO_MIRRORS, Context
from capably.servers.mcp_exchange import Exchange, send_reply
from capably.servers.mcp_features import Listen
from capably.servers.mcp_messages import Reply
from capably.servers.mcp_protocol import Protocol
from capably.servers.mcp_sessions import Session
from capably.servers.mcp_state import Seal
from capably.servers.mcp_streams import EVENT_STREAM
from capably.servers.mcp_watching import FileWatch
from capably.telemetry.current import asks_for_route

_PATHS: Final = frozenset({"/", "/mcp", "/mcp/"})
_ALLOW: Final = (("allow", "POST, GET, DELETE, OPTIONS"),)

_MIRRORING: Final = {
    b"mcp-protocol-version": "MCP-Protocol-Version",
    b"mcp-method": "Mcp-Method",
    b"mcp-name": "Mcp-Name",
}
_MIRRORED: Final = b"mcp-param-"

Handler: TypeAlias = Callable[[Scope, Receive, Send, Principal], Awaitable[None]]


def build_app(  # noqa: PLR0917 -- like every kind of server
    server: ServerPlan,
    invoke: Invoke,
    limits: Limits,
    gatekeeper: Gatekeeper,
    seal: Seal | None = None,
    before: object = None,
) -> "McpApp":
    """The ASGI application of one MCP server. It speaks HTTP only and needs no lifespan.

    With the application ``before`` it, of the same server in an earlier document, it goes on with its clients.
    """
    if isinstance(before, McpApp):
        return McpApp(before.clients.successor(server, invoke), limits, gatekeeper, before.clients)
    return McpApp(Clients.of(server, invoke, limits, seal), limits, gatekeeper)


@dataclass(frozen=True, slots=True)
class Clients:
    """What a server offers its clients, and what it knows of them; the latter outlives the plan."""

    server: ServerPlan
    protocol: Protocol
    exchange: Exchange
    files: FileWatch
    audience: Audience

    @classmethod
    def of(cls, server: ServerPlan, invoke: Invoke, limits: Limits, seal: Seal | None) -> "Clients":
        """Those of a server that has none yet."""
        protocol = Protocol(server, seal)
        exchange = Exchange(protocol.changes, invoke, limits.body_bytes)
        return cls(server, protocol, exchange, FileWatch(server.resources, protocol.changes), Audience())

    def successor(self, server: ServerPlan, invoke: Invoke) -> "Clients":
        """The same clients, who are offered something else."""
        protocol, exchange = self.protocol.successor(server), self.exchange.successor(invoke)
        return replace(self, server=server, protocol=protocol, exchange=exchange)


class McpApp:
    """One MCP server over HTTP. It may be the successor of another one, whose clients it has."""

    def __init__(self, clients: Clients, limits: Limits, gatekeeper: Gatekeeper, before: Clients | None = None) -> None:
        """Prepare all that does not depend on the caller."""
        self.clients = clients
        self.protocol = clients.protocol
        self._before = before
        self._gate = clients.server.gate
        self._gatekeeper = gatekeeper
        self._limits = limits
        self._exchange = clients.exchange
        self._files = clients.files
        self._audience = clients.audience
        self._by_method: dict[str, Handler] = {
            "POST": self._post,
            "GET": self._get,
            "DELETE": self._delete,
            "OPTIONS": self._options,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"this server speaks HTTP, not {scope['type']}")
        try:
            check_origin(scope, self._limits)
            principal = await self._gatekeeper.admit(self._gate, scope)
            await self._handler(scope)(scope, receive, send, principal)
        except Fault as fault:
            await send_fault(send, fault, head=scope["method"] == "HEAD")
        except ClientGoneError:
            return

    async def take_over(self) -> None:
        """Go on with the clients of the application before this one, which answers no more requests.

        Where callers are asked for something else now, those who listen are asked again, and who would not be let in
        hears no more. The others are told which lists have changed.
        """
        before, self._before = self._before, None
        if before is None:
            return
        self._files.look_at(self.clients.server.resources)
        if self._gate != before.server.gate:
            await self._audience.check(lambda scope: self._gatekeeper.admit(self._gate, scope))
        self.protocol.tell_since(before.protocol)

    @property
    def unattended(self) -> "frozenset[asyncio.Future[Any]]":
        """What runs although no request waits for it."""
        return self._exchange.unattended

    def close(self) -> None:
        """End every stream and session, because the server stops; new messages are still answered."""
        self._exchange.close()
        self.protocol.sessions.end_all()

    def _handler(self, scope: Scope) -> Handler:
        """What answers a request.

        Raises:
            Fault: status 404 or 405.
        """
        if scope["path"] not in _PATHS:
            detail = "the MCP endpoint of this server is `/mcp`, and `/` as well"
            raise Fault(404, "not-found", "There is nothing at this path", detail)
        method = scope["method"]
        handler = self._by_method.get(method)
        if method != "POST" and handler is not None:  # a message says itself what it asks for
            asks_for_route("/mcp", method)
        if handler is None:
            raise _not_allowed("this is an MCP server: an MCP client sends JSON-RPC messages here with POST")
        return handler

    async def _options(self, _scope: Scope, _receive: Receive, send: Send, _principal: Principal) -> None:
        await send_body(send, 204, None, b"", _ALLOW)

    async def _post(self, scope: Scope, receive: Receive, send: Send, principal: Principal) -> None:
        context, takes_stream = _context(scope, principal)
        step = self.protocol.handle(await read_body(scope, receive, self._limits.body_bytes), context)
        if isinstance(step, Reply):
            await send_reply(send, step)
        elif isinstance(step, Listen):
            async with self._files.while_heard(), self._audience.seat(scope, principal, receive, send) as gone:
                await self._exchange.subscribe(step, gone, send)
        elif isinstance(step, Call) and step.is_quiet:
            await until_answered(scope, receive, self._exchange.answer_quietly(step, send))
        else:
            await self._exchange.answer(step, receive, send, takes_stream=takes_stream)

    async def _get(self, scope: Scope, receive: Receive, send: Send, principal: Principal) -> None:
        """Open the stream of a session, or go on with one that was cut."""
        session = self._session(scope, principal)
        if not _accepts(header(scope, b"accept"), _STREAMED):
            raise Fault(406, "not-acceptable", "The answer has no acceptable media type", f"accept `{EVENT_STREAM}`")
        await read_body(scope, receive, self._limits.body_bytes)  # what comes after it is the caller's leaving
        async with self._files.while_heard(), self._audience.seat(scope, principal, receive, send) as gone:
            await self._exchange.listen(session, header(scope, b"last-event-id"), gone, send)

    async def _delete(self, scope: Scope, _receive: Receive, send: Send, principal: Principal) -> None:
        """End a session (MCP 2025-11-25, Transports: Session Management, 5)."""
        self.protocol.sessions.end(self._session(scope, principal))
        await send_body(send, 204, None, b"")

    def _session(self, scope: Scope, principal: Principal) -> Session:
        """The session that a request names.

        Without one there is no stream to open with GET and nothing to end with DELETE, which is what the modern era
        says to clients of earlier ones (MCP 2026-07-28, Streamable HTTP: Earlier Streamable HTTP Revisions).

        Raises:
            Fault: status 405, it names none; status 404, there is no such session.
        """
        session_id = header(scope, b"mcp-session-id")
        if session_id is None:
            raise _not_allowed(
                "this is an MCP server: an MCP client sends JSON-RPC messages here with POST. "
                "GET and DELETE are for sessions, which `initialize` begins: name one with `Mcp-Session-Id`"
            )
        session = self.protocol.sessions.find(session_id, principal.subject)
        if session is None:
            raise Fault(404, "session-not-found", "There is no such session", "begin a new one with `initialize`")
        return session


def _not_allowed(detail: str) -> Fault:
    return Fault(405, "method-not-allowed", "The method is not allowed here", detail, headers=_ALLOW)


def _context(scope: Scope, principal: Principal) -> tuple[Context, bool]:
    """The headers that mirror the message, and whether an event stream may be the answer.

    Raises:
        Fault: status 415 or 406, the request has no JSON or wants none back.
    """
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    found = dict(reversed(headers))  # of those that came twice the first
    takes_stream = _check_media(found.get(b"content-type"), found.get(b"accept"))
    mirrored = {name[len(_MIRRORED) :]: found[name] for name in found if name.startswith(_MIRRORED)}
    context = Context(
        over_http=True,
        version=_text(found.get(b"mcp-protocol-version")),
        method=_text(found.get(b"mcp-method")),
        name=_text(found.get(b"mcp-name")),
        repeated=_repeated(headers) if len(found) != len(headers) else None,
        principal=principal,
        mirrored={name.decode("latin-1"): _text(mirrored[name]) or "" for name in mirrored} if mirrored else NO_MIRRORS,
        session_id=_text(found.get(b"mcp-session-id")),
        trace=NO_TRACE if HEADER_NAMES.isdisjoint(found) else trace_of_headers(headers),
    )
    return context, takes_stream


def _text(value: bytes | None) -> str | None:
    """A header's value; not every HTTP parser takes the white space after it off (RFC 9110, section 5.5)."""
    return None if value is None else value.decode("latin-1").strip(" \t")


def _repeated(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The last mirroring header that was sent more than once."""
    seen: set[bytes] = set()
    repeated = None
    for name, _value in headers:
        if name in seen and name in _MIRRORING:
            repeated = _MIRRORING[name]
        elif name in seen and name.startswith(_MIRRORED):
            repeated = f"Mcp-Param-{name[len(_MIRRORED) :].decode('latin-1')}"
        seen.add(name)
    return repeated


@lru_cache(maxsize=64)
def _check_media(content_type: bytes | None, accept: bytes | None) -> bool:
    """Check that JSON comes in and may go out; whether an event stream may as well.

    Insisting on the content type also keeps web pages out: a page cannot send JSON to another origin without asking
    first (Fetch, section 3.3.5). ``text/event-stream``, which clients must accept as well, is not insisted on: without
    it, what a call would tell on the way is left out.

    Raises:
        Fault: status 415 or 406.
    """
    if content_type is None or content_type.partition(b";")[0].strip().lower() != b"application/json":
        detail = "send JSON-RPC messages with `Content-Type: application/json`"
        raise Fault(415, "unsupported-media-type", "The request's media type is not supported", detail)
    wanted = _text(accept)
    if not _accepts(wanted, _PLAIN):
        raise Fault(406, "not-acceptable", "The answer has no acceptable media type", "accept `application/json`")
    return wanted is not None and _accepts(wanted, _STREAMED)


def _accepts(accept: str | None, media: tuple[str, ...]) -> bool:
    return accept is None or any(wanted in accept.lower() for wanted in media)


_PLAIN: Final = ("application/json", "application/*", "*/*")
_STREAMED: Final = (EVENT_STREAM, "text/*", "*/*")
