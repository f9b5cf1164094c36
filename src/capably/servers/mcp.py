"""The MCP server kind: streamable HTTP at ``/`` and ``/mcp``, one JSON answer to each POST.

A thin shell: it reads the request, lets :class:`Protocol` decide, performs the call it asks for and sends the reply.
What is wrong with the HTTP of a request is answered with a problem detail, what is wrong with its message with a
JSON-RPC error. A caller that hangs up cancels its call (MCP 2026-07-28, Streamable HTTP: Cancellation).
"""

import logging
from dataclasses import replace
from typing import Final

from capably.plan.caller import Invoke, SilentCaller
from capably.plan.operation import ServerPlan
from capably.plan.outcome import Fault, Outcome
from capably.plan.principal import Principal
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import (
    Application,
    ClientGoneError,
    Limits,
    Receive,
    Scope,
    Send,
    check_origin,
    read_body,
    send_body,
    send_fault,
    while_connected,
)
from capably.servers.mcp_eras import Context
from capably.servers.mcp_messages import Reply
from capably.servers.mcp_protocol import Call, Protocol
from capably.upstream.reply import UpstreamError

_LOGGER: Final = logging.getLogger("capably.mcp")

_PATHS: Final = frozenset({"/", "/mcp", "/mcp/"})
_ALLOW: Final = (("allow", "POST, OPTIONS"),)

_READ: Final = frozenset({b"accept", b"content-type", b"mcp-protocol-version", b"mcp-method", b"mcp-name"})
_MIRRORING: Final = {
    b"mcp-protocol-version": "MCP-Protocol-Version",
    b"mcp-method": "Mcp-Method",
    b"mcp-name": "Mcp-Name",
}


def build_app(server: ServerPlan, invoke: Invoke, limits: Limits, gatekeeper: Gatekeeper) -> Application:
    """The ASGI application of one MCP server. It speaks HTTP only and needs no lifespan."""
    protocol = Protocol(server)

    async def respond(call: Call, send: Send) -> None:
        await _send_reply(send, await _perform(call, invoke, limits))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"this server speaks HTTP, not {scope['type']}")
        try:
            check_origin(scope, limits)
            principal = await gatekeeper.admit(server.gate, scope)
            if scope["method"] == "OPTIONS" and scope["path"] in _PATHS:
                await send_body(send, 204, None, b"", _ALLOW)
                return
            _check_target(scope)
            context = _context(scope, principal)
            step = protocol.handle(await read_body(scope, receive, limits.body_bytes), context)
        except Fault as fault:
            await send_fault(send, fault, head=scope["method"] == "HEAD")
            return
        except ClientGoneError:
            return
        if isinstance(step, Reply):
            await _send_reply(send, step)
        else:
            await while_connected(receive, respond(step, send))

    return app


async def _send_reply(send: Send, reply: Reply) -> None:
    await send_body(send, reply.status, "application/json" if reply.body else None, reply.body)


async def _perform(call: Call, invoke: Invoke, limits: Limits) -> Reply:
    """Run a call to its end. Whatever happens in it, except being cancelled, becomes a reply."""
    try:
        outcome = await invoke(call.operation, call.inputs, SilentCaller())
        return call.answer(await _collected(outcome, limits.body_bytes))
    except Fault as fault:
        return call.refuse(fault)
    except Exception:
        _LOGGER.exception("the call of tool %s broke down", call.operation.name)
        return call.crash()


async def _collected(outcome: Outcome, cap: int) -> Outcome:
    """The outcome with its stream, if it has one, read to the end and closed.

    Raises:
        Fault: the stream broke off, or is longer than ``cap`` bytes.
    """
    stream = outcome.stream
    if stream is None:
        return outcome
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in stream:
            size += len(chunk)
            if size > cap:
                detail = f"it did not end within {cap:,} bytes: ask for less, or for an answer that is no stream"
                raise Fault(502, "upstream-too-large", "The upstream's answer is too large", detail)
            chunks.append(chunk)
    except UpstreamError as problem:
        # The reason may name hosts, so it is for the operator only.
        _LOGGER.warning("a streamed answer broke off: %s", problem.reason)
        detail = "it ended before it was complete: try again"
        raise Fault(502, f"upstream-{problem.trouble.value}", "The upstream's answer broke off", detail) from problem
    finally:
        await stream.aclose()
    return replace(outcome, body=b"".join(chunks), stream=None)


def _check_target(scope: Scope) -> None:
    """Refuse what is not a POST to the endpoint.

    There is no stream to open with GET and no session to end with DELETE (MCP 2025-11-25, Transports: Listening for
    Messages from the Server, Session Management; 2026-07-28, Streamable HTTP: Earlier Streamable HTTP Revisions).

    Raises:
        Fault: status 404 or 405.
    """
    if scope["path"] not in _PATHS:
        detail = "the MCP endpoint of this server is `/mcp`, and `/` as well"
        raise Fault(404, "not-found", "There is nothing at this path", detail)
    if scope["method"] != "POST":
        detail = (
            "this is an MCP server: an MCP client sends JSON-RPC messages here with POST. "
            "It opens no streams for GET and keeps no sessions for DELETE"
        )
        raise Fault(405, "method-not-allowed", "The method is not allowed here", detail, headers=_ALLOW)


def _context(scope: Scope, principal: Principal) -> Context:
    """The headers that mirror the message.

    Raises:
        Fault: status 415 or 406, the request has no JSON or wants none back.
    """
    found: dict[bytes, str] = {}
    repeated = None
    for name, value in scope["headers"]:
        if name in _READ:
            if name in found and name in _MIRRORING:
                repeated = _MIRRORING[name]
            # Not every HTTP parser takes the white space after a value off (RFC 9110, section 5.5).
            found.setdefault(name, value.decode("latin-1").strip(" \t"))
    _check_media(found.get(b"content-type"), found.get(b"accept"))
    return Context(
        over_http=True,
        version=found.get(b"mcp-protocol-version"),
        method=found.get(b"mcp-method"),
        name=found.get(b"mcp-name"),
        repeated=repeated,
        principal=principal,
    )


def _check_media(content_type: str | None, accept: str | None) -> None:
    """Check that JSON comes in and may go out.

    Insisting on the content type also keeps web pages out: a page cannot send JSON to another origin without asking
    first (Fetch, section 3.3.5). ``text/event-stream``, which clients must accept as well, is not asked for: this
    server never answers with one.

    Raises:
        Fault: status 415 or 406.
    """
    if content_type is None or content_type.partition(";")[0].strip().lower() != "application/json":
        detail = "send JSON-RPC messages with `Content-Type: application/json`"
        raise Fault(415, "unsupported-media-type", "The request's media type is not supported", detail)
    if accept is not None and not any(wanted in accept.lower() for wanted in _ACCEPTABLE):
        raise Fault(406, "not-acceptable", "The answer has no acceptable media type", "accept `application/json`")


_ACCEPTABLE: Final = ("application/json", "application/*", "*/*")
