"""The upstream of a story: it replies as the story says, and keeps what it was asked."""

import asyncio
import base64
import binascii
import json
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web

from capably.casefile.comparing import ABSENT, Difference, differences, plain_json, shown
from capably.casefile.records import Exchange, Reply
from capably.diagnostics import Span
from capably.document import Node, Scalar, Sequence


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: target as on the wire, header names in lower case."""

    namespace: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def line(self) -> str:
        """The request for people."""
        return f"{self.method} {self.target}"


@dataclass(slots=True)
class Script:
    """The exchanges of a story, and what came of them.

    A request belongs to the first exchange that is left and fits its method and path, or rather to one of these whose
    other expectations it meets, too. So calls that run side by side may come in any order.
    """

    span: Span
    left: list[tuple[Exchange, Reply]]
    differences: list[Difference] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def reply_to(self, asked: Asked) -> Reply | None:
        """The reply to a request, ``None`` when no exchange is left for it."""
        self.asked.append(asked.line)
        fitting = [pair for pair in self.left if _fits(pair[0], asked)]
        if not fitting:
            expected = ", ".join(pair[0].request or "any request" for pair in self.left) or "no further request"
            self.differences.append(Difference(self.span, "upstream", expected, asked.line))
            return None
        chosen = next((pair for pair in fitting if not list(_found(pair[0], asked))), fitting[0])
        self.left.remove(chosen)
        self.differences += _found(chosen[0], asked)
        return chosen[1]

    def outcome(self) -> list[Difference]:
        """What was not as the story says, requests that never came included."""
        absent = [
            Difference(exchange.node.span, "upstream", exchange.request or "a request", ABSENT)
            for exchange, _reply in self.left
        ]
        return [*self.differences, *absent]


def _fits(exchange: Exchange, asked: Asked) -> bool:
    if exchange.namespace is not None and exchange.namespace != asked.namespace:
        return False
    if exchange.request is None:
        return True
    method, _space, target = exchange.request.partition(" ")
    return method.upper() == asked.method and _segments(target) == _segments(asked.target)


def _segments(target: str) -> list[str]:
    return [unquote(part) for part in target.strip().partition("?")[0].split("/")]


def _found(exchange: Exchange, asked: Asked) -> Iterator[Difference]:
    """What of a request is not as it is written."""
    came = parse_qs(urlsplit(asked.target).query, keep_blank_values=True)
    written = (exchange.request or "").strip().partition("?")
    if written[1] and parse_qs(written[2], keep_blank_values=True) != came:
        yield Difference(exchange.value_span("request"), "upstream query", exchange.request or "", asked.line)
    for name, node in (exchange.query or {}).items():
        yield from _value(node, came.get(name, []), f"upstream query `{name}`")
    for name, node in (exchange.headers or {}).items():
        value = asked.headers.get(name.lower())
        yield from _value(node, [] if value is None else [value], f"upstream header `{name}`")
    if exchange.body is not None:
        yield from differences(exchange.body, _decoded(asked.body, exchange.body), "upstream body")
    if exchange.includes is not None:
        came_body = _decoded(asked.body, exchange.includes)
        yield from differences(exchange.includes, came_body, "upstream body", exact=False)


def _value(expected: Node, came: list[str], what: str) -> Iterator[Difference]:
    """Compare a query parameter or a header, whose values are texts on the wire."""
    items = expected.items if isinstance(expected, Sequence) else (expected,)
    is_absent = isinstance(expected, Scalar) and expected.value is None
    texts = [] if is_absent else [item.text if isinstance(item, Scalar) else shown(plain_json(item)) for item in items]
    if texts != came:
        yield Difference(expected.span, what, ", ".join(texts) or ABSENT, ", ".join(came) or ABSENT)


def _decoded(body: bytes, expected: Node) -> Any:
    """The body as what it is compared with: JSON, or the text it is."""
    text = body.decode("utf-8", "replace")
    if isinstance(expected, Scalar) and isinstance(expected.value, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


@asynccontextmanager
async def scripted(script: Script, namespaces: Iterable[str]) -> AsyncIterator[dict[str, str]]:
    """Play a script on loopback; gives the address of each consumed API, without a path."""
    namespace_of: dict[int, str] = {}

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        port = request.transport.get_extra_info("sockname")[1] if request.transport is not None else 0
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.content.read()
        asked = Asked(namespace_of.get(port, ""), request.method, request.raw_path, headers, body)
        reply = script.reply_to(asked)
        if reply is not None and reply.drop and request.transport is not None:
            request.transport.abort()
            await asyncio.sleep(0)
        return _response(reply)

    async with AsyncExitStack() as stack:
        sockets = [(name, stack.enter_context(socket.create_server(("127.0.0.1", 0)))) for name in namespaces]
        runner = web.ServerRunner(web.Server(handle), handler_cancellation=True, shutdown_timeout=0.1)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        addresses = {}
        for namespace, sock in sockets:
            port = sock.getsockname()[1]
            namespace_of[port] = namespace
            addresses[namespace] = f"http://127.0.0.1:{port}"
            await web.SockSite(runner, sock).start()
        yield addresses


def _response(reply: Reply | None) -> web.Response:
    if reply is None:
        return web.Response(status=501, text="The story has no reply to this request.")
    body, default = body_of(reply)
    headers = dict(reply.headers or {})
    if reply.type or default:
        headers.setdefault("Content-Type", reply.type or default or "")
    return web.Response(status=reply.status, body=body, headers=headers)


def body_of(reply: Reply) -> tuple[bytes | None, str | None]:
    """The bytes of a reply, and the media type they have when it says none."""
    if reply.base64 is not None:
        try:
            return base64.b64decode(reply.base64, validate=True), "application/octet-stream"
        except binascii.Error:
            return reply.base64.encode(), "text/plain; charset=utf-8"
    if reply.body is None:
        return None, None
    if isinstance(reply.body, Scalar) and isinstance(reply.body.value, str):
        return reply.body.value.encode(), "text/plain; charset=utf-8"
    return json.dumps(plain_json(reply.body), ensure_ascii=False).encode(), "application/json"
