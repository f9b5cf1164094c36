"""How a plan gets at the files a document names: by asking, since plans do no I/O."""

from collections.abc import Callable
from typing import TypeAlias

from capably.diagnostics import Span

ReadFile: TypeAlias = Callable[[str, Span], bytes]
"""Reads the local file that a text at a place of a document names. Raises ``OSError`` with a reason for people."""


def read_nothing(written: str, _span: Span) -> bytes:
    """The reader of files for plans that are compiled where there are none.

    Raises:
        OSError: always.
    """
    raise OSError(f"`{written}` is not read here")
