"""Which HTTP a TLS connection speaks: the upstream picks one of those offered (ALPN, RFC 7301)."""

import asyncio
from importlib.util import find_spec
from typing import Final, cast

OFFERED: Final = ("h2", "http/1.1") if find_spec("h2") is not None else ()
"""What is offered: nothing without the extra ``capably[http2]``, so that connections are as they are without it."""


class Negotiation(asyncio.Protocol):
    """Keeps what arrives until it is known which protocol reads it."""

    def __init__(self) -> None:
        """Wait to be connected."""
        self._transport: asyncio.Transport | None = None
        self._early = b""
        self._lost: tuple[Exception | None] | None = None

    @property
    def is_http2(self) -> bool:
        """Whether HTTP/2 was picked."""
        secured = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        return secured is not None and secured.selected_alpn_protocol() == "h2"

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Let a protocol read what has come and what will."""
        if self._transport is None:
            raise ConnectionError("the connection was closed")
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._early:
            protocol.data_received(self._early)
        if self._lost is not None:
            protocol.connection_lost(*self._lost)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of ``asyncio.Protocol``."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of ``asyncio.Protocol``."""
        self._lost = (exc,)
