"""Paths into JSON values (RFC 9535, the part that documents use), compiled once.

``$`` and ``$.`` are the root. Member names may be written ``.name`` (hyphens allowed) or ``['name']``, list elements
``[0]`` or ``[-1]``. A path that finds nothing gives ``None``.
"""

import re
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(
    r"""\.?\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?[0-9]{1,15}))\s*\]|\.?([^.\[\]\s'"*?@$()]+)""", re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class PathError(ValueError):
    """A text that is not a path; ``position`` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path: member names and list positions, from the root."""

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


def compile_path(text: str) -> Path:
    """Compile a path.

    Raises:
        PathError: the text is no path of the supported form; the message says what stands in the way.
    """
    written = text.strip()
    if written in {"", "$", "$.", "@", "@."}:
        return ROOT
    position = 1 if written[0] in "$@" else 0
    steps: list[str | int] = []
    while position < len(written):
        match = _STEP.match(written, position)
        if match is None:
            raise PathError(f"`{written[position:]}` cannot be read as part of a path", position)
        single, double, index, bare = match.groups()
        quoted = single if single is not None else double
        if quoted is not None:
            steps.append(_ESCAPED.sub(r"\1", quoted))
        else:
            steps.append(bare if bare is not None else int(index))
        position = match.end()
    return Path(written, tuple(steps))
