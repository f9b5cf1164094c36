"""Every scheme by its name. A scheme is one line here and one function in a module of its own."""

from collections.abc import Callable

from capably.diagnostics import Diagnostic, did_you_mean, error
from capably.model.auth import Authentication
from capably.upstream.auth.block import Block, Reveal, fold
from capably.upstream.auth.certificate import compile_certificate
from capably.upstream.auth.credentials import NO_CREDENTIALS, Credentials, Scheme
from capably.upstream.auth.digest import compile_digest
from capably.upstream.auth.hmac_header import compile_hmac
from capably.upstream.auth.oauth1 import compile_oauth1
from capably.upstream.auth.oauth2 import compile_oauth2
from capably.upstream.auth.sigv4 import compile_sigv4
from capably.upstream.auth.static import apikey, basic, bearer


def compile_credentials(stated: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Credentials:
    """The credentials an authentication block states; problems are added to ``found``."""
    name = fold(stated.type)
    compile_block = SCHEMES.get(ALIASES.get(name, name))
    if compile_block is None:
        message = f"requests cannot be authenticated with `{stated.type}`"
        found.append(error("AUT001", message, stated.value_span("type"), *did_you_mean(stated.type, NAMES)))
        return NO_CREDENTIALS
    return compile_block(Block(stated, reveal, found))


def _dynamic(compile_block: Callable[[Block], Scheme]) -> Callable[[Block], Credentials]:
    return lambda block: Credentials(scheme=compile_block(block))


def _oauth2(block: Block) -> Credentials:
    """With a token that is ready to use, OAuth 2 is nothing but a bearer token."""
    has_token = block.written("token", "accessToken") is not None and block.written("clientId") is None
    return bearer(block) if has_token else Credentials(scheme=compile_oauth2(block))


NAMES = ("bearer", "basic", "apikey", "digest", "oauth2", "oauth1", "aws-sig-v4", "hmac", "certificate")
"""The names to recommend; case, ``-``, ``_`` and dots do not matter."""

SCHEMES: dict[str, Callable[[Block], Credentials]] = {
    "bearer": bearer,
    "basic": basic,
    "apikey": apikey,
    "digest": _dynamic(compile_digest),
    "oauth2": _oauth2,
    "oauth1": _dynamic(compile_oauth1),
    "awssigv4": _dynamic(compile_sigv4),
    "hmac": _dynamic(compile_hmac),
    "certificate": _dynamic(compile_certificate),
}

ALIASES = {
    "header": "apikey",
    "oauth": "oauth2",
    "oauth20": "oauth2",
    "oauth1a": "oauth1",
    "oauth10": "oauth1",
    "oauth10a": "oauth1",
    "awssignaturev4": "awssigv4",
    "awssig4": "awssigv4",
    "sigv4": "awssigv4",
    "clientcertificate": "certificate",
    "mtls": "certificate",
}
