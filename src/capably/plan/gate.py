"""Who may call a server: an ``authentication`` block under ``exposes`` becomes a gate that each request must pass.

Secrets are compared in constant time. Schemes: bearer (RFC 6750), basic (RFC 7617) and API keys in a header or a
query parameter.
"""

import hmac
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from capably.diagnostics import Diagnostic, Span, error
from capably.document import Scalar
from capably.model.auth import Authentication

Reveal: TypeAlias = Callable[[str, Span], str]
"""Gives the text of a secret for its template."""
Read: TypeAlias = Callable[[str], str | None]
"""Gives the value of a header or query parameter by its name."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a request must carry: ``expected`` in a header or in a query parameter.

    ``scheme`` is the word before the credentials (``Bearer``), empty for API keys; ``challenge`` is the
    WWW-Authenticate header of a refusal (RFC 9110, section 11.6.1), empty when the scheme has none.
    """

    placement: str
    name: str
    scheme: str
    challenge: str
    expected: bytes = field(repr=False)

    def admits(self, header: Read, query: Read) -> bool:
        """Whether a request carries what it must."""
        given = header(self.name) if self.placement == "header" else query(self.name)
        if given is None:
            return False
        if self.scheme:
            scheme, _, given = given.partition(" ")
            if scheme.lower() != self.scheme.lower():
                return False
        # Headers are read as latin-1, so this gives the bytes as they came (RFC 9110, section 5.5).
        raw = given.strip().encode("latin-1" if self.placement == "header" else "utf-8", "replace")
        return hmac.compare_digest(raw, self.expected)


def compile_gate(block: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Gate | None:
    """The gate an authentication block states; ``None`` (and a diagnostic) when it cannot be kept."""
    scheme = _SCHEMES.get(block.type.lower())
    if scheme is None:
        message = f"this version does not authenticate callers with `{block.type}`: the server would be open"
        known = f"use {', '.join(_SCHEMES)}; or remove `authentication` to serve it without"
        found.append(error("DOC014", message, block.value_span("type"), known))
        return None
    return scheme(block, reveal, found)


def _secret(block: Authentication, key: str, reveal: Reveal, found: list[Diagnostic]) -> str | None:
    node = block.node.get(key)
    if isinstance(node, Scalar) and node.text.strip():
        return reveal(node.text, node.span)
    message = f"`{block.type}` authentication needs `{key}`"
    found.append(error("AUT002", message, block.value_span(key), f"add `{key}: '{{{{env.NAME}}}}'` and a bind"))
    return None


def _bearer(block: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Gate | None:
    token = _secret(block, "token", reveal, found)
    if token is None:
        return None
    return Gate("header", "authorization", "Bearer", 'Bearer realm="capably"', token.encode())


def _basic(block: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Gate | None:
    username, password = (_secret(block, key, reveal, found) for key in ("username", "password"))
    if username is None or password is None:
        return None
    challenge = 'Basic realm="capably", charset="UTF-8"'
    return Gate("header", "authorization", "Basic", challenge, b64encode(f"{username}:{password}".encode()))


def _apikey(block: Authentication, reveal: Reveal, found: list[Diagnostic]) -> Gate | None:
    name = block.key_ or block.name
    value = _secret(block, "value", reveal, found)
    placement = (block.placement or block.in_ or "header").lower()
    if name is None:
        advice = "add `key:` with the name of the header or query parameter"
        found.append(error("AUT002", "`apikey` authentication needs `key`", block.node.span, advice))
    elif placement not in {"header", "query"}:
        span = block.value_span("placement" if block.placement else "in")
        found.append(error("AUT003", f"a caller's API key cannot be in `{placement}`", span, "header or query"))
    elif value is not None:
        return Gate(placement, name.lower() if placement == "header" else name, "", "", value.encode())
    return None


_SCHEMES: dict[str, Callable[[Authentication, Reveal, list[Diagnostic]], Gate | None]] = {
    "bearer": _bearer,
    "basic": _basic,
    "apikey": _apikey,
}
