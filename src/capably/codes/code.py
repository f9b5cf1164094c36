"""The page of a diagnostic code."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A code's public page: a title, and a text in Markdown."""

    title: str
    text: str
