"""Listening: sockets bound before anything starts, and servers that run and drain side by side."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Iterator
from pathlib import Path

from capably.errors import CommandError
from capably.inbound.caps import BACKLOG, Caps
from capably.inbound.server import Server
from capably.servers.http import Application, Receive, Scope, Send


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
        sock.listen(BACKLOG)
    except OSError as problem:
        sock.close()
        message = f"{what} cannot listen on {host}:{port}: {problem.strerror or problem}"
        raise CommandError(message, f"stop what uses it, or move this server with {option}") from problem
    sock.setblocking(False)
    return sock


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

    def __init__(
        self,
        sock: socket.socket,
        entrance: Entrance,
        drain_s: float,
        tls: ssl.SSLContext | None,
        caps: Caps | None = None,
    ) -> None:
        """Prepare; :meth:`start` begins to answer, :meth:`aclose` drains the server and closes the socket."""
        self.entrance = entrance
        self.host, self.port = sock.getsockname()[:2]
        self._sock = sock
        self._tls = tls
        if tls is not None:
            tls.sni_callback = self._present
        self._drain_s = drain_s
        self._server = Server(entrance, tls, caps)

    async def start(self) -> None:
        """Answer."""
        await self._server.start(self._sock)

    async def aclose(self) -> None:
        """Let open requests end, then answer no more; those that take too long are cut."""
        await self._server.end(self._drain_s)

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
        self._server.stop_accepting()

    @property
    def open_requests(self) -> "frozenset[asyncio.Future[None]]":
        """Each is done when one of the requests that are answered just now has been answered."""
        return self._server.open_requests
