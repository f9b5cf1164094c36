"""Lists that show each caller what it may use.

Where nothing needs a scope there is one list for everybody, written once. Otherwise callers whose scopes open the same
entries share one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar

from capably.plan.principal import Principal

_MOST_VIEWS: Final = 256

View = TypeVar("View")
"""What a caller gets to see."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list, with the scopes that using it needs."""

    scopes: tuple[str, ...]
    shown: dict[str, Any]


def by_caller(entries: Sequence[Entry], write: Callable[[list[dict[str, Any]]], View]) -> Callable[[Principal], View]:
    """Views of a list, each written when it is needed first.

    Args:
        entries: all entries, in their order.
        write: writes those that a caller may use.
    """
    needed = frozenset(scope for entry in entries for scope in entry.scopes)
    everything = write([entry.shown for entry in entries])
    if not needed:
        return lambda _principal: everything

    @lru_cache(maxsize=_MOST_VIEWS)
    def view(granted: frozenset[str]) -> View:
        return write([entry.shown for entry in entries if granted.issuperset(entry.scopes)])

    def seen_by(principal: Principal) -> View:
        # Only scopes that open something count, so what else a token grants makes no new view.
        return everything if principal.scopes is None else view(principal.scopes & needed)

    return seen_by
