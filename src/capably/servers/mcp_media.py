"""What a media type says about a body: whether it is JSON or text, and in which characters."""

import re
from dataclasses import dataclass
from typing import Final

_TEXT_TYPES: Final = frozenset(
    {
        "application/graphql",
        "application/javascript",
        "application/json-seq",
        "application/jsonl",
        "application/sparql-query",
        "application/toml",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/yaml",
    }
)
_TEXT_SUFFIXES: Final = ("+xml", "+yaml", "+json-seq")
"""Structured syntax suffixes that are text (RFC 6839). ``image/svg+xml`` is one: models read it, none draws it."""

_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^\s;"]+)', re.IGNORECASE)
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class Media:
    """A media type (RFC 9110, section 8.3.1): ``name`` in lower case without parameters, empty when none was sent."""

    name: str
    charset: str

    @property
    def family(self) -> str:
        """What stands before the slash."""
        return self.name.partition("/")[0]

    @property
    def is_json(self) -> bool:
        """Whether a body of this type is one JSON value (RFC 6839, section 3.1)."""
        return self.name == "application/json" or self.name.endswith("+json")

    @property
    def is_html(self) -> bool:
        """Whether a body of this type is a page for people."""
        return self.name in _HTML

    @property
    def is_text(self) -> bool:
        """Whether a body of this type is text, JSON included."""
        return self.family == "text" or self.is_json or self.name in _TEXT_TYPES or self.name.endswith(_TEXT_SUFFIXES)

    def decode(self, body: bytes) -> str:
        """The body as text; bytes its characters cannot have become U+FFFD."""
        try:
            return body.decode(self.charset, "replace")
        except (LookupError, UnicodeError):
            # A charset nobody knows, or one that is no text encoding.
            return body.decode("utf-8", "replace")


def media_of(media_type: str | None, body: bytes) -> Media:
    """The media of an answer. Without a type, UTF-8 counts as ``text/plain`` and all else as unknown bytes."""
    if media_type is None:
        return Media("text/plain" if _is_utf8(body) else "application/octet-stream", "utf-8")
    if media_type == "application/json":
        return _PLAIN_JSON
    name, separator, _parameters = media_type.partition(";")
    found = _CHARSET.search(media_type) if separator else None
    return Media(name.strip().lower(), found[1] if found is not None else "utf-8")


_PLAIN_JSON: Final = Media("application/json", "utf-8")


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
