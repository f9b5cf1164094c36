"""Reading ``WWW-Authenticate`` and its kin (RFC 9110, section 11.6.1)."""

import re
from collections.abc import Iterable
from typing import TypeAlias

Parameters: TypeAlias = dict[str, str]

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 -- the grammar's word, RFC 9110, section 5.6.2
_PART = re.compile(
    rf"\s*(?:(?P<name>{_TOKEN})\s*=\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<plain>{_TOKEN}))"
    rf"|(?P<scheme>{_TOKEN})(?=\s|,|$)"
    r"|(?P<token68>[0-9A-Za-z._~+/-]+=*)(?=\s*(?:,|$)))\s*,?"
)
_ESCAPED = re.compile(r"\\(.)")


def read_challenges(values: Iterable[str]) -> list[tuple[str, Parameters]]:
    """The challenges of a reply's headers, in their order: scheme in lower case, parameters by lower-case name."""
    found: list[tuple[str, Parameters]] = []
    for value in values:
        position = 0
        while (match := _PART.match(value, position)) is not None and match.end() > position:
            position = match.end()
            if match["scheme"] is not None:
                found.append((match["scheme"].lower(), {}))
            elif match["name"] is not None and found:
                found[-1][1][match["name"].lower()] = _value(match)
    return found


def read_parameters(value: str) -> Parameters:
    """The parameters of a header that names no scheme, such as ``Authentication-Info``."""
    return {match["name"].lower(): _value(match) for match in _PART.finditer(value) if match["name"] is not None}


def _value(match: "re.Match[str]") -> str:
    quoted: str | None = match["quoted"]
    plain: str | None = match["plain"]
    return _ESCAPED.sub(r"\1", quoted) if quoted is not None else plain or ""
