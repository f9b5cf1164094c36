"""Bytes that callers give as text: data URLs (RFC 2397), base64 (RFC 4648), else the text itself."""

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_DATA_URL = re.compile(r"data:(?P<type>[^;,\s]+/[^;,\s]+)?(?P<parameters>(?:;[^;,\s]+)*),(?P<data>.*)", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_BLANKS = re.compile(r"[\r\n\t ]+")
_TEXTUAL = re.compile(r"(?i)text/|.*[/+](?:json|xml|yaml|javascript|x-www-form-urlencoded|sparql-query|graphql)\b")


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes, and their media type where the text said it."""

    content: bytes
    media_type: str | None = None


def is_textual(media_type: str) -> bool:
    """Whether what is of a media type is text, so that base64 is never looked for in it."""
    return _TEXTUAL.match(media_type) is not None


def read_data_url(text: str) -> Blob | None:
    """What a data URL holds; ``None`` when the text is none."""
    match = _DATA_URL.fullmatch(text)
    if match is None:
        return None
    parameters: str = match["parameters"]
    content = unquote_to_bytes(match["data"])
    if parameters.lower().endswith(";base64"):
        parameters = parameters[: -len(";base64")]
        decoded = read_base64(content.decode("latin-1")) if content else b""
        if decoded is None:
            return None
        content = decoded
    return Blob(content, match["type"] + parameters if match["type"] else None)


def read_base64(text: str) -> bytes | None:
    """The bytes that a base64 text stands for, in either alphabet; ``None`` when it is not complete base64."""
    packed = _BLANKS.sub("", text)
    if len(packed) % 4 or not _BASE64.fullmatch(packed):
        return None
    try:
        return b64decode(packed.translate(_STANDARD), validate=True)
    except binascii.Error:
        return None


_STANDARD = str.maketrans("-_", "+/")
