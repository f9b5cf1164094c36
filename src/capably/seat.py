"""What a worker is told of its place among the others."""

import os
from collections.abc import Mapping
from typing import Final, Self

import msgspec

SEAT_KEY: Final = "CAPABLY_WORKER_SEAT"
"""The environment variable by which the supervisor tells a worker its seat."""


STATE_KEY: Final = "CAPABLY_STATE_KEY"
"""The environment variable with the keys of what MCP clients keep for a server, separated by white space."""


class Seat(msgspec.Struct, frozen=True):
    """The place of one worker.

    ``number`` counts from 1. ``doors`` are the loopback ports at which the workers reach each other, in their order.
    ``ports`` are those that servers listen on for which any free one was asked, by namespace. ``ready`` is the file
    descriptor that is written to once the worker serves.
    """

    number: int
    doors: tuple[int, ...]
    ports: Mapping[str, int]
    ready: int

    @property
    def is_first(self) -> bool:
        """Whether it is the worker that does, and says, what one of them has to."""
        return self.number == 1

    def environment(self) -> dict[str, str]:
        """How the worker is told."""
        return {SEAT_KEY: msgspec.json.encode(self).decode()}

    @classmethod
    def taken(cls, environ: Mapping[str, str] = os.environ) -> Self | None:
        """The seat of this process; ``None`` when it is no worker."""
        told = environ.get(SEAT_KEY)
        return msgspec.json.decode(told, type=cls) if told else None

    def tell_ready(self) -> None:
        """Tell the supervisor that this worker serves."""
        os.write(self.ready, b"\n")
        os.close(self.ready)
