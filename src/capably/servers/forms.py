"""Bodies as web forms send them: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578).

Fields are text. A file is a `data:` URL, as callers give bytes everywhere else.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from email.message import Message
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

Fields: TypeAlias = dict[str, list[str]]

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

_MOST_FIELDS: Final = 1000
_HEAD_END: Final = b"\r\n\r\n"
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")  # RFC 2046, section 5.1.1


class FormError(ValueError):
    """A body that is no such form; the message says why."""


def read_form(body: bytes, content_type: str) -> Fields:
    """The fields of a form, each with all its values.

    Raises:
        FormError: it cannot be read.
    """
    kind = content_type.partition(";")[0].strip().lower()
    pairs = _urlencoded(body) if kind == URLENCODED else _multipart(body, content_type)
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise FormError(f"it is not percent-encoded UTF-8, or has more than {_MOST_FIELDS} fields") from None


def _multipart(body: bytes, content_type: str) -> Iterator[tuple[str, str]]:
    head = Message()
    head["content-type"] = content_type
    boundary = head.get_boundary("")
    if not _BOUNDARY.fullmatch(boundary):
        raise FormError("Content-Type names no boundary")
    # Every boundary but the first is preceded by a line break that belongs to it.
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    del first  # what stands before the first boundary is for nobody
    if len(parts) > _MOST_FIELDS + 1:
        raise FormError(f"it has more than {_MOST_FIELDS} parts")
    for part in parts:
        if part.startswith(b"--"):
            return
        line, separator, rest = part.partition(b"\r\n")
        if not separator or line.strip(b" \t"):
            raise FormError("a boundary is followed by something else than a line break")
        yield _part(b"\r\n" + rest)
    raise FormError("it breaks off: the last boundary is missing")


def _part(part: bytes) -> tuple[str, str]:
    head, separator, content = part.partition(_HEAD_END)
    if not separator:
        raise FormError("a part has no end of its headers")
    fields = Message()
    for line in head.removeprefix(b"\r\n").split(b"\r\n"):
        key, _colon, value = line.partition(b":")
        fields[key.decode("latin-1").strip()] = _text(value).strip()
    name = fields.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise FormError("a part has no name")
    kind = fields.get_content_type() if "content-type" in fields else "text/plain"
    if fields.get_param("filename", header="content-disposition") is None and kind.startswith("text/"):
        return name, _text(content)
    if "content-type" not in fields:
        kind = "application/octet-stream"
    return name, f"data:{kind};base64,{b64encode(content).decode()}"


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FormError("a part is not UTF-8") from None
