"""What a run gives back: an outcome, or a fault that says what went wrong in words for the caller."""

from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from capably.plan.answer import Loss
from capably.plan.content import Piece
from capably.plan.operation import Forward, Inputs
from capably.upstream.reply import ByteStream

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Outcome(msgspec.Struct, frozen=True):
    """The end of a run: an upstream answer as it is, or what the document makes of it.

    ``headers`` are those a caller may see, names in lower case, without ``content-type`` (that is ``media_type``) and
    without anything that belongs to the upstream connection. Either ``body`` is whole, or ``stream`` is set and the
    server must iterate and close it. ``losses`` are for the operator. ``step`` names the step of a flow whose upstream
    refused, when that is what the outcome tells. ``pieces`` are what the document states as content; ``body`` is then
    what of it is text.
    """

    status: int
    media_type: str | None
    body: bytes = b""
    headers: Headers = ()
    stream: ByteStream | None = None
    losses: tuple[Loss, ...] = ()
    step: str = ""
    pieces: tuple[Piece, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether the upstream refused (status 400 or above)."""
        return self.status >= 400  # noqa: PLR2004 -- RFC 9110, section 15.5: client and server errors


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the inputs of a call: which input, and what was expected of it."""

    input: str
    location: str
    message: str


@dataclass(slots=True, eq=False)
class Fault(Exception):  # noqa: N818 -- the design's word for a failed run
    """A run that gave no outcome.

    ``status`` is the HTTP status a REST caller gets, ``kind`` a stable word (the last part of the RFC 9457 ``type``),
    ``title`` the same for every fault of the kind, ``detail`` what happened this time and what to do. None of them
    ever carries a secret or an internal address the caller did not give.
    """

    status: int
    kind: str
    title: str
    detail: str
    problems: tuple[Problem, ...] = ()
    headers: Headers = field(default=())

    def __str__(self) -> str:
        """The detail, for logs."""
        return f"{self.title}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Passage:
    """A caller's request on its way through a forward, as it came.

    ``rest`` is the part of the path that ``{path}`` took, still encoded, ``None`` where the route has no such place.
    Header names are in lower case. ``body`` may still be arriving.
    """

    method: str
    rest: str | None
    query: str
    values: Inputs
    headers: Headers
    body: AsyncIterable[bytes] | bytes | None = None


PassOn: TypeAlias = Callable[[Forward, Passage], Awaitable[Outcome]]
"""How a server passes a request on. Raises :class:`Fault`."""
