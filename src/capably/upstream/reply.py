"""What an upstream says: a reply with its body, or with a stream while the body is still arriving."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Protocol

import msgspec


class ByteStream(Protocol):
    """A body that is still arriving. It must be closed, which cancels the upstream call if it has not ended."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks, as they come."""
        ...

    async def aclose(self) -> None:
        """Stop reading and drop the connection unless it has ended. May be called twice."""
        ...


class Reply(msgspec.Struct, frozen=True):
    """An upstream's answer. Header names are in lower case; ``body`` is decoded from its content encoding."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    stream: ByteStream | None = None

    def header(self, name: str) -> str | None:
        """The first header of that lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Trouble(StrEnum):
    """Why an upstream call gave no reply."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    TOO_LARGE = "too-large"
    REDIRECT = "redirect"
    AUTH = "auth"


class UpstreamError(Exception):
    """A call that gave no reply.

    ``reason`` is for the operator's log and may name hosts; ``told`` is for callers, instead of general advice.
    """

    def __init__(self, trouble: Trouble, reason: str, *, told: str = "") -> None:
        """Keep what happened."""
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason
        self.told = told
