"""The trace a call belongs to, as its caller told it, for the requests that are made on its behalf.

What is passed on is checked first (W3C Trace Context Level 2, sections 3.2 and 3.3; W3C Baggage, section 3.2): what is
malformed or too long is left out, and nothing fails because of it. A ``tracestate`` means nothing without its
``traceparent`` and never travels alone or with another one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from capably.upstream.request import Request

PARENT, STATE, BAGGAGE = "traceparent", "tracestate", "baggage"
"""The names, as HTTP headers and as keys of MCP's ``_meta`` (MCP 2026-07-28, SEP-414)."""

NAMES: Final = frozenset({PARENT, STATE, BAGGAGE})
HEADER_NAMES: Final = frozenset(name.encode() for name in NAMES)

MOST: Final[Mapping[str, int]] = {PARENT: 512, STATE: 512, BAGGAGE: 8192}
"""How many characters of each are passed on at most."""

_PARENT: Final = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    r"(?P<later>-[\x21-\x2b\x2d-\x7e]*)?"  # no comma: two headers joined are none
)
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """What goes with upstream requests: ``headers`` are checked, their names in lower case."""

    headers: tuple[tuple[str, str], ...] = ()

    def joined_to(self, request: Request) -> Request:
        """The request with these headers; what the document sets wins, a ``traceparent`` over ``tracestate`` too."""
        if not self.headers:
            return request
        stated = {name.lower() for name, _value in request.headers}
        if PARENT in stated:
            stated.add(STATE)
        added = tuple([pair for pair in self.headers if pair[0] not in stated])
        return request.with_headers(added) if added else request


NO_TRACE: Final = TraceContext()
"""The trace of a caller that told none."""


def trace_of(told: Mapping[str, Any], otherwise: TraceContext = NO_TRACE) -> TraceContext:
    """The trace that values by name tell.

    Args:
        told: what a caller gave, of any type; other names are not looked at.
        otherwise: gives ``traceparent`` with its ``tracestate``, or ``baggage``, where nothing usable was told.
    """
    found = {name: value for name in NAMES if (value := _usable(name, told.get(name))) is not None}
    if PARENT not in found:
        found.pop(STATE, None)
    is_own = PARENT in found
    for name, value in otherwise.headers:
        if name == BAGGAGE or not is_own:
            found.setdefault(name, value)
    return TraceContext(tuple((name, found[name]) for name in (PARENT, STATE, BAGGAGE) if name in found))


def trace_of_headers(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext:
    """The trace that HTTP headers tell; names are in lower case, repeated ones are joined (RFC 9110, section 5.3)."""
    told: dict[str, str] = {}
    for key, value in headers:
        if key in HEADER_NAMES:
            name, text = key.decode(), value.decode("latin-1").strip(" \t")
            told[name] = f"{told[name]},{text}" if name in told else text
    return trace_of(told)


def _usable(name: str, value: object) -> str | None:
    if not isinstance(value, str) or len(value) > MOST[name] or not _PRINTABLE.fullmatch(value):
        return None
    if name != PARENT:
        return value.strip() or None
    match = _PARENT.fullmatch(value)
    is_known = match is not None and (match["version"] != "00" or match["later"] is None)
    return value if is_known else None
