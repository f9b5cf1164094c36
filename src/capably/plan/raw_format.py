"""How the answer of a consumed operation is read: `outputRawFormat` and what belongs to it, ready to be used."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from capably.payload.decode import Schema

MediaTypes: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Media types by status: ``200``, ``2XX``, or empty for any."""

_BYTES: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class RawFormat:
    """The format of an upstream's bodies.

    ``schema`` is for formats that need one. A binary body is given on as one of ``media_types``, if the document states
    any, and holds no more than ``max_bytes``.
    """

    name: str = "json"
    schema: Schema | None = None
    media_types: MediaTypes = ()
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

    @property
    def stated_types(self) -> tuple[str, ...]:
        """Every media type that a binary body can have by the document; none when the upstream decides."""
        return tuple(dict.fromkeys(kind for _status, kinds in self.media_types for kind in kinds))

    def kinds_of(self, status: str) -> tuple[str, ...]:
        """The media types of a binary body: those stated of its status, else of its class, else of any success."""
        stated = dict(self.media_types)
        found = (stated[each] for each in (status, f"{status[:1]}XX", "") if each in stated)
        return next(found, self.stated_types)

    def told_as(self, status: int, upstream: str | None) -> str:
        """The media type of a binary body; of several stated ones the upstream's own, if it is one of them."""
        kinds = self.kinds_of(str(status))
        essence = (upstream or "").partition(";")[0].strip().lower()
        if not kinds or essence in {kind.lower() for kind in kinds}:
            return upstream or _BYTES
        return kinds[0]


JSON: Final = RawFormat()
