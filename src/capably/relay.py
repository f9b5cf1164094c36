"""Takes requests of an MCP session to the worker that has it.

Sessions of the legacy era live in one process: its streams, its calls that run, the questions it asked. The id that a
client gets names the worker, and whoever receives a request with another worker's id passes it on, as it came, to the
loopback port at which that worker can be reached. There the request is looked at like any other: who calls is asked
anew. A request with no session, which is every request of the modern era, is answered where it arrives.
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Final, Self
from urllib.parse import quote, unquote

import msgspec

from capably.listening import Entrance, Listening, bound
from capably.plan.outcome import Fault, Outcome
from capably.seat import Seat
from capably.servers.http import (
    Application,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    header,
    read_body,
    send_body,
    send_fault,
    send_stream,
    while_connected,
)
from capably.upstream.client import Client, ClientLimits
from capably.upstream.pool import Pool
from capably.upstream.reply import Reply, UpstreamError
from capably.upstream.request import Request

_SESSION: Final = b"mcp-session-id"
_HOST: Final = b"capably-host"
"""The ``Host`` of a request that is passed on: that of the connection between workers says nothing."""
_FOREVER_S: Final = 366 * 86400.0
"""How long a neighbour may take: it keeps the limits of the request, and streams have none."""
_DRAIN_S: Final = 1.0
_OF_THE_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "trailer", "upgrade", "expect"}
)


class Neighbours:
    """The other workers: the way to them, and the door by which they come.

    An async context manager that owns the connections to them; whoever drains listeners closes the ``door`` as well.
    """

    def __init__(self, seat: Seat, find: Callable[[str], Application | None]) -> None:
        """Know one's place, and how to find what answers for a server by its namespace."""
        self.seat = seat
        self._find = find
        limits = ClientLimits(connect_s=5.0, answer_s=_FOREVER_S, stream_idle_s=_FOREVER_S)
        self._pool = Pool(limits.connect_s, proxies={})
        self._client = Client(limits, self._pool)

    async def __aenter__(self) -> Self:
        """Open the door; connections are opened when they are needed."""
        port = self.seat.doors[self.seat.number - 1]
        sock = bound("127.0.0.1", port, "a worker", "--workers", is_shared=True)
        self.door = Listening(sock, Entrance(Door(self._find)), _DRAIN_S, None)
        await self.door.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the connections."""
        await self._pool.__aexit__(*exc)

    async def ask(self, number: int, request: Request) -> Reply:
        """Make a request of another worker, whose URL is only a path here; the answer's body is a stream.

        Raises:
            UpstreamError: it gives no answer.
        """
        return await self._client.open(self._to(number, request))

    async def fetch(self, number: int, request: Request) -> Reply:
        """Make a request of another worker, whose answer is short.

        Raises:
            UpstreamError: it gives none.
        """
        return await self._client.send(self._to(number, request))

    def _to(self, number: int, request: Request) -> Request:
        url = f"http://127.0.0.1:{self.seat.doors[number - 1]}{request.url}"
        return msgspec.structs.replace(request, url=url)


class SessionRelay:
    """An MCP application whose sessions are known by all workers: an ASGI application."""

    def __init__(self, namespace: str, application: Application, neighbours: Neighbours, body_bytes: int) -> None:
        """Stand before the application of this worker; bodies over ``body_bytes`` are not taken."""
        self._namespace = namespace
        self._application = application
        self._neighbours = neighbours
        self._own = f"w{neighbours.seat.number}."
        self._body_bytes = body_bytes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request, or have it answered."""
        told = header(scope, _SESSION)
        if told is None:
            return self._application(scope, receive, self._naming(send))
        number, _, session = told.removeprefix("w").partition(".")
        seat = self._neighbours.seat
        if session and number.isdecimal() and 0 < int(number) <= len(seat.doors) and int(number) != seat.number:
            return self._pass_on(int(number), scope, receive, send)
        headers = [(name, value) for name, value in scope["headers"] if name != _SESSION]
        headers.append((_SESSION, told.removeprefix(self._own).encode("latin-1")))
        return self._application({**scope, "headers": headers}, receive, send)

    def _naming(self, send: Send) -> Send:
        """Answers that open a session name this worker in its id."""

        def named(message: MutableMapping[str, Any]) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, self._own.encode() + value if name == _SESSION else value)
                    for name, value in message["headers"]
                ]
            return send(message)

        return named

    async def _pass_on(self, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(scope, receive, self._body_bytes)
            request = Request(scope["method"], self._target(scope), tuple(_headers(scope)), body or None)
            await while_connected(receive, self._answer(number, request, send))
        except Fault as fault:
            await send_fault(send, fault)
        except ClientGoneError:
            return

    async def _answer(self, number: int, request: Request, send: Send) -> None:
        try:
            reply = await self._neighbours.ask(number, request)
        except UpstreamError:
            # What it remembered is gone with it: the client begins anew (MCP 2025-11-25, Session Management, 4).
            raise Fault(
                404, "session-not-found", "There is no such session", "begin a new one with `initialize`"
            ) from None
        headers = tuple(pair for pair in reply.headers if pair[0] not in _OF_THE_CONNECTION)
        outcome = Outcome(reply.status, None, headers=headers, stream=reply.stream)
        if reply.stream is None:
            await send_body(send, outcome.status, None, reply.body, headers)
        else:
            await send_stream(send, outcome, reply.stream)

    def _target(self, scope: Scope) -> str:
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        return f"/{quote(self._namespace, safe='')}{path}" + (f"?{query}" if query else "")


class Door:
    """Where the other workers bring requests: an ASGI application that gives them to the server they are for."""

    def __init__(self, find: Callable[[str], Application | None]) -> None:
        """Know how to find what answers for a namespace."""
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request as it came to the other worker."""
        namespace, _, path = scope["raw_path"].decode("latin-1").removeprefix("/").partition("/")
        application = self._find(unquote(namespace))
        if application is None:
            await send_fault(send, Fault(404, "not-found", "There is nothing at this path", "no server has this name"))
            return
        host = header(scope, _HOST)
        headers = [(name, value) for name, value in scope["headers"] if name not in {b"host", _HOST}]
        if host is not None:
            headers.append((b"host", host.encode("latin-1")))
        raw = f"/{path}"
        await application(
            {**scope, "raw_path": raw.encode("latin-1"), "path": unquote(raw), "headers": headers}, receive, send
        )


def _headers(scope: Scope) -> Iterator[tuple[str, str]]:
    for name, value in scope["headers"]:
        told = name.decode("latin-1")
        if told == "host":
            yield _HOST.decode(), _text(value)
        elif told not in _OF_THE_CONNECTION:
            yield told, _text(value)


def _text(value: bytes) -> str:
    return bytes(value).decode("utf-8", "surrogateescape")
