"""JSON (RFC 8259): numbers keep their digits, NaN and Infinity are not numbers, the last of equal keys counts."""

import re
from typing import Any

import msgspec

from capably.payload.charset import charset_of, marked_charset, read_text
from capably.payload.contract import Limits, Payload, PayloadError, check_nesting, start_of


def decode(payload: Payload) -> Any:
    """The value that the body says.

    Raises:
        PayloadError: the body is not JSON, or it is nested too deep.
    """
    try:
        value = msgspec.json.decode(_source(payload))
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise PayloadError(f"the body is not JSON{_where(problem)}: {start_of(payload.body)}") from None
    if payload.body.count(b"[") + payload.body.count(b"{") > payload.limits.max_depth:
        _check_depth(value, payload.limits)
    return value


def _source(payload: Payload) -> bytes | str:
    """UTF-8 as it is, which is what JSON comes in; everything else as text."""
    charset = (charset_of(payload.media_type) or marked_charset(payload.body) or "utf-8").lower()
    return payload.body.removeprefix(b"\xef\xbb\xbf") if charset in _UTF_8 else read_text(payload)


def _check_depth(value: Any, limits: Limits) -> None:
    """Refuse what nests too deep, level by level: every object and list is looked into once."""
    level = [value] if type(value) in _BOXES else []
    depth = 0
    while level:
        depth += 1
        check_nesting(depth, limits)
        level = [item for box in level for item in (box.values() if type(box) is dict else box) if type(item) in _BOXES]


def _where(problem: Exception) -> str:
    found = _BYTE.search(str(problem))
    return f" at byte {found[1]}" if found else ""


_UTF_8 = frozenset({"utf-8", "utf8"})
_BOXES = frozenset({dict, list})
_BYTE = re.compile(r"\(byte (\d+)\)")
