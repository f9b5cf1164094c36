"""The span that the work at hand belongs to, and what servers tell of the request it is part of.

Outside of a request, and where nothing is recorded, there is no such span, and what is told is dropped.
"""

from contextvars import ContextVar
from typing import Final

from capably.telemetry.names import ROUTE, method_of
from capably.telemetry.recording import Recording

current: Final[ContextVar[Recording | None]] = ContextVar("current", default=None)


def asks_for(operation: str) -> None:
    """Tell what the request at hand asks for.

    Args:
        operation: the id of an operation that is declared, never a text that the caller made up.
    """
    span = current.get()
    if span is not None:
        span.tree.operation = operation


def asks_for_route(path: str, method: str) -> None:
    """Tell which path the request at hand takes, by its template (an empty one is none that is declared) and method."""
    span = current.get()
    if span is not None and path:
        span.tree.operation = f"{path} {method_of(method)}"
        span.attributes[ROUTE] = path


def is_from(subject: str) -> None:
    """Tell who makes the request at hand."""
    span = current.get()
    if span is not None:
        span.tree.subject = subject
