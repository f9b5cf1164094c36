"""The two eras of MCP, and which of them a message belongs to.

*Legacy* revisions open with an ``initialize`` handshake; the *modern* one says its version in the ``_meta`` of every
request (MCP 2026-07-28, Versioning and Compatibility: Terminology). A server may serve both on one endpoint; what
decides is how the message itself speaks; what is remembered between requests of the legacy era is in a session.
"""

import base64
import binascii
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec

from capably.plan.principal import ANYBODY, Principal
from capably.plan.trace_context import NO_TRACE, TraceContext
from capably.servers.mcp_messages import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    Message,
    ProtocolError,
    shown,
)
from capably.servers.mcp_sessions import Session

MODERN_VERSIONS: Final = ("2026-07-28",)
LEGACY_VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26")
"""Newest first: the first is offered to a client that asks for one we do not speak."""
SUPPORTED_VERSIONS: Final = MODERN_VERSIONS + LEGACY_VERSIONS
"""What a client is told it may speak, legacy revisions by way of ``initialize`` (MCP 2026-07-28, Versioning)."""

VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
SERVER_INFO_KEY: Final = "io.modelcontextprotocol/serverInfo"
LOG_LEVEL_KEY: Final = "io.modelcontextprotocol/logLevel"
SUBSCRIPTION_KEY: Final = "io.modelcontextprotocol/subscriptionId"


NO_MIRRORS: Final[Mapping[str, str]] = MappingProxyType({})
"""The mirrored parameters of a request that mirrors none."""


class Era(StrEnum):
    """How a message says what it means, and what its answer looks like."""

    LEGACY = "legacy"
    MODERN = "modern"


class Context(msgspec.Struct, frozen=True):
    """What the transport knows of a message: over HTTP, the headers that mirror it.

    ``over_http`` is false for transports without headers, where the body alone counts. ``repeated`` names a mirroring
    header that was sent more than once, ``mirrored`` holds the ``Mcp-Param-*`` headers by the rest of their lower-case
    names. ``principal`` is the caller. ``session`` is known from the start where a connection is a session, as over
    stdio; over HTTP ``session_id`` names it. ``trace`` is what headers tell of the trace the message belongs to.
    """

    over_http: bool = False
    version: str | None = None
    method: str | None = None
    name: str | None = None
    repeated: str | None = None
    mirrored: Mapping[str, str] = NO_MIRRORS
    principal: Principal = ANYBODY
    session_id: str | None = None
    session: Session | None = None
    trace: TraceContext = NO_TRACE


NO_HEADERS: Final = Context()
"""The context of a message that came without HTTP."""

STATUSES: Final[Mapping[Era, Mapping[int, int]]] = MappingProxyType(
    {
        # Legacy: an error is a JSON-RPC message like any other and travels with 200, except for bodies that are no
        # request at all and a version header nobody speaks (MCP 2025-11-25, Transports: Protocol Version Header).
        Era.LEGACY: MappingProxyType({PARSE_ERROR: 400, INVALID_REQUEST: 400, UNSUPPORTED_VERSION: 400}),
        # Modern: MCP 2026-07-28, Streamable HTTP: Protocol Version Header, Server Validation; Overview: _meta. It gives
        # internal errors no status; 500 is what HTTP calls them (RFC 9110, section 15.6.1).
        Era.MODERN: MappingProxyType(
            {
                PARSE_ERROR: 400,
                INVALID_REQUEST: 400,
                METHOD_NOT_FOUND: 404,
                INVALID_PARAMS: 400,
                INTERNAL_ERROR: 500,
                HEADER_MISMATCH: 400,
                MISSING_CAPABILITY: 400,
                UNSUPPORTED_VERSION: 400,
            }
        ),
    }
)
"""HTTP status by JSON-RPC error code; 200 where a code is not listed."""

_NAMED_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tools/call": "name",
        "prompts/get": "name",
        "resources/read": "uri",
    }
)
"""The parameter that ``Mcp-Name`` mirrors (MCP 2026-07-28, Streamable HTTP: Standard Request Headers)."""


def era_of(message: Message, context: Context) -> Era:
    """Which era a message belongs to.

    A version in ``_meta`` makes it modern, whatever it is. Without one, ``initialize`` is legacy; else the version
    header decides, and where there is none, whether the request has the modern ``Mcp-Method`` header.

    Raises:
        ProtocolError: the version header names a revision that is not spoken here.
    """
    meta = message.params.get("_meta")
    if isinstance(meta, dict) and VERSION_KEY in meta:
        return Era.MODERN
    if message.method == "initialize" or context.version in LEGACY_VERSIONS:
        return Era.LEGACY
    if context.version is None:
        return Era.MODERN if context.method is not None else Era.LEGACY
    if context.version not in MODERN_VERSIONS:
        raise unsupported(context.version)
    return Era.MODERN


