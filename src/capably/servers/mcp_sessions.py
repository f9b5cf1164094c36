"""Sessions of the legacy era: what a server remembers of a client from ``initialize`` until it goes.

A session holds what the client said of itself, the calls that run for it and the questions it has been asked. It does
no I/O: whoever runs a call leaves a function that cancels it, whoever asks leaves one that takes the answer. Sessions
are forgotten when they were idle for a while, and the one that was idle longest when there are too many (MCP
2025-11-25, Transports: Session Management).
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from capably.plan.caller import Ability
from capably.servers.mcp_messages import RequestId, Response

_ID_BYTES: Final = 24


class Ending(Protocol):
    """Something that lasts as long as its session at most, such as a stream."""

    def end(self) -> None:
        """End it."""
        ...


@dataclass(slots=True, eq=False)
class Session:
    """One client.

    ``version`` is ``None`` until the client has initialized; ``level`` is the least severe log level it wants, as far
    as it has said so; ``watched`` are the URIs of resources whose changes it wants to know. ``running`` cancels calls
    by the id of their request, ``asked`` takes answers by the id of our question, ``streams`` are its event streams by
    key, ``endings`` is told when it ends. ``in_use`` counts what keeps a silent session from being idle.
    """

    id: str = ""
    principal: str = ""
    version: str | None = None
    abilities: frozenset[Ability] = frozenset()
    level: str | None = None
    watched: set[str] = field(default_factory=set)
    running: dict[RequestId, Callable[[], object]] = field(default_factory=dict)
    asked: dict[RequestId, Callable[[Response], None]] = field(default_factory=dict)
    streams: OrderedDict[str, Ending] = field(default_factory=OrderedDict)
    endings: list[Callable[[], None]] = field(default_factory=list)
    in_use: int = 0
    last_used: float = 0.0
    _questions: int = 0

    def begin(self, version: str, capabilities: object) -> None:
        """Keep what ``initialize`` settled and told."""
        self.version = version
        self.abilities = abilities_of(capabilities)

    def next_question(self) -> str:
        """An id for a request to this client, not used before."""
        self._questions += 1
        return f"capably-{self._questions}"

    def take(self, response: Response) -> None:
        """Pass an answer to who asked; one that nobody waits for is dropped."""
        taker = self.asked.pop(response.id, None) if response.id is not None else None
        if taker is not None:
            taker(response)

    def cancel(self, request_id: object) -> None:
        """Cancel a call; one that has ended already stays as it is (MCP 2025-11-25, Cancellation)."""
        cancel = self.running.get(request_id) if isinstance(request_id, str | int) else None
        if cancel is not None:
            cancel()

    def end(self) -> None:
        """Cancel what runs, end the streams and tell who wants to know."""
        for cancel in list(self.running.values()):
            cancel()
        for stream in list(self.streams.values()):
            stream.end()
        for told in self.endings:
            told()
        self.endings.clear()


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How many sessions a server remembers, and for how many seconds an idle one."""

    count: int = 10_000
    idle_s: float = 3600.0


class Sessions:
    """The sessions of one server. ``clock`` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float], limits: SessionLimits | None = None) -> None:
        """Begin without any."""
        self._clock = clock
        self._limits = limits or SessionLimits()
        self._by_id: OrderedDict[str, Session] = OrderedDict()  # the one that was idle longest comes first

    def __len__(self) -> int:
        return len(self._by_id)

    def open(self, principal: str) -> Session:
        """A new session, with an id nobody can guess."""
        self._forget_idle()
        session = Session(secrets.token_urlsafe(_ID_BYTES), principal, last_used=self._clock())
        self._by_id[session.id] = session
        return session

    def find(self, session_id: str, principal: str) -> Session | None:
        """The session of that id, unless it is over or somebody else's."""
        session = self._by_id.get(session_id)
        if session is None or session.principal != principal:
            return None
        if self._is_idle(session):
            self.end(session)
            return None
        session.last_used = self._clock()
        self._by_id.move_to_end(session_id)
        return session

    def end(self, session: Session) -> None:
        """End a session and forget it."""
        self._by_id.pop(session.id, None)
        session.end()

    def end_all(self) -> None:
        """End every session, because the server stops."""
        for session in list(self._by_id.values()):
            self.end(session)

    def _forget_idle(self) -> None:
        while self._by_id:
            oldest = next(iter(self._by_id.values()))
            if not self._is_idle(oldest) and len(self._by_id) < self._limits.count:
                return
            if oldest.in_use and len(self._by_id) < self._limits.count:
                self._by_id.move_to_end(oldest.id)
                return
            self.end(oldest)

    def _is_idle(self, session: Session) -> bool:
        return not session.in_use and self._clock() - session.last_used > self._limits.idle_s


def abilities_of(capabilities: object) -> frozenset[Ability]:
    """What a client can be asked for, by the capabilities it declared.

    ``elicitation`` without modes means forms (MCP 2025-11-25, Elicitation: Capabilities).
    """
    if not isinstance(capabilities, Mapping):
        return frozenset()
    return frozenset(ability for name, ability in CAPABILITIES.items() if _declares(capabilities.get(name), ability))


CAPABILITIES: Final[Mapping[str, Ability]] = {
    "elicitation": Ability.ELICIT,
    "sampling": Ability.SAMPLE,
    "roots": Ability.ROOTS,
}
"""What a client declares, and what it can be asked for then."""


def _declares(declared: Any, ability: Ability) -> bool:
    if not isinstance(declared, Mapping):
        return False
    return ability is not Ability.ELICIT or not declared or "form" in declared or "url" not in declared
