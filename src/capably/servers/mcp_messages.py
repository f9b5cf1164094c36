"""JSON-RPC 2.0 as MCP narrows it: one message in, one answer out, as bytes.

Promises: whatever the bytes, :func:`parse` and :func:`message_of` give a :class:`Message` or a :class:`Response`, or
raise :class:`ProtocolError`, never anything else; an error answer carries the request's id whenever that id could be
read.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

RequestId: TypeAlias = str | int

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
"""Codes above are JSON-RPC's (section 5.1), those from here MCP's own (2026-07-28, Overview: Error Codes)."""
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

NOTIFICATIONS: Final = "notifications/"
"""What the name of every MCP notification begins with."""

MAX_DEPTH: Final = 64
"""How deep lists and objects of a message may be nested; deeper ones only serve to exhaust whoever walks them."""

_SHOWN_CHARACTERS = 120


class Message(msgspec.Struct, frozen=True):
    """A request, or with ``id`` ``None`` a notification. ``params`` is empty when none were sent."""

    id: RequestId | None
    method: str
    params: Mapping[str, Any]


class Response(msgspec.Struct, frozen=True):
    """A client's answer to a request of this server: ``result``, or ``None`` when it answered with an error."""

    id: RequestId | None
    result: Mapping[str, Any] | None


class Reply(msgspec.Struct, frozen=True):
    """What goes back: the HTTP status, and one JSON-RPC message or, for a notification, nothing.

    ``session_id`` is that of the session that the message has opened.
    """

    status: int
    body: bytes
    session_id: str | None = None


class ProtocolError(Exception):
    """A message that is refused; becomes a JSON-RPC error. ``data`` must be encodable as JSON."""

    def __init__(self, code: int, message: str, *, request_id: RequestId | None = None, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id
        self.data = data


def parse(raw: bytes) -> Any:
    """Read JSON.

    Raises:
        ProtocolError: it is none (JSON-RPC 2.0, section 5.1), or it is nested too deeply.
    """
    value = _json(raw)
    # Counting is cheap and settles nearly every message; only one with many brackets has to be walked.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _is_deep(value, MAX_DEPTH):
        raise ProtocolError(PARSE_ERROR, "Parse error: the JSON is nested too deeply")
    return value


def message_of(value: Any) -> Message | Response:
    """What a JSON value says as a message.

    Raises:
        ProtocolError: it is not one request, notification or response (MCP 2025-06-18 and later, Base Protocol:
            Messages; batches, which 2025-03-26 has as well, are taken apart before).
    """
    if not isinstance(value, dict):
        raise ProtocolError(INVALID_REQUEST, f"Invalid request: {_not_an_object(value)}")
    request_id = _usable_id(value)
    if value.get("jsonrpc") != "2.0":
        raise _invalid('`jsonrpc` must be "2.0"', request_id)
    method = value.get("method")
    if "method" not in value and ("result" in value or "error" in value):
        result = value.get("result")
        return Response(request_id, result if isinstance(result, dict) else None)
    if not isinstance(method, str) or not method:
        raise _invalid("`method` must be a string", request_id)
    params = value.get("params")
    if params is None:
        params = {}
    elif not isinstance(params, dict):
        raise _invalid("`params` must be an object", request_id)
    if request_id is None:
        _check_notification(value, method)
    return Message(request_id, method, params)


def encode_result(request_id: RequestId | None, result: bytes) -> bytes:
    """A response around a result that is JSON already."""
    return b'{"jsonrpc":"2.0","id":' + msgspec.json.encode(request_id) + b',"result":' + result + b"}"


def encode_request(request_id: RequestId, method: str, params: Mapping[str, Any]) -> bytes:
    """A request of this server to its client."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def encode_notification(method: str, params: Mapping[str, Any]) -> bytes:
    """A notification of this server to its client."""
    return msgspec.json.encode({"jsonrpc": "2.0", "method": NOTIFICATIONS + method, "params": params})


def on_one_line(message: bytes) -> bytes:
    """The message without line ends, which can stand between its values but never in them (RFC 8259, section 7)."""
    if b"\n" in message or b"\r" in message:
        return message.replace(b"\n", b" ").replace(b"\r", b" ")
    return message


def encode_error(error: ProtocolError, request_id: RequestId | None) -> bytes:
    """An error response. An id that could not be read is ``null`` (JSON-RPC 2.0, section 5)."""
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "error": told})


def shown(value: object) -> str:
    """A caller's value as an error message quotes it: not longer than a line."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        raise ProtocolError(PARSE_ERROR, "Parse error: the JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise ProtocolError(PARSE_ERROR, "Parse error: the body is not UTF-8") from None
    except msgspec.DecodeError as error:
        raise ProtocolError(PARSE_ERROR, f"Parse error: {error}") from None


def _is_deep(value: Any, left: int) -> bool:
    """Whether a value is nested more than ``left`` levels deep."""
    if isinstance(value, dict):
        return left == 0 or any(_is_deep(item, left - 1) for item in value.values())
    if isinstance(value, list):
        return left == 0 or any(_is_deep(item, left - 1) for item in value)
    return False


def _invalid(what: str, request_id: RequestId | None) -> ProtocolError:
    return ProtocolError(INVALID_REQUEST, f"Invalid request: {what}", request_id=request_id)


def _not_an_object(value: object) -> str:
    if isinstance(value, list):
        return "batches are not supported, send each message as a request of its own"
    return "the body must be one JSON-RPC object"


def _usable_id(value: Mapping[str, Any]) -> RequestId | None:
    """The id when it is a string or an integer (MCP Base Protocol: Requests); ``true`` is no integer."""
    found = value.get("id")
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def _check_notification(value: Mapping[str, Any], method: str) -> None:
    """Tell a notification from a request whose id was forgotten or is of a type that cannot be used.

    Raises:
        ProtocolError: there is an ``id`` but no usable one, or the method is none of a notification.
    """
    if "id" in value or not method.startswith(NOTIFICATIONS):
        raise _invalid("`id` must be a string or an integer", None)