def negotiate(params: Mapping[str, Any]) -> str:
    """The version ``initialize`` settles on: the client's if we speak it, else our newest legacy one.

    Source: MCP 2025-11-25, Lifecycle: Version Negotiation.

    Raises:
        ProtocolError: the client names no version.
    """
    asked = params.get("protocolVersion")
    if not isinstance(asked, str):
        raise ProtocolError(INVALID_PARAMS, "Invalid params: `protocolVersion` must be a string")
    return asked if asked in LEGACY_VERSIONS else LEGACY_VERSIONS[0]


def check_modern(message: Message, context: Context) -> None:
    """Check what every modern request must say of itself, and that its headers say the same as its body.

    The order is the one of the official SDK: a request that contradicts itself is told so before it is told that its
    version is not spoken. Sources: MCP 2026-07-28, Overview: Per-request protocol fields; Streamable HTTP: Server
    Validation; Versioning: Protocol Version Negotiation.

    Raises:
        ProtocolError: a required field is missing, a header differs, or the version is not spoken here.
    """
    version = _declared_version(message.params.get("_meta"))
    if context.over_http:
        _check_headers(message, context, version)
    if not isinstance(version, str):
        raise ProtocolError(INVALID_PARAMS, f"Invalid params: `_meta` field `{VERSION_KEY}` must be a string")
    if version not in MODERN_VERSIONS:
        raise unsupported(version)


def unsupported(version: str) -> ProtocolError:
    """The error for a version that is not spoken here, listing those that are."""
    data = {"supported": list(SUPPORTED_VERSIONS), "requested": shown(version)}
    return ProtocolError(UNSUPPORTED_VERSION, "Unsupported protocol version", data=data)


def _declared_version(meta: Any) -> Any:
    if not isinstance(meta, dict):
        needed = f"`{VERSION_KEY}` and `{CAPABILITIES_KEY}`"
        raise ProtocolError(INVALID_PARAMS, f"Invalid params: `_meta` must be an object with {needed}")
    missing = [f"`{key}`" for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
    if missing:
        raise ProtocolError(INVALID_PARAMS, f"Invalid params: `_meta` lacks {' and '.join(missing)}")
    if not isinstance(meta[CAPABILITIES_KEY], dict):
        raise ProtocolError(INVALID_PARAMS, f"Invalid params: `_meta` field `{CAPABILITIES_KEY}` must be an object")
    return meta[VERSION_KEY]


def _check_headers(message: Message, context: Context, version: Any) -> None:
    if context.repeated is not None:
        # Two readers that pick different copies would act on different requests.
        raise ProtocolError(HEADER_MISMATCH, f"Header mismatch: {context.repeated} was sent more than once")
    _compare("MCP-Protocol-Version", context.version, version)
    _compare("Mcp-Method", context.method, message.method)
    field = _NAMED_BY.get(message.method)
    name = message.params.get(field) if field is not None else None
    if name is not None:
        _compare("Mcp-Name", _decoded(context.name), name)


def _compare(header: str, given: str | None, expected: Any) -> None:
    if given is None:
        raise ProtocolError(HEADER_MISMATCH, f"Missing required header: {header}")
    if given != expected:
        detail = f"{header} header value '{shown(given)}' does not match body value '{shown(expected)}'"
        raise ProtocolError(HEADER_MISMATCH, f"Header mismatch: {detail}")


def mirrored_value(value: str) -> str:
    """The value of an ``Mcp-Param-*`` header.

    Raises:
        ProtocolError: its wrapping is not right.
    """
    return _decoded(value) or ""


def _decoded(value: str | None) -> str | None:
    """A header value without its ``=?base64?…?=`` wrapping (MCP 2026-07-28, Streamable HTTP: Value Encoding)."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    payload = value[len("=?base64?") : -len("?=")]
    try:
        decoded = base64.b64decode(payload, validate=True)
        # Another spelling of the same bytes would let two readers disagree about what the header says.
        if base64.b64encode(decoded).decode() == payload:
            return decoded.decode()
    except (binascii.Error, ValueError):
        pass
    raise ProtocolError(HEADER_MISMATCH, "Header mismatch: a header is not valid Base64 of UTF-8 text")
