"""Servers on loopback whose callers write and read raw bytes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import h11
import pytest

from capably.inbound.caps import Caps
from capably.inbound.server import Server
from capably.servers.http import Application, Receive, Scope, Send

Serve = Callable[..., AbstractAsyncContextManager[int]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as h11 reads it."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)


@pytest.fixture
def serve() -> Serve:
    """Serve an application; gives the port."""

    @asynccontextmanager
    async def serving(app: Application, caps: Caps | None = None, drain_s: float = 1.0) -> AsyncIterator[int]:
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(app, caps=caps)
        await server.start(listener)
        try:
            yield listener.getsockname()[1]
        finally:
            await server.end(drain_s)

    return serving


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request line, the names of the headers, and the body."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    line = scope["method"].encode() + b" " + scope["raw_path"] + query + b"\n"
    told = line + b",".join(name for name, _value in scope["headers"]) + b"\n" + body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


async def talk(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send bytes, part by part, and give all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        return await asyncio.wait_for(reader.read(-1), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def answers_in(raw: bytes, *methods: str) -> list[Answer]:
    """The answers to requests with these methods, read by another implementation."""
    client = h11.Connection(h11.CLIENT)
    found: list[Answer] = []
    rest = raw
    for method in methods:
        if found:
            client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(rest)
        client.receive_data(b"")
        head: h11.Response | None = None
        body = b""
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                pytest.fail(f"no whole answer: {event!r} in {rest!r}")
        assert head is not None
        found.append(Answer(head.status_code, tuple(head.headers), body))
        rest = client.trailing_data[0]
    assert rest == b"", "more came than was asked for"
    return found
