"""Tool results: the outcome of a run, in the words and shapes of MCP.

A success is told as it is; a JSON body is checked and embedded, never turned into Python objects. A failure is one
text a model can act on: what happened, what the upstream said, what to do (MCP 2026-07-28, Tools: Error Handling).
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import msgspec

from capably.plan.content import Piece
from capably.plan.operation import Operation
from capably.plan.outcome import Fault, Outcome
from capably.plan.output_schema import OutputSchema
from capably.servers.mcp_eras import Era
from capably.servers.mcp_media import Media, media_of


class Text(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Text content."""

    text: str


class Image(msgspec.Struct, frozen=True, tag_field="type", tag="image", rename="camel"):
    """Image content; ``data`` is written as Base64."""

    data: bytes
    mime_type: str


class Audio(msgspec.Struct, frozen=True, tag_field="type", tag="audio", rename="camel"):
    """Audio content; ``data`` is written as Base64."""

    data: bytes
    mime_type: str


class Blob(msgspec.Struct, frozen=True, rename="camel"):
    """The bytes of an embedded resource; ``blob`` is written as Base64."""

    uri: str
    mime_type: str
    blob: bytes


class Readable(msgspec.Struct, frozen=True, rename="camel"):
    """The text of an embedded resource."""

    uri: str
    mime_type: str
    text: str


class Embedded(msgspec.Struct, frozen=True, tag_field="type", tag="resource"):
    """An embedded resource."""

    resource: Blob | Readable


Content: TypeAlias = Text | Image | Audio | Embedded


class ToolResult(msgspec.Struct, frozen=True, rename="camel"):
    """The result of ``tools/call`` (MCP 2025-11-25 and 2026-07-28, Tools: Tool Result).

    ``result_type`` and ``meta`` belong to the modern era and are left out of legacy results.
    """

    content: tuple[Content, ...]
    is_error: bool = False
    structured_content: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result_type: str | msgspec.UnsetType = msgspec.UNSET
    meta: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_meta")


EXCERPT_CHARACTERS: Final = 4000
"""How much of a failed call's body a model is shown."""

_HINTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "Check the arguments against the tool's input schema and what the API says above.",
        401: "The credentials belong to this server: other arguments will not help, its operator has to fix them.",
        403: "The credentials belong to this server and do not allow this: only its operator can change that.",
        404: "Check the identifiers in the arguments: what they name may not exist.",
        405: "The API does not offer this operation: other arguments will not help.",
        409: "The call conflicts with the present state: read that state first, then decide whether to call again.",
        410: "What the identifiers name is gone for good.",
        422: "Check the arguments against the tool's input schema and what the API says above.",
        429: "Too many calls: wait before calling again.",
    }
)
_HINT_FOR_CLIENT_ERRORS: Final = "Check the arguments."
_HINT_FOR_SERVER_ERRORS: Final = "The failure is on the API's side: try again later."

_TITLE: Final = re.compile(r"<title[^>]*>\s*([^<]{1,200}?)\s*</title", re.IGNORECASE)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def result_of(operation: Operation, outcome: Outcome, era: Era) -> ToolResult:
    """The result of a run that ended, for better or worse. The outcome's body must be whole."""
    if outcome.is_error:
        return _told(refusal(outcome))
    if outcome.pieces:
        return ToolResult(tuple(map(content_of, outcome.pieces)), is_error=operation.tells_failure)
    output = operation.output
    if output is not None and (output.is_object or era is Era.MODERN):
        return _structured(output, outcome)
    return _as_it_comes(operation, outcome, era) if outcome.body else ToolResult(())


def _as_it_comes(operation: Operation, outcome: Outcome, era: Era) -> ToolResult:
    """An answer of which nothing is declared."""
    media = media_of(outcome.media_type, outcome.body)
    if media.is_json:
        return _json_result(outcome.body, media, era)
    if media.is_text:
        return ToolResult((Text(media.decode(outcome.body)),))
    return ToolResult((_binary(operation, media, outcome.body),))


def content_of(piece: Piece) -> Content:
    """A stated piece of content."""
    if piece.text is not None:
        return Embedded(Readable(piece.uri, piece.media_type, piece.text)) if piece.uri else Text(piece.text)
    data = piece.data or b""
    if piece.uri:
        return Embedded(Blob(piece.uri, piece.media_type, data))
    return Audio(data, piece.media_type) if piece.media_type.startswith("audio/") else Image(data, piece.media_type)


def result_of_fault(fault: Fault) -> ToolResult:
    """The result of a run that gave no outcome, or of arguments that cannot be used."""
    return _told(f"{fault.title}: {fault.detail}")


