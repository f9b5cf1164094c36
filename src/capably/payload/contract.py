"""What every reader of a format is given, may use up, and raises."""

import re
from dataclasses import dataclass
from typing import Any

MEBIBYTE = 1024 * 1024


class PayloadError(Exception):
    """A body or a schema cannot be read. The message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a body is read: its bytes (and what they unpack to), levels of nesting, and values."""

    max_bytes: int = 16 * MEBIBYTE
    max_depth: int = 200
    max_values: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Schema:
    """What `outputSchema` says, compiled for the reader of ``format``, who alone knows what ``compiled`` is."""

    format: str
    compiled: Any


@dataclass(frozen=True, slots=True)
class Payload:
    """A body as it arrived; ``schema`` is what the format's own ``compile_schema`` made."""

    format: str
    body: bytes
    media_type: str | None
    schema: Any
    limits: Limits


class Budget:
    """Counts values, so that a few bytes cannot become more of them than memory holds."""

    __slots__ = ("left", "most")

    def __init__(self, most: int) -> None:
        self.left = most
        self.most = most

    def take(self, count: int) -> None:
        """Pay for ``count`` values.

        Raises:
            PayloadError: the body holds more than is allowed.
        """
        self.left -= count
        if self.left < 0:
            raise PayloadError(f"the body holds more than {self.most:,} values")


def check_nesting(depth: int, limits: Limits) -> None:
    """Refuse what lies deeper than the limit.

    Raises:
        PayloadError: it does.
    """
    if depth > limits.max_depth:
        raise PayloadError(f"the body is nested more than {limits.max_depth} levels deep")


def start_of(body: bytes | str) -> str:
    """How a body starts, for messages: so that an HTML page where JSON was expected is seen at once."""
    head = body[:_HEAD]
    text = head if isinstance(head, str) else head.decode(errors="replace")
    words = " ".join(_UNSEEN.sub(" ", text).split())
    if not words:
        return "it is empty" if not body else "it holds no text"
    return f"it starts with `{words[:_SHOWN]}{'…' if len(words) > _SHOWN or len(body) > _HEAD else ''}`"


_HEAD, _SHOWN = 200, 40
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0`\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]+")
