"""Values of binary formats that JSON says in another way, or not at all."""

import base64
import math
import struct


def finite(number: float) -> float | None:
    """The number; null for NaN and the infinities, which JSON cannot say."""
    return number if math.isfinite(number) else None


def single(number: float) -> float | None:
    """A number that had 32 bits, with the fewest digits that still say it: 0.1, not 0.10000000149011612."""
    if not math.isfinite(number):
        return None
    return next((short for digits in (6, 7, 8) if _as_single(short := float(f"{number:.{digits}g}")) == number), number)


def encoded(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode()


def _as_single(number: float) -> float:
    return float(_SINGLE.unpack(_SINGLE.pack(number))[0])


_SINGLE = struct.Struct("<f")