def _told(text: str) -> ToolResult:
    return ToolResult((Text(text),), is_error=True)


def _json_result(body: bytes, media: Media, era: Era) -> ToolResult:
    """The body as text, and as structured content when it is JSON that the era can carry.

    Until 2025-11-25 structured content is an object; 2026-07-28 takes any value (Tools: Structured Content). What
    claims to be JSON and is not is passed on as the text it is.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        text = body.decode()
        value = msgspec.json.decode(body, type=msgspec.Raw)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return ToolResult((Text(media.decode(body)),))
    if era is Era.MODERN or body.lstrip(b" \t\r\n").startswith(b"{"):
        return ToolResult((Text(text),), structured_content=value)
    return ToolResult((Text(text),))


_SUCCESS: Final = range(200, 300)  # the answers that outputs shape (RFC 9110, section 15.3)


def _structured(output: OutputSchema, outcome: Outcome) -> ToolResult:
    """A result for an output schema, which clients hold every result against (2025-11-25, Tools: Output Schema).

    What is no answer the outputs could shape, such as an empty one, counts as one in which nothing was found.
    """
    media = media_of(outcome.media_type, outcome.body)
    body = outcome.body
    if media.is_json and outcome.status in _SUCCESS and body and not (output.is_object and body == b"null"):
        return ToolResult((Text(body.decode()),), structured_content=msgspec.Raw(body))
    is_told = bool(body) and not media.is_json and media.is_text
    text = media.decode(body) if is_told else output.empty.decode()
    return ToolResult((Text(text),), structured_content=msgspec.Raw(output.empty))


def _binary(operation: Operation, media: Media, body: bytes) -> Image | Audio | Embedded:
    if media.family == "image":
        return Image(body, media.name)
    if media.family == "audio":
        return Audio(body, media.name)
    # The URI names what the bytes are; it cannot be read again.
    uri = f"capably://transient/{quote(operation.namespace, safe='')}/{quote(operation.name, safe='')}"
    return Embedded(Blob(uri, media.name, body))


def refusal(outcome: Outcome) -> str:
    """What an upstream refused, said and what to do about it, as a text for a model."""
    verb = "failed" if outcome.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused this call"
    where = f" in step `{outcome.step}`" if outcome.step else ""
    lines = (f"The upstream API {verb}{where}: {_status(outcome.status)}.", _excerpt(outcome), _hint(outcome))
    return "\n".join(line for line in lines if line)


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _excerpt(outcome: Outcome) -> str:
    """What the upstream said, as far as it is text for a model."""
    body = outcome.body
    if not body:
        return ""
    media = media_of(outcome.media_type, body)
    if media.is_html:
        return _html_note(media.decode(body[:EXCERPT_CHARACTERS]))
    if not media.is_text:
        return f"(Its body is {len(body):,} bytes of {media.name}, left out here.)"
    # Four bytes are the most a character takes, so this much is enough and a huge body costs nothing.
    begin = body[: 4 * EXCERPT_CHARACTERS]
    text = media.decode(begin).strip()
    if len(begin) == len(body) and len(text) <= EXCERPT_CHARACTERS:
        return text
    cut = text[:EXCERPT_CHARACTERS].rstrip("\ufffd")
    return f"{cut}\n(Cut here: the whole body has {len(body):,} bytes.)"


def _html_note(page: str) -> str:
    title = _TITLE.search(page)
    called = f' titled "{title[1]}"' if title is not None else ""
    return f"(Its body is an HTML page{called}, left out here.)"


def _hint(outcome: Outcome) -> str:
    """What to do about a failure. ``Retry-After`` counts wherever it is sent (RFC 9110, section 10.2.3)."""
    by_class = (
        _HINT_FOR_SERVER_ERRORS if outcome.status >= HTTPStatus.INTERNAL_SERVER_ERROR else _HINT_FOR_CLIENT_ERRORS
    )
    hint = _HINTS.get(outcome.status, by_class)
    after = next((value.strip() for name, value in outcome.headers if name == "retry-after"), "")
    if not after:
        return hint
    when = f"{after} seconds have passed" if after.isdigit() else after
    return f"{hint} Do not call again until {when}."


def encode_tool_result(result: ToolResult, marks: Mapping[str, Any]) -> bytes:
    """The result as JSON, with what the era adds to every result (``resultType``, ``_meta``)."""
    if not marks:
        return msgspec.json.encode(result)
    return msgspec.json.encode(msgspec.structs.replace(result, result_type=marks["resultType"], meta=marks["_meta"]))
