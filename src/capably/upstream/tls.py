"""TLS settings of connections: sessions are resumed, and a client certificate is shown where a scheme has one."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from capably.upstream.auth.certificate import Certificate, Pem
from capably.upstream.negotiation import OFFERED
from capably.upstream.reply import Trouble, UpstreamError

_SESSIONS = 1000  # hosts whose sessions are kept


class ResumingContext(ssl.SSLContext):
    """Settings that offer each host the session of the last connection to it, which saves both sides a handshake.

    Source: RFC 8446, section 2.2.
    """

    sessions: dict[str, ssl.SSLSession]

    @classmethod
    def of(cls, cafile: str | None = None, cadata: str | None = None) -> Self:
        """Trust these authorities, or those of the system.

        Raises:
            OSError: the authorities cannot be read.
        """
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.sessions = {}
        if OFFERED:
            context.set_alpn_protocols(OFFERED)
        if cafile or cadata:
            context.load_verify_locations(cafile=cafile, cadata=cadata)
        else:
            context.load_default_certs()
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 -- as the standard library has it
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Part of ``ssl.SSLContext``; event loops make their connections with it."""
        offered = session or self.sessions.get(str(server_hostname))
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, offered)

    def remember(self, host: str, connection: ssl.SSLObject) -> None:
        """Offer the session of a connection to the next one."""
        if connection.session is not None:
            self.sessions[host] = connection.session
            while len(self.sessions) > _SESSIONS:
                del self.sessions[next(iter(self.sessions))]


def client_context(scheme: Certificate) -> ResumingContext:
    """What connections with this certificate are opened with. Reads its files.

    Raises:
        UpstreamError: a file cannot be read, is not PEM, or the key does not fit.
    """
    try:
        authority = scheme.authority
        context = ResumingContext.of(cafile=authority.file or None, cadata=authority.text or None)
        with _as_file(scheme.certificate) as certificate, _as_file(scheme.key) as key:
            # An empty password is given as well: without one, OpenSSL would ask at the terminal.
            context.load_cert_chain(certificate or "", key, scheme.passphrase)
    except (OSError, ValueError) as problem:
        reason = f"the client certificate cannot be used: {problem}"
        raise UpstreamError(Trouble.AUTH, reason, told="its client certificate cannot be used") from problem
    return context


@contextlib.contextmanager
def _as_file(pem: Pem) -> Iterator[str | None]:
    """The file of a PEM; a text is put into one that only this user can read, as long as it takes to load it."""
    if not pem.text:
        yield pem.file or None
        return
    handle, name = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(pem.text)
        yield name
    finally:
        Path(name).unlink()
