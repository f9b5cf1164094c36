"""HTTP/1.1 from callers (RFC 9110, RFC 9112), spoken to applications as ASGI.

:class:`~capably.inbound.server.Server` listens, a :class:`~capably.inbound.connection.Connection` reads requests off
its socket and has them answered one after the other, an :class:`~capably.inbound.exchange.Exchange` is one request and
its answer as the application sees it.
"""
