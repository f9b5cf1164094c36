"""Names that every MCP client takes, for tools that are written with others.

A safe name depends on the written one and on its clashes alone, so it stays the same while the document does.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

from capably.plan.operation import Operation

MOST_CHARACTERS: Final = 64
SAFE_NAME: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{MOST_CHARACTERS}}}")
"""What clients and model providers take; MCP itself allows a little more (2025-11-25, Tools: Tool Names)."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_MARK: Final = 8  # hexadecimal digits: enough for the tools of one server


def with_safe_names(tools: Sequence[Operation]) -> tuple[Operation, ...]:
    """The tools of a server, those with unsafe names told under which they are served."""
    written = {tool.name for tool in tools}
    guesses = Counter(_without_unsafe(name) for name in written if not SAFE_NAME.fullmatch(name))
    return tuple(
        tool if SAFE_NAME.fullmatch(tool.name) else replace(tool, served_as=_safe_name(tool.name, written, guesses))
        for tool in tools
    )


def _safe_name(name: str, written: set[str], guesses: Counter[str]) -> str:
    guess = _without_unsafe(name)
    if SAFE_NAME.fullmatch(guess) and guess not in written and guesses[guess] == 1:
        return guess
    mark = sha256(name.encode()).hexdigest()[:_MARK]
    return f"{guess[: MOST_CHARACTERS - _MARK - 1] or 'tool'}_{mark}"


def _without_unsafe(name: str) -> str:
    """The name in safe characters: accents are taken off, each run of others becomes `_`."""
    plain = "".join(item for item in unicodedata.normalize("NFKD", name) if not unicodedata.combining(item))
    return _UNSAFE.sub("_", plain).strip("_")
