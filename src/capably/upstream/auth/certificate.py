"""Client certificates: the connection itself proves who calls (RFC 8446, section 4.4.2)."""

import re
from dataclasses import dataclass, field

from capably.diagnostics import warning
from capably.document import Scalar
from capably.upstream.auth.block import Block
from capably.upstream.request import Request

_SCHEME = re.compile(r"^file://(?:/(?=\.))?")  # `file:///./x` is relative, as it is in binds
_BEGIN = "-----BEGIN "
_BINARY = (".p12", ".pfx", ".jks", ".der")


@dataclass(frozen=True, slots=True)
class Pem:
    """Something in PEM: its text, or the file that holds it. Neither when nothing is stated."""

    text: str = field(default="", repr=False)
    file: str = ""


NO_PEM = Pem()


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client's certificate (with the chain above it), its private key, and the authority of the server.

    ``key`` is ``NO_PEM`` when the certificate's PEM holds the key as well, ``authority`` when public ones are trusted.
    """

    certificate: Pem
    key: Pem = NO_PEM
    passphrase: str = field(default="", repr=False)
    authority: Pem = NO_PEM
    headers: tuple[str, ...] = ()

    def preview(self, request: Request) -> Request:
        """The request as it is: a certificate shows in the connection only."""
        return request


def compile_certificate(block: Block) -> Certificate:
    """``type: certificate``: files relative to the document, or PEM texts from variables."""
    return Certificate(
        certificate=_pem(block, "certificate", "cert"),
        key=_pem(block, "key", "privateKey") if block.written("key", "privateKey") is not None else NO_PEM,
        passphrase=block.optional_secret("passphrase", "password"),
        authority=_pem(block, "ca") if block.written("ca") is not None else NO_PEM,
    )


def _pem(block: Block, *keys: str) -> Pem:
    text = block.secret(*keys, lines=True).strip()
    if text.startswith(_BEGIN):
        return Pem(text=text.replace("\\n", "\n"))
    key = block.written(*keys)
    if key is None or not text or "<" in text:
        return Pem(file=text)
    if text.lower().endswith(_BINARY):
        advice = "make PEM of it: openssl pkcs12 -in FILE -out client.pem"
        block.refuse("AUT006", f"`{key}` must be PEM, which {_shown(block, key, text)} is not", key, advice)
    file = block.folder / _SCHEME.sub("", text)
    if not file.is_file():
        message = f"`{key}` names {_shown(block, key, text)}, which is not there"
        advice = "files are relative to the document; calls fail until it exists"
        block.found.append(warning("AUT007", message, block.stated.value_span(key), advice))
    return Pem(file=str(file))


def _shown(block: Block, key: str, text: str) -> str:
    """A file's name as the document writes it; what a variable holds is never told."""
    node = block.stated.node.get(key)
    written = node.text if isinstance(node, Scalar) else text
    return "a file" if "{{" in written else text
