"""What an endpoint of the control server is given, and what it answers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from capably.plan.control import Control
from capably.plan.outcome import Fault, Headers
from capably.servers.control.last_reload import LastReload
from capably.servers.control.levels import Levels
from capably.servers.desk import Desk
from capably.servers.http import Receive, Scope, Send, header, read_body
from capably.telemetry.recorded import Recorded
from capably.telemetry.telemetry import Telemetry

JSON: Final = "application/json"
_BODY_BYTES: Final = 64 * 1024


class Scripting(Protocol):
    """The switches of all scripts of the process (:class:`capably.scripts.switchboard.Switchboard`)."""

    @property
    def held_off_by(self) -> str:
        """What has switched scripts off for as long as the process runs; empty when nothing has."""
        ...

    def shown(self) -> dict[str, Any]:
        """What holds now, with statistics."""
        ...

    def change(self, wanted: Mapping[str, Any]) -> list[str]:
        """Change what is wanted; the problems, when it cannot be."""
        ...


class Page(Protocol):
    """The console: a page at ``/`` and what it asks for below ``/console/``."""

    def has(self, path: str) -> bool:
        """Whether a path is its own."""
        ...

    def is_public(self, path: str) -> bool:
        """Whether a path is answered without asking who calls: it tells nothing."""
        ...

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for one of its paths. Raises Fault."""
        ...

    def close(self) -> None:
        """End what it has begun."""
        ...


@dataclass(frozen=True, slots=True)
class Instruments:
    """What a control server is for: the process, what was recorded of it, and its switches.

    ``telemetry`` is what this process records, ``recorded`` what is shown of it, by several workers together; both
    are ``None`` when nothing is. ``settings`` says how the process was started, without secrets.
    """

    desk: Desk
    scripting: Scripting
    telemetry: Telemetry | None = None
    recorded: Recorded | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Room:
    """All that endpoints know: the instruments, what this server may show, and what it remembers itself."""

    instruments: Instruments
    control: Control
    last_reload: LastReload
    levels: Levels | None

    @property
    def desk(self) -> Desk:
        """The process."""
        return self.instruments.desk


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class EventStream:
    """An answer without an end: the bytes of a `text/event-stream`, as they come; ``close`` is called at its end."""

    events: AsyncIterator[bytes]
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for an endpoint.

    ``name`` is the last part of its path where that is a name, decoded; ``proofs`` are the parameters of the query that
    callers prove themselves with.
    """

    scope: Scope
    receive: Receive
    name: str = ""
    proofs: frozenset[str] = frozenset()

    def query(self, *known: str) -> dict[str, str]:
        """The parameters of the query, the last one of each name.

        Raises:
            Fault: status 400, there are others than ``known``.
        """
        pairs = parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = {name: value for name, value in pairs if name not in self.proofs}
        for name in given:
            if name not in known:
                expected = ", ".join(f"`{item}`" for item in known) or "no parameters"
                raise refused("unknown-parameter", f"`{name[:100]}` is not known here: there is {expected}")
        return given

    def header(self, name: bytes) -> str | None:
        """A header of the request."""
        return header(self.scope, name)

    async def object(self) -> dict[str, Any]:
        """The JSON object that was sent; empty when nothing was.

        Raises:
            Fault: status 400 when it is none, 413 when it is too large.
        """
        body = await read_body(self.scope, self.receive, _BODY_BYTES)
        if not body:
            return {}
        try:
            value = msgspec.json.decode(body)
        except msgspec.DecodeError as problem:
            raise refused("malformed-body", f"the body is no JSON: {problem}") from None
        if not isinstance(value, dict):
            raise refused("malformed-body", "the body must be a JSON object")
        return value


Handler: TypeAlias = Callable[[Room, Asked], Awaitable[Answer | EventStream]]


def answer(value: Any, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(msgspec.json.encode(value, enc_hook=str), status)


def refused(kind: str, detail: str, status: int = 400) -> Fault:
    """The fault for a request that cannot be done as it is."""
    return Fault(status, kind, _TITLES.get(status, "The request cannot be used"), detail)


_TITLES: Final = {
    404: "There is no such thing",
    409: "That cannot be done now",
    429: "Too many are asking for this",
    503: "There is nothing to show",
}
