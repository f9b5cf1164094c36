"""What one listener takes of its callers."""

from dataclasses import dataclass
from typing import Final

BACKLOG: Final = 4096
"""Connections that may wait to be accepted, the most Linux lets; what does not fit is tried again after seconds."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Bytes, seconds and connections.

    Seconds are those a caller may take, to the second: for a whole header section, between two parts of a body,
    between two requests of a connection, to read some of an answer that waits for it, and to see a last answer
    before its connection is cut. ``concurrency`` requests are worked on at the same time; more are refused at once,
    for each of them would make all of them wait. A stream that has begun is none of them.
    """

    head_bytes: int = 64 * 1024
    buffered_bytes: int = 64 * 1024
    head_s: float = 30.0
    body_s: float = 60.0
    idle_s: float = 75.0
    stalled_s: float = 120.0
    linger_s: float = 5.0
    connections: int = 10_000
    concurrency: int = 1_000
