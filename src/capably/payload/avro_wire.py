"""Avro's binary encoding (specification 1.12, "Binary encoding"): bytes taken from the front, within limits."""

import struct

from capably.payload.contract import Budget, Limits, PayloadError, check_nesting

_FLOAT = struct.Struct("<f")
_DOUBLE = struct.Struct("<d")
_LONGEST = 10  # bytes of seven bits each
_64_BITS = (1 << 64) - 1


class Wire:
    """A body being read. Every method raises `PayloadError` where the body does not say what is asked for."""

    __slots__ = ("at", "budget", "data", "depth", "limits")

    def __init__(self, data: bytes, limits: Limits, budget: Budget) -> None:
        self.data = data
        self.at = 0
        self.limits = limits
        self.budget = budget
        self.depth = 0

    @property
    def left(self) -> int:
        """How many bytes are still to be read."""
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        """The next bytes."""
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise _wrong("it ends in the middle of a value")
        found = self.data[self.at : end]
        self.at = end
        return found

    def long(self) -> int:
        """A number of variable length, with its sign in the lowest bit."""
        value = shift = 0
        for byte in self.data[self.at : self.at + _LONGEST]:
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 -- the highest bit says that more follows
                value &= _64_BITS
                return (value >> 1) ^ -(value & 1)
            shift += 7
        raise _wrong("a number has no end")

    def boolean(self) -> bool:
        """One byte, 0 or 1."""
        byte = self.take(1)[0]
        if byte > 1:
            raise _wrong("a boolean is neither true nor false")
        return byte == 1

    def single(self) -> float:
        """Four bytes."""
        return float(_FLOAT.unpack(self.take(4))[0])

    def double(self) -> float:
        """Eight bytes."""
        return float(_DOUBLE.unpack(self.take(8))[0])

    def blob(self) -> bytes:
        """Bytes behind their length."""
        return self.take(self.long())

    def text(self) -> str:
        """UTF-8 behind its length."""
        try:
            return self.blob().decode()
        except UnicodeDecodeError:
            raise _wrong("a string is not UTF-8") from None

    def choice(self, count: int, what: str) -> int:
        """The place of one of ``count`` things in the schema's list of them."""
        index = self.long()
        if not 0 <= index < count:
            raise _wrong(f"it names {what} that the schema does not have")
        return index

    def block(self) -> int:
        """How many items follow in an array or a map; 0 at its end."""
        count = self.long()
        if count < 0:  # then the block's size in bytes follows, for those who skip it
            self.long()
        return abs(count)

    def enter(self) -> None:
        """One level down: a value that holds others begins."""
        self.depth += 1
        check_nesting(self.depth, self.limits)


def _wrong(what: str) -> PayloadError:
    return PayloadError(f"the body is not Avro of this schema: {what}")
