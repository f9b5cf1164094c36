"""What the text of a YAML scalar means in the core schema of YAML 1.2: ``on``, ``yes`` and ``2015-02-01`` stay text."""

import re
from collections.abc import Callable
from typing import TypeAlias

ScalarValue: TypeAlias = str | int | float | bool | None


def read_plain(text: str) -> ScalarValue:
    """The value of an unquoted scalar."""
    if text and text[0] not in _SPECIAL_START:
        return text
    for pattern, read in _CORE.values():
        if pattern.fullmatch(text):
            return _read_safely(read, text)
    return text


def read_tagged(tag: str, text: str) -> ScalarValue:
    """The value of a scalar with an explicit tag such as ``!!int``; its text when the tag says nothing of it."""
    if tag not in _CORE:
        return text
    pattern, read = _CORE[tag]
    return _read_safely(read, text) if pattern.fullmatch(text) else text


def read_size(text: str) -> int | None:
    """The bytes that a size such as ``512KiB``, ``10 MiB`` or ``1024`` says; ``None`` when it is none, or nothing."""
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].lower()]) if match is not None else 0
    return size if size >= 1 else None


def _number(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    base = _BASES.get(digits[:2])
    if len(digits) > _MOST_DIGITS:
        raise ValueError(text)
    return sign * (int(digits) if base is None else int(digits[2:], base))


def _real(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _read_safely(read: Callable[[str], ScalarValue], text: str) -> ScalarValue:
    try:
        return read(text)
    except ValueError:  # more digits than anybody writes
        return text


_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?(B|KiB|MiB|GiB|)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_BASES = {"0o": 8, "0x": 16}
_MOST_DIGITS = 3_000  # in hexadecimal notation too: what Python reads of it could otherwise not be written again
_SPECIAL_START = frozenset("~nNtTfF-+.0123456789")
_REAL = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
# YAML 1.2.2, section 10.3.2: tried in this order.
_CORE: dict[str, tuple[re.Pattern[str], Callable[[str], ScalarValue]]] = {
    "tag:yaml.org,2002:null": (re.compile(r"~|null|Null|NULL|"), lambda _text: None),
    "tag:yaml.org,2002:bool": (
        re.compile(r"true|True|TRUE|false|False|FALSE"),
        lambda text: text.lower() == "true",
    ),
    "tag:yaml.org,2002:int": (re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), _number),
    "tag:yaml.org,2002:float": (re.compile(_REAL), _real),
}
