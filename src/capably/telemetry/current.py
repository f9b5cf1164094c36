"""The span that the work at hand belongs to; ``None`` outside of a request, and where nothing is recorded."""

from contextvars import ContextVar
from typing import Final

from capably.telemetry.recording import Recording

current: Final[ContextVar[Recording | None]] = ContextVar("current", default=None)
