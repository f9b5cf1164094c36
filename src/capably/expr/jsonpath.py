"""Paths into JSON values (RFC 9535), compiled once.

Paths of member names and list positions, which is what documents use, are walked here. Everything else (wildcards,
slices, unions, descendants, filters, functions) is compiled by a library that is only then imported, see
:mod:`capably.expr.query`. Both tell alike: a path that can only lead to one node gives it, or ``None`` when there is
none; any other path gives a list.

Read leniently: the root may be left out or written ``@``, ``$.`` is the root, names may hold hyphens and spaces.
"""

import re
from dataclasses import dataclass
from typing import Any, Protocol

_STEP = re.compile(
    r"""\s*(?P<dot>\.)?\s*
    (?: \[\s* (?: '(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)" | (?P<index>-?[0-9]{1,15}) ) \s*\]
      | (?P<bare>[^.\[\]\s'"*?()]+)
        (?P<spaced>(?:[ \t]+[^.\[\]\s'"*?()|&=<>!,]+)*)
    )\s*""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BY_NUMBER = re.compile(r"(?<!\\)(?:\\\\)*\\u")
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NOT_BEFORE_A_SPACE = re.compile(r"[|&=<>!,@$]")


class PathError(ValueError):
    """A text that is not a path; ``position`` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class AnyPath(Protocol):
    """A compiled path."""

    @property
    def text(self) -> str:
        """The path as it is written."""
        ...

    @property
    def is_root(self) -> bool:
        """Whether the path means the whole value."""
        ...

    def find(self, value: Any) -> Any:
        """What the path leads to: the node or ``None``, or the list of nodes of a path that may have several."""
        ...


@dataclass(frozen=True, slots=True)
class Path:
    """A path of member names and list positions, from the root."""

    text: str
    steps: tuple[str | int, ...]

    @property
    def is_root(self) -> bool:
        """Whether the path means the whole value."""
        return not self.steps

    def find(self, value: Any) -> Any:
        """The node the path leads to, or ``None``."""
        for step in self.steps:
            if isinstance(step, str):
                if not isinstance(value, dict):
                    return None
                value = value.get(step)
            else:
                if not isinstance(value, list) or not -len(value) <= step < len(value):
                    return None
                value = value[step]
        return value


ROOT = Path("$", ())


def compile_path(text: str) -> AnyPath:
    """Compile a path.

    Raises:
        PathError: the text is no path; the message says what stands in the way.
    """
    written = text.strip()
    if written in {"", "$", "$.", "@", "@."}:
        return ROOT
    path = _plain(written)
    if path is not None:
        return path
    from capably.expr.query import compile_query  # noqa: PLC0415 -- only documents with such paths pay for the library

    return compile_query(written)


def _plain(written: str) -> Path | None:
    """The path as names and positions, ``None`` when it is made of more."""
    position = 1 if written[0] in "$@" else 0
    steps: list[str | int] = []
    while position < len(written):
        match = _STEP.match(written, position)
        step = _step(match, is_first=not steps) if match is not None else None
        if match is None or step is None:
            return None
        steps.append(step)
        position = match.end()
    return Path(written, tuple(steps))


def _step(match: re.Match[str], *, is_first: bool) -> str | int | None:
    if match["index"] is not None:
        return int(match["index"])
    if match["bare"] is not None:
        bare, spaced = match["bare"], match["spaced"]
        is_name = (match["dot"] or is_first) and not (spaced and _NOT_BEFORE_A_SPACE.search(bare))
        return bare + spaced if is_name else None
    quoted = match["single"] if match["single"] is not None else match["double"]
    if _BY_NUMBER.search(quoted):
        return None
    # RFC 9535, section 2.3.1.2; any other escaped character stands for itself.
    return _ESCAPED.sub(lambda escaped: _CONTROL.get(escaped[1], escaped[1]), quoted)
