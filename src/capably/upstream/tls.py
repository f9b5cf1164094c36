"""Connections with a client certificate."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

from capably.upstream.auth.certificate import Certificate, Pem
from capably.upstream.reply import Trouble, UpstreamError


def client_context(scheme: Certificate) -> ssl.SSLContext:
    """What connections with this certificate are opened with. Reads its files.

    Raises:
        UpstreamError: a file cannot be read, is not PEM, or the key does not fit.
    """
    try:
        authority = scheme.authority
        context = ssl.create_default_context(cafile=authority.file or None, cadata=authority.text or None)
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
