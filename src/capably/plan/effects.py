"""What a running operation asks of whoever drives it, and what it is told back.

A single call is one :class:`Call`, answered with its reply. A flow yields a :class:`Turn` at a time: what to start
now, each under a key, and which steps have ended since. It is sent one :class:`Ended` at a time, in any order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from capably.plan.caller import Question
from capably.plan.steps import Script, Step
from capably.upstream.auth import Scheme
from capably.upstream.request import Request


class Call(msgspec.Struct, frozen=True):
    """One upstream request to be made, the namespace it belongs to, and the scheme that authenticates it.

    ``is_whole`` says that the reply must be complete: what an upstream streams is of no use to it.
    """

    namespace: str
    request: Request
    scheme: Scheme | None = None
    is_whole: bool = False

    @property
    def shown(self) -> Request:
        """The request with stand-ins for what authentication adds when it is sent."""
        return self.request if self.scheme is None else self.scheme.preview(self.request)


@dataclass(frozen=True, slots=True)
class Execute:
    """A script to be run, and the value of its variable ``context``. It is answered with the script's result."""

    script: Script
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """Something the caller is told, if it wants to know; ``level`` is one of RFC 5424's names."""

    level: str
    text: str


Effect: TypeAlias = Call | Execute | Question | Note
"""A call is answered with its reply, a script with its result, a question with its response, a note with nothing.

Each may be a fault.
"""


@dataclass(frozen=True, slots=True)
class Start:
    """An effect to be started. ``key`` is the step's name, with the element's number inside ``forEach``: ``pay[2]``."""

    key: str
    step: Step
    effect: Effect


class End(StrEnum):
    """How a step ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    REPLACED = "replaced by its fallback"
    REPEATED = "known from before"


@dataclass(frozen=True, slots=True)
class Progress:
    """A step that has ended, with its result as a JSON value (``None`` when it has none), and why it failed."""

    step: Step
    end: End
    result: Any = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a flow asks for: effects to start now, and the steps that have ended since it was last heard.

    ``kept`` are results of effects by key, for the journal of a flow that may have to be called again.
    """

    starts: tuple[Start, ...] = ()
    ended: tuple[Progress, ...] = ()
    kept: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """An effect that has ended: a reply, a script's result, a response, or a :class:`Fault`."""

    key: str
    value: Any
