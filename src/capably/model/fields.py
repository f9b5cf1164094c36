"""Declaring what a document can say.

A record is a frozen dataclass whose fields are made with :func:`key`. The field's annotation says how its value is
read, its documentation becomes the reference page and the JSON Schema.

Annotations that are understood: ``str``, ``int``, ``bool``, ``Node`` (kept as it is), a record, ``tuple`` of ``str`` or
of records, ``dict[str, str]``, ``dict[str, Node]``, ``dict`` from ``str`` to records, and any of them ``| None``.
"""

import types
import typing
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal

from capably.diagnostics import Span
from capably.document import Mapping, Node, Scalar


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

    def is_empty(self, key: str) -> bool:
        """Whether a key is written with nothing behind it."""
        value = self.node.get(key)
        return isinstance(value, Scalar) and value.value is None


PUBLISHED = "1.0.0-alpha2"
"""The version a key is in unless it says otherwise: this one or an earlier one."""
OURS = "capably"
"""Instead of a version: the key is in no published version."""


def key(
    name: str,
    doc: str,
    *,
    required: bool = False,
    default: Any = None,
    one_of: tuple[str, ...] = (),
    since: str = PUBLISHED,
) -> Any:
    """A field of a record.

    Args:
        name: the key in the document.
        doc: what it means, one sentence.
        required: a record without it is reported and left out.
        default: the value when the key is not written (``()`` and ``None`` are made for collections by the decoder).
        one_of: the texts allowed, compared ignoring case; the decoded value is spelled as here.
        since: the version of the language that brought it, or ``OURS``.
    """
    metadata = {"key": name, "doc": doc, "required": required, "one_of": one_of, "since": since}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Value:
    """What the annotation of a field says: one value of a kind, a list or a map of them.

    ``kind`` is ``str``, ``int``, ``bool``, a record, or ``None`` for a node that is kept as it is.
    """

    kind: Any
    shape: Literal["one", "list", "map"]
    one_of: tuple[str, ...] = ()


def values_of(kind: type[Record]) -> dict[str, Value]:
    """What each field of a record holds, by the field's name."""
    hints = typing.get_type_hints(kind)
    return {item.name: _value(hints[item.name], item) for item in fields(kind) if "key" in item.metadata}


def _value(hint: Any, item: "Field[Any]") -> Value:
    options = _without_none(hint)
    if options == set(typing.get_args(Node)):
        return Value(None, "one")
    (only,) = options
    origin, arguments = typing.get_origin(only), typing.get_args(only)
    if origin is tuple:
        return Value(arguments[0], "list")
    if origin is dict:
        is_read = arguments[1] is str or (isinstance(arguments[1], type) and issubclass(arguments[1], Record))
        return Value(arguments[1] if is_read else None, "map")
    return Value(only, "one", item.metadata["one_of"])


def _without_none(hint: Any) -> set[Any]:
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return {item for item in typing.get_args(hint) if item is not type(None)}
    return {hint}
