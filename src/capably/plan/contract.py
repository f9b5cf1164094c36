"""What a REST operation states of its answers: `responses`, or `responseBinary` in short."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from capably.diagnostics import Span
from capably.document import plain
from capably.model.exposes import Exposed, ExposedOperation, StatedMedia, StatedResponse
from capably.plan.schema_check import SchemaCheck

_SUCCESS: Final = "2"
_STATUS: Final = re.compile("[1-5]([0-9]{2}|XX)")
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE: Final = re.compile(rf"{_WORD}/{_WORD}( *; *{_WORD}=({_WORD}|\"[^\"\r\n]*\"))*")


@dataclass(frozen=True, slots=True)
class StatedAnswer:
    """What is stated of one status, or of a class of them (``2XX``).

    ``content`` maps media types to the schema of the value, empty where none is stated; ``binary`` are those of them
    that hold bytes.
    """

    status: str
    description: str
    content: Mapping[str, Mapping[str, Any]]
    binary: tuple[str, ...]

    @property
    def is_success(self) -> bool:
        """Whether it is about answers of operations that did what they were asked."""
        return self.status.startswith(_SUCCESS)


def contract_of(exposed: Exposed | None) -> tuple[StatedAnswer, ...]:
    """What an exposed operation states; `responseBinary` counts before what `responses` says of the same status."""
    if not isinstance(exposed, ExposedOperation):
        return ()
    named = {status.upper(): item for status, item in (exposed.responses or {}).items() if is_status(status)}
    stated = {status: _answer(status, item) for status, item in named.items()}
    short = exposed.response_binary
    if short is not None:
        status = short.status.upper() if short.status is not None and is_status(short.status) else "200"
        kind = short.media_type.strip() if short.media_type is not None and is_media_type(short.media_type) else ""
        described = _described(status, short.description)
        stated[status] = StatedAnswer(status, described, {kind or "*/*": {}}, (kind,) if kind else ())
    return tuple(stated[status] for status in sorted(stated))


def is_status(text: str) -> bool:
    """Whether a text is a status, or a class of them such as ``2XX``."""
    return _STATUS.fullmatch(text.upper()) is not None


def is_media_type(text: str) -> bool:
    """Whether a text is a media type, perhaps with parameters (RFC 9110, section 8.3.1)."""
    return _MEDIA_TYPE.fullmatch(text.strip()) is not None


def bytes_stated(exposed: Exposed | None) -> Span | None:
    """Where an operation states that what it answers are bytes, whichever of its media types it has."""
    if not isinstance(exposed, ExposedOperation):
        return None
    if exposed.response_binary is not None:
        return exposed.key_span("responseBinary")
    successes = [item for item in contract_of(exposed) if item.is_success and item.content]
    is_bytes = bool(successes) and all(len(item.binary) == len(item.content) for item in successes)
    return exposed.key_span("responses") if is_bytes else None


def _answer(status: str, stated: StatedResponse) -> StatedAnswer:
    content = {kind.strip(): media for kind, media in (stated.content or {}).items() if is_media_type(kind)}
    binary = tuple(kind for kind, media in content.items() if media.binary)
    return StatedAnswer(
        status,
        _described(status, stated.description),
        {kind: {} if media.binary else _schema(media) for kind, media in content.items()},
        binary,
    )


def _schema(media: StatedMedia) -> Mapping[str, Any]:
    """The stated schema; nothing for what is none, which is told by a rule."""
    return {} if media.schema is None or schema_fault(media) is not None else plain(media.schema)


def schema_fault(media: StatedMedia) -> str | None:
    """Why the stated schema of a media type cannot be used."""
    stated = plain(media.schema) if media.schema is not None else {}
    if not isinstance(stated, dict):
        return "a schema is a mapping"
    return SchemaCheck(stated).fault() if stated else None


def _described(status: str, stated: str | None) -> str:
    if stated:
        return stated
    try:
        return HTTPStatus(int(status)).phrase
    except ValueError:
        return "The answer." if status.startswith(_SUCCESS) else "What went wrong."
