"""Pieces of content that a document states: text, images, sounds and embedded resources.

A text may have holes; a value is encoded for the place it stands in where the media type has rules for that. What an
optional input leaves absent is an empty text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from capably.expr.source import ABSENT, Constant, Source, Text, as_text, evaluate
from capably.upstream.escapes import in_xml


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of content: ``text`` or ``data`` is set; with a ``uri`` it is a resource of that address."""

    media_type: str
    text: str | None = None
    data: bytes | None = None
    uri: str = ""


@dataclass(frozen=True, slots=True)
class StatedContent:
    """One piece, compiled: ``text`` or ``data`` is set. With a ``uri`` it is an embedded resource."""

    media_type: str
    text: Source | None = None
    data: bytes | None = None
    uri: Source | None = None

    def tell(self, inputs: Mapping[str, Any]) -> Piece:
        """The piece for given inputs."""
        uri = _filled(self.uri, inputs, "") if self.uri is not None else ""
        if self.text is None:
            return Piece(self.media_type, data=self.data, uri=uri)
        return Piece(self.media_type, text=_filled(self.text, inputs, self.media_type), uri=uri)


def _filled(source: Source, inputs: Mapping[str, Any], media_type: str) -> str:
    parts = source.parts if isinstance(source, Text) else (source,)
    encode = _encoder(media_type)
    pieces: list[str] = []
    before = ""
    for part in parts:
        if isinstance(part, str):
            before += part
            pieces.append(part)
        elif isinstance(part, Constant):
            pieces.append(as_text(part.value))
        else:
            value = evaluate(part, inputs)
            pieces.append("" if value is ABSENT else encode(value, before))
    return "".join(pieces)


def _encoder(media_type: str) -> Callable[[Any, str], str]:
    name = media_type.partition(";")[0].strip().lower()
    if name == "application/json" or name.endswith("+json"):
        return _in_json
    if name in {"text/html", "application/xml", "text/xml"} or name.endswith("+xml"):
        return lambda value, before: in_xml(as_text(value), before)
    return lambda value, _before: as_text(value)


def _in_json(value: Any, before: str) -> str:
    """A value in the JSON that an author wrote: inside a string its text, elsewhere the value itself."""
    bare = before.replace("\\\\", "").replace('\\"', "")
    if bare.count('"') % 2:
        return msgspec.json.encode(as_text(value)).decode()[1:-1]
    return msgspec.json.encode(value).decode()
