"""Multipart forms (RFC 7578): pure, with a boundary that is made from the content and never occurs in it."""

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

_CONTROLS = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPES = {"\n": "%0D%0A", "\r": "%0D%0A", '"': "%22"}
_ESCAPED = re.compile(r'\r\n|[\r\n"]')


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form. With a ``filename`` it is a file."""

    name: str
    content: bytes
    filename: str | None = None
    media_type: str | None = None


def can_name(text: str) -> bool:
    """Whether a text can be the name of a field or a file: it has no control characters but line breaks."""
    return _CONTROLS.search(text) is None


def encode(parts: Sequence[Part]) -> tuple[bytes, str]:
    """The body of a form, and its boundary."""
    heads = [_head(part) for part in parts]
    boundary = _boundary(heads, parts)
    line = f"--{boundary}".encode("ascii")
    pieces = [
        piece for head, part in zip(heads, parts, strict=True) for piece in (line, b"\r\n", head, part.content, b"\r\n")
    ]
    return b"".join([*pieces, line, b"--\r\n"]), boundary


def _head(part: Part) -> bytes:
    head = f'Content-Disposition: form-data; name="{_escaped(part.name)}"'
    if part.filename is not None:
        head += f'; filename="{_escaped(part.filename)}"'
    if part.media_type is not None:
        head += f"\r\nContent-Type: {part.media_type}"
    return f"{head}\r\n\r\n".encode()


def _escaped(text: str) -> str:
    """A name as browsers write it: HTML, "multipart/form-data encoding algorithm"."""
    return _ESCAPED.sub(lambda match: _ESCAPES[match[0][0]], text)


def _boundary(heads: Sequence[bytes], parts: Sequence[Part]) -> str:
    digest = hashlib.sha256()
    for head, part in zip(heads, parts, strict=True):
        digest.update(head)
        digest.update(part.content)
    for attempt in itertools.count():
        digest.update(str(attempt).encode("ascii"))
        boundary = f"capably-{digest.hexdigest()[:40]}"
        if not any(boundary.encode("ascii") in part.content for part in parts):
            return boundary
    raise AssertionError  # pragma: no cover -- the loop above ends with an answer
