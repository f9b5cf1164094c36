"""Lists in pages (MCP 2025-06-18 and later, Pagination).

A cursor says where a page begins and of which list it is: it holds across restarts while the list stays the same, and
is refused when that has changed, instead of leaving out or repeating what has moved.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from capably.servers.mcp_eras import Context
from capably.servers.mcp_features import Handler, Marks
from capably.servers.mcp_messages import INVALID_PARAMS, Message, ProtocolError
from capably.servers.mcp_views import Entry, by_caller

PAGE: Final = 1000
"""Entries of a page. Clients that know no pages, of which there are many, see everything up to that."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one list, written: the first one, and the others by their cursor."""

    first: bytes
    others: Mapping[str, bytes]

    def page(self, cursor: object) -> bytes:
        """The page that a client asks for.

        Raises:
            ProtocolError: the cursor is none of this list (Pagination: Error Handling).
        """
        if cursor is None:
            return self.first
        found = self.others.get(cursor) if isinstance(cursor, str) else None
        if found is None:
            message = "Invalid params: unknown `cursor`: the list has changed, begin again without one"
            raise ProtocolError(INVALID_PARAMS, message)
        return found


def pages_of(name: str, items: Sequence[Mapping[str, Any]], marks: Marks, size: int = PAGE) -> Pages:
    """The pages of a list.

    Args:
        name: the field of the result that holds it, such as ``tools``.
        items: its entries.
        marks: what the era adds.
        size: the most entries of a page.
    """
    if len(items) <= size:
        return Pages(marks.listing({name: items}), {})
    mark = sha256(msgspec.json.encode(items)).digest()[:9]
    written: dict[str, bytes] = {}
    cursor = ""
    for start in range(0, len(items), size):
        following = start + size
        fields: dict[str, Any] = {name: items[start:following]}
        here, cursor = cursor, _cursor(mark, following)
        if following < len(items):
            fields["nextCursor"] = cursor
        written[here] = marks.listing(fields)
    return Pages(written.pop(""), written)


def _cursor(mark: bytes, start: int) -> str:
    return base64.urlsafe_b64encode(mark + start.to_bytes(6, "big")).decode()


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that stays as it is while the server runs: who answers for it, and all that it says."""

    handler: Handler
    everything: bytes


def listing(name: str, entries: Sequence[Entry], marks: Marks) -> Listing:
    """A list of which each caller sees what it may use."""
    seen_by = by_caller(entries, lambda usable: pages_of(name, usable, marks))

    def answer(message: Message, context: Context) -> bytes:
        return seen_by(context.principal).page(message.params.get("cursor"))

    return Listing(answer, msgspec.json.encode([entry.shown for entry in entries]))
