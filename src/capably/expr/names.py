"""Finding the name that was meant: exactly, else ignoring case, else ignoring case, ``-`` and ``_``."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Match(StrEnum):
    """How closely a name was matched; each value reads after "matched"."""

    EXACT = "exactly"
    CASE = "ignoring case"
    LOOSE = "ignoring case, `-` and `_`"


@dataclass(frozen=True, slots=True)
class Found:
    """The names found at the closest level that has any; more than one is ambiguous."""

    names: tuple[str, ...]
    match: Match

    @property
    def one(self) -> str | None:
        """The name, when there is exactly one."""
        return self.names[0] if len(self.names) == 1 else None


NOTHING = Found((), Match.EXACT)


def fold(name: str) -> str:
    """A name without case, ``-`` and ``_``."""
    return name.casefold().replace("-", "").replace("_", "")


_LEVELS: tuple[tuple[Match, Callable[[str], str]], ...] = (
    (Match.CASE, str.casefold),
    (Match.LOOSE, fold),
)


def find_name(name: str, names: Iterable[str]) -> Found:
    """The names that ``name`` means, at the closest level at which there are any."""
    known = dict.fromkeys(names)
    if name in known:
        return Found((name,), Match.EXACT)
    for match, key in _LEVELS:
        wanted = key(name)
        hits = tuple(candidate for candidate in known if key(candidate) == wanted)
        if hits:
            return Found(hits, match)
    return NOTHING
