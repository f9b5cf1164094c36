"""Declaring what a document can say.

A record is a frozen dataclass whose fields are made with :func:`key`. The field's annotation says how its value is
read, its documentation becomes the reference page and the JSON Schema.

Annotations that are understood: ``str``, ``int``, ``bool``, ``Node`` (kept as it is), a record, ``tuple`` of ``str`` or
of records, ``dict[str, str]``, ``dict[str, Node]``, ``dict`` of records, and any of them ``| None``.
"""

from dataclasses import dataclass, field
from typing import Any

from capably.diagnostics import Span
from capably.document import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something a document says, with the mapping that says it."""

    node: Mapping

    def key_span(self, key: str) -> Span:
        """Where a key of this record stands (the record itself when it is not written)."""
        return self.node.key_span(key)

    def value_span(self, key: str) -> Span:
        """Where the value of a key stands (the record itself when it is not written)."""
        return self.node.value_span(key)


def key(name: str, doc: str, *, required: bool = False, default: Any = None, one_of: tuple[str, ...] = ()) -> Any:
    """A field of a record.

    Args:
        name: the key in the document.
        doc: what it means, one sentence.
        required: a record without it is reported and left out.
        default: the value when the key is not written (``()`` and ``None`` are made for collections by the decoder).
        one_of: the texts allowed, compared ignoring case; the decoded value is spelled as here.
    """
    metadata = {"key": name, "doc": doc, "required": required, "one_of": one_of}
    return field(default=default, metadata=metadata)
