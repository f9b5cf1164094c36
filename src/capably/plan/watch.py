"""Who is told what a runtime performs: each upstream call and script of an operation, and how its steps end."""

from typing import Any, Protocol

from capably.plan.effects import Call, Execute, Progress


class Watch(Protocol):
    """Is told what a runtime performs."""

    def performed(self, key: str, effect: Call | Execute, answer: Any, seconds: float) -> None:
        """An effect has ended, with an answer or a fault; ``key`` is its step's, empty where there are no steps."""
        ...

    def ended(self, progress: Progress) -> None:
        """A step has ended."""
        ...
