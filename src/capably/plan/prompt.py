"""What a plan knows of a prompt."""

from dataclasses import dataclass

from capably.diagnostics import Span
from capably.plan.content import StatedContent


@dataclass(frozen=True, slots=True)
class ArgumentPlan:
    """What a prompt is filled with.

    ``choices`` are the values clients are offered, ``question`` is what a person is asked when it is missing.
    """

    name: str
    title: str
    description: str
    required: bool
    choices: tuple[str, ...] = ()
    question: str = ""


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """A prompt: its arguments, and its messages as role and content."""

    name: str
    title: str
    description: str
    arguments: tuple[ArgumentPlan, ...]
    messages: tuple[tuple[str, StatedContent], ...]
    span: Span
    scopes: tuple[str, ...] = ()
    parts: tuple[Span, ...] = ()
