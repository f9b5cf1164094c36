"""Who a caller turned out to be, and what it may use."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that was let in.

    ``subject`` tells callers of one server apart: what belongs to one of them, such as an MCP session, is only for
    requests with the same subject. ``scopes`` are those its token grants (RFC 6749, section 3.3), ``None`` where there
    are no scopes: such a caller may use everything.
    """

    subject: str = ""
    scopes: frozenset[str] | None = None

    def may(self, needed: Collection[str]) -> bool:
        """Whether all the scopes that something needs were granted."""
        return self.scopes is None or self.scopes.issuperset(needed)


ANYBODY = Principal()
"""A caller of a server that asks nobody who they are."""
