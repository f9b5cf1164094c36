"""What a provider is, and how it fails."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from capably.document import Mapping as MappingNode
from capably.document import Scalar

Values: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where values are asked for: the location as written, the document it stands in, and the environment."""

    location: str
    document: Path
    environ: Mapping[str, str]


class ProviderError(Exception):
    """A location that gives no values; the message says why and names no value."""


Provider: TypeAlias = Callable[[Place], Awaitable[Values]]
"""Gives the values of a place. Raises :class:`ProviderError`."""


def texts(node: MappingNode) -> Values:
    """The values of a mapping as text, as they are written; empty and nested ones are left out."""
    scalars = ((name, entry.value) for name, entry in node.entries.items())
    return {name: value.text for name, value in scalars if isinstance(value, Scalar) and value.value is not None}
