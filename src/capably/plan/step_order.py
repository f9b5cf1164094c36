"""Which steps wait for which (docs/decisions: the order of steps).

A step waits for the steps it reads. Beyond that the written order is kept where the world could tell the difference:
a step that changes something, or asks the caller, waits for all that stands before it, and every call waits for such
steps before it. So reads run at the same time, and nothing is changed before all that was to be found out first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from capably.plan.consumed import Consumed
from capably.plan.steps import ASKING, CallTask, LogTask, Task

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""


@dataclass(frozen=True, slots=True)
class Nature:
    """What a step is to the world: it may change or ask something, it reaches outside, or it only computes."""

    changes: bool = False
    asks: bool = False
    reaches: bool = False

    @property
    def is_barrier(self) -> bool:
        """Whether the written order is kept around it."""
        return self.changes or self.asks


def is_safe(consumed: Consumed) -> bool:
    """Whether a request changes nothing."""
    return consumed.target.method in SAFE


def nature_of(task: Task) -> Nature:
    """What a task is to the world."""
    if isinstance(task, CallTask):
        return Nature(changes=not is_safe(task.consumed), reaches=True)
    # What is logged is told in written order, like what is changed.
    return Nature(asks=isinstance(task, ASKING), changes=isinstance(task, LogTask))


def waits(natures: Sequence[Nature], reads: Sequence[frozenset[int]]) -> list[tuple[int, ...]]:
    """For each step the earlier steps it waits for, without those that others of them wait for already."""
    after: list[tuple[int, ...]] = []
    ancestors: list[set[int]] = []
    for number, nature in enumerate(natures):
        wanted = set(reads[number])
        for earlier in range(number):
            asked_together = nature.asks and natures[earlier].asks
            kept_in_order = nature.is_barrier or (nature.reaches and natures[earlier].is_barrier)
            if kept_in_order and not asked_together:
                wanted.add(earlier)
        implied = {far for near in wanted for far in ancestors[near]}
        after.append(tuple(sorted((wanted - implied) | reads[number])))
        ancestors.append(wanted | implied)
    return after
