"""Values and names as text that can go over the wire, and the error for values that cannot."""

import re
from typing import Any

from capably.expr.source import as_text

_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character: UTF-8 cannot say it


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2


def is_field_name(text: str) -> bool:
    """Whether a text can be the name of a header."""
    return _TOKEN.fullmatch(text) is not None


class RequestError(ValueError):
    """A value that cannot be sent where the document puts it. ``input`` names the parameter."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.input = name


def sendable(name: str, value: Any) -> str:
    """A value as text; ``name`` is the parameter's, for messages.

    Raises:
        RequestError: the text holds half of a character.
    """
    text = as_text(value)
    if not text.isascii() and _SURROGATE.search(text):
        raise RequestError(name, f"`{name}` is not text: it holds half of a character")
    return text
