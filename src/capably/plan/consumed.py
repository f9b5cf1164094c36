"""A consumed operation that is called: what it is by name, and the request that is made of it."""

from dataclasses import dataclass

from capably.plan.raw_format import JSON, RawFormat
from capably.upstream.auth import Scheme
from capably.upstream.request import RequestTemplate


@dataclass(frozen=True, slots=True)
class Target:
    """The consumed operation that is called, by its names in the document."""

    namespace: str
    resource: str
    operation: str
    method: str
    path: str

    @property
    def name(self) -> str:
        """The name that `call` uses."""
        return f"{self.namespace}.{self.operation}"


@dataclass(frozen=True, slots=True)
class Consumed:
    """The work of calling a consumed operation.

    ``decided_by`` names the rule that chose ``target`` when the document left a choice (see docs/names.md). ``scheme``
    is set when requests are authenticated by more than what ``request`` holds. ``raw_format`` is how answers are read.
    """

    target: Target
    decided_by: str
    request: RequestTemplate
    scheme: Scheme | None = None
    raw_format: RawFormat = JSON
