"""Listening: sockets bound before anything starts, and uvicorn servers that run and drain side by side."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from capably.errors import CommandError
from capably.servers.http import DISCONNECT, Application, Receive, Scope, Send


@contextlib.contextmanager
def bind(host: str, port: int, what: str, option: str) -> Iterator[socket.socket]:
    """A listening socket that is closed in the end.

    Raises:
        CommandError: as :func:`bound` does.
    """
    with bound(host, port, what, option) as sock:
        yield sock


def bound(host: str, port: int, what: str, option: str, *, is_shared: bool = False) -> socket.socket:
    """A listening socket; with ``is_shared`` other processes of this user may listen on the same address.

    Raises:
        CommandError: the address is taken or cannot be used; the message names the server and the option that
            moves it.
    """
    try:
        family, _kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as problem:
        message = f"{what} cannot listen on {host}: {problem.strerror or problem}"
        raise CommandError(message, "name an address of this machine with --host ADDR") from problem
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind(address)
        sock.listen(2048)
    except OSError as problem:
        sock.close()
        message = f"{what} cannot listen on {host}:{port}: {problem.strerror or problem}"
        raise CommandError(message, f"stop what uses it, or move this server with {option}") from problem
    sock.setblocking(False)
    return sock


MAX_HEADER_BYTES = 64 * 1024
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class CappedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose request headers are capped: a caller cannot fill memory before its request has begun.

    RFC 6585, section 5: an over-long header section is answered with 431, and the connection is closed.
    """

    _header_bytes = 0
    _in_headers = True
    _waiting: set[Callable[[], object]] | None = None

    def on_message_begin(self) -> None:
        """Count anew for each request of a connection; tell the application how to hear of the caller's leaving."""
        self._header_bytes, self._in_headers = 0, True
        super().on_message_begin()
        if self._waiting is None:
            self._waiting = set()
        self.scope["extensions"] = {DISCONNECT: cast("dict[object, object]", self._waiting)}

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait for it."""
        super().connection_lost(exc)
        for leave in tuple(self._waiting or ()):
            leave()

    def on_headers_complete(self) -> None:
        """Stop counting: what follows is the body, which has a cap of its own."""
        self._in_headers = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless they make the header section too large."""
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > MAX_HEADER_BYTES:
            self.transport.write(_TOO_LARGE)
            self.transport.close()


def tls_context(certificate: Path, key: Path, what: str) -> ssl.SSLContext:
    """How a server speaks TLS: 1.2 or later, with forward secrecy (RFC 9325, sections 3.1.1 and 4.1).

    Raises:
        CommandError: the certificate cannot be read, or the key is not its own; ``what`` names the server.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_alpn_protocols(["http/1.1"])
    try:
        # An empty password: nobody is there to be asked for one.
        context.load_cert_chain(certificate, key, password="")
    except OSError as problem:
        if isinstance(problem, ssl.SSLError):
            message = f"{what} cannot speak https with {certificate} and {key}"
            advice = "the one needs the certificate, the other its private key, in PEM and without a password"
        else:
            message = f"{what} cannot read its certificate: {problem.filename or certificate}: {problem.strerror}"
            advice = "files named by `tls` are relative to the document, those of --tls-cert to this directory"
        raise CommandError(message, advice) from problem
    return context


class QuietServer(uvicorn.Server):
    """A uvicorn server for one of our applications: it leaves signals and logging to whoever runs it."""

    def __init__(self, app: Any, drain_s: float, tls: ssl.SSLContext | None = None) -> None:
        """Serve an ASGI application; on stopping, open requests get ``drain_s`` seconds to end."""
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http=CappedProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(drain_s),
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install nothing."""
        yield


@contextlib.asynccontextmanager
async def serving(server: uvicorn.Server, sock: socket.socket) -> AsyncIterator[None]:
    """Run a server on a bound socket while the context lasts; leaving it lets open requests end.

    Raises:
        CommandError: the server stopped while it was starting.
    """
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        while not server.started:
            if task.done():
                await task
                raise CommandError("a server stopped while it was starting")
            await asyncio.sleep(0.001)
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({task})


class Entrance:
    """The way in to an application that can be replaced between two requests.

    Each request is answered by the application that was there when it began. It costs one attribute and one call: the
    application's own awaitable is handed on.
    """

    __slots__ = ("application",)

    def __init__(self, application: Application) -> None:
        """Lead to an application."""
        self.application = application

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a request."""
        return self.application(scope, receive, send)


class Listening:
    """A bound socket and the server that answers on it. ``entrance`` leads to what is served."""

    def __init__(self, sock: socket.socket, entrance: Entrance, drain_s: float, tls: ssl.SSLContext | None) -> None:
        """Prepare; :meth:`start` begins to answer, :meth:`aclose` drains the server and closes the socket."""
        self.entrance = entrance
        self.host, self.port = sock.getsockname()[:2]
        self._sock = sock
        self._tls = tls
        if tls is not None:
            tls.sni_callback = self._present
        self._server = QuietServer(entrance, drain_s, tls)
        self._running = serving(self._server, sock)

    async def start(self) -> None:
        """Answer.

        Raises:
            CommandError: the server stopped while it was starting.
        """
        await self._running.__aenter__()

    async def aclose(self) -> None:
        """Let open requests end, then answer no more."""
        self.stop()
        await self._running.__aexit__(None, None, None)

    @property
    def is_private(self) -> bool:
        """Whether it speaks https."""
        return self._tls is not None

    def another_socket(self) -> socket.socket:
        """The same address for another server: connections wait in one line, whoever takes them."""
        return self._sock.dup()

    def renew(self, tls: ssl.SSLContext | None) -> None:
        """Show another certificate on connections that are opened from now on; what was clear stays clear."""
        if self._tls is not None and tls is not None:
            self._tls = tls

    def _present(self, secured: ssl.SSLSocket | ssl.SSLObject, _name: str | None, first: ssl.SSLContext) -> None:
        if self._tls is not None and self._tls is not first:
            secured.context = self._tls

    def stop(self) -> None:
        """Take no new requests; returns at once."""
        self._server.should_exit = True

    @property
    def open_requests(self) -> "frozenset[asyncio.Task[None]]":
        """The tasks that answer requests just now."""
        return frozenset(self._server.server_state.tasks)
