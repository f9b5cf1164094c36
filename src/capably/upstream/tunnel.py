"""Connections through a proxy to a TLS upstream: the proxy is asked for a tunnel (RFC 9110, section 9.3.6)."""

import asyncio
import ssl

from capably.upstream.address import Address
from capably.upstream.reply import Trouble, UpstreamError

_MOST_BYTES = 64 * 1024
_OK = b"2"


class _Asked(asyncio.Protocol):
    """Waits for the proxy's answer."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, _rest = self._received.partition(b"\r\n\r\n")
        if (end or len(self._received) > _MOST_BYTES) and not self.answer.done():
            self.answer.set_result(head[:_MOST_BYTES])

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc or ConnectionError("the proxy closed the connection"))


async def open_tunnel(proxy: Address, target: Address, connection: asyncio.Protocol, tls: ssl.SSLContext) -> None:
    """Make a connection through a proxy.

    Raises:
        OSError: the proxy cannot be reached, or the TLS handshake with the target failed.
        UpstreamError: the proxy refused.
    """
    if proxy.is_tls:
        reason = f"the proxy {proxy.authority} is spoken to over TLS, through which no other TLS can be tunnelled"
        raise UpstreamError(Trouble.UNREACHABLE, reason)
    loop = asyncio.get_running_loop()
    transport, asked = await loop.create_connection(_Asked, proxy.host, proxy.port)
    try:
        transport.write(_request(proxy, target))
        _check(proxy, await asked.answer)
        secured = await loop.start_tls(transport, connection, tls, server_hostname=target.host)
    except BaseException:
        transport.abort()
        raise
    if secured is None:
        raise ConnectionError("the connection was closed")
    connection.connection_made(secured)


def _check(proxy: Address, answer: bytes) -> None:
    status = answer.partition(b"\r\n")[0].partition(b" ")[2]
    if not status.startswith(_OK):
        said = status.decode("ascii", "replace")
        raise UpstreamError(Trouble.UNREACHABLE, f"the proxy {proxy.authority} refused a tunnel: {said}")


def _request(proxy: Address, target: Address) -> bytes:
    host = f"[{target.host}]" if ":" in target.host else target.host
    lines = [f"CONNECT {host}:{target.port} HTTP/1.1", f"Host: {host}:{target.port}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
