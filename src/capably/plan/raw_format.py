"""How the answer of a consumed operation is read: `outputRawFormat` and what belongs to it, ready to be used."""

from dataclasses import dataclass
from typing import Final

from capably.payload.decode import Schema


@dataclass(frozen=True, slots=True)
class RawFormat:
    """The format of an upstream's bodies.

    ``schema`` is for formats that need one. A binary body is given on as ``media_type``, if the document states one,
    and holds no more than ``max_bytes``.
    """

    name: str = "json"
    schema: Schema | None = None
    media_type: str | None = None
    max_bytes: int | None = None

    @property
    def is_json(self) -> bool:
        """Whether a body needs no reading to be the answer of a server that answers in JSON."""
        return self.name == "json"

    @property
    def is_listless(self) -> bool:
        """Whether the format repeats elements instead of listing them."""
        return self.name == "xml"

    @property
    def is_binary(self) -> bool:
        """Whether bodies are bytes that are never read."""
        return self.name == "binary"


JSON: Final = RawFormat()
