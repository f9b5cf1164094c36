"""Values become what a document declares them to be: losslessly, or not at all (decision 0008)."""

import math
import re
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from capably.expr.source import as_text


class _Lost(Enum):
    LOST = "lost"


LOST: Final = _Lost.LOST
"""What becomes of a value that cannot be told as the declared type."""
LostType: TypeAlias = Literal[_Lost.LOST]

_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]{1,4})?)\s*", re.ASCII)
_MOST_CHARACTERS = 400  # longer than any number JSON clients can read
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def convert(value: Any, kind: str) -> Any | LostType:
    """A value as a JSON type.

    Args:
        value: any JSON value but null.
        kind: one of ``KINDS``.

    Returns:
        The value in that type, or ``LOST`` when the type cannot say what it says.
    """
    return KINDS[kind](value)


def _string(value: Any) -> Any:
    return as_text(value) if isinstance(value, str | int | float) else LOST


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        return LOST
    if isinstance(value, str):
        return _number_in(value)
    return value if isinstance(value, int | float) else LOST


def _number_in(text: str) -> Any:
    match = _NUMBER.fullmatch(text) if len(text) <= _MOST_CHARACTERS else None
    if match is None:
        return LOST
    if match[2] is None and match[3] is None and match[4] is None:
        return int(match[1])
    number = float(match[1])
    return number if math.isfinite(number) else LOST


def _integer(value: Any) -> Any:
    number = _number(value)
    if isinstance(number, float):
        return int(number) if number.is_integer() else LOST
    return number


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return _TRUTH.get(as_text(value).strip().lower(), LOST) if isinstance(value, str | int) else LOST


def _object(value: Any) -> Any:
    """Without declared properties an object is JSON as it comes; lists count, scalars do not."""
    return value if isinstance(value, dict | list) else LOST


def _array(value: Any) -> Any:
    """A single element is a list of one."""
    return value if isinstance(value, list) else [value]


KINDS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "string": _string,
        "number": _number,
        "integer": _integer,
        "boolean": _boolean,
        "object": _object,
        "array": _array,
    }
)
"""How a value becomes each JSON type."""

_WORDS: Mapping[type, str] = MappingProxyType(
    {str: "text", bool: "true or false", int: "a number", float: "a number", dict: "an object", list: "a list"}
)


def kind_of(value: Any) -> str:
    """What a value is, in words for people, without saying it."""
    return _WORDS.get(type(value), "something else")
