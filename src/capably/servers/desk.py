"""The desk: what a server that shows the process itself knows of it, and may ask of it.

A control server and the console read these values and ask a :class:`Desk`, nothing else; who implements it is none of
their business. Everything here is a snapshot: frozen, and of one generation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from capably.diagnostics import Diagnostic
from capably.model.capability import Capability
from capably.plan.caller import Invoke
from capably.plan.loopback import is_loopback
from capably.plan.operation import Kind, Plan, ServerPlan
from capably.plan.variables import Variable
from capably.plan.watch import Watch
from capably.telemetry.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is served.

    ``texts`` are those of the file and of what it imports, by the name that spans carry. ``plan`` holds the values of
    secrets, as ``variables`` and ``secrets`` (which has those that are written in the document as well) do: none of
    them is for showing. ``generation`` is the number of the reload that brought it (1: the start), ``loaded_at`` the
    moment, in UTC.
    """

    file: str
    texts: Mapping[str, str]
    capability: Capability
    plan: Plan
    variables: tuple[Variable, ...]
    secrets: tuple[Variable, ...]
    diagnostics: tuple[Diagnostic, ...]
    loaded_at: datetime
    generation: int


@dataclass(frozen=True, slots=True)
class Listener:
    """A server that runs: its plan, the address it really has (none over stdio), and whether it speaks https.

    ``prefix`` is the path below which it is served, empty when the address is its own. ``is_started`` is false while
    it does not answer yet, and once it is told to stop.
    """

    plan: ServerPlan
    host: str = ""
    port: int = 0
    is_private: bool = False
    prefix: str = ""
    is_started: bool = True

    @property
    def kind(self) -> Kind:
        """The kind of server."""
        return self.plan.kind

    @property
    def namespace(self) -> str:
        """The name of the server."""
        return self.plan.namespace

    @property
    def warning(self) -> str:
        """What whoever starts it should know of who may call it; empty when that is no surprise."""
        gate, name = self.plan.gate, self.plan.namespace
        if self.plan.over_stdio:
            told = f"`{name}` asks nobody for its `authentication` over stdio: whoever starts it may use it"
            return told if gate is not None else ""
        what = "reads the files of its skills" if self.plan.kind is Kind.SKILL else "uses your credentials"
        told = f"`{name}` listens on {self.host} without authentication: whoever reaches it {what}"
        return told if gate is None and not is_loopback(self.host) else ""

    @property
    def url(self) -> str:
        """Where clients reach it; an address that means every interface is shown as this machine's."""
        return (
            "stdio" if self.plan.over_stdio else origin(self.host, self.port, is_private=self.is_private) + self.prefix
        )


def origin(host: str, port: int, *, is_private: bool) -> str:
    """The URL of an address that is listened on, without a path."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 -- compared, not bound
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{'https' if is_private else 'http'}://{shown}:{port}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs between two generations.

    ``path`` says what, from the server down (``servers.fleet-rest.operations.list.description``). ``before`` and
    ``after`` are JSON values that may be shown, secrets as ``***``; ``None`` where there was or is nothing.
    ``is_structural`` marks servers that come, go or move.
    """

    path: str
    before: Any
    after: Any
    is_structural: bool = False


class Standing(StrEnum):
    """What became of a wish to serve the documents as they are now."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    VALID = "valid"
    REFUSED = "rejected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of the documents as they are now.

    ``standing`` is ``VALID`` where they were only looked at and could be applied. ``generation`` is the number of the
    one that is served, after it. ``reason`` and ``advice`` say why they are refused; ``diagnostics`` are all those of
    the documents that were looked at, ``texts`` the texts they point into.
    """

    standing: Standing
    generation: int
    differences: tuple[Difference, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    advice: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether what was served before is served still, although the documents say otherwise."""
        return self.standing is Standing.REFUSED


class Desk(Protocol):
    """The process as those see it who show it."""

    @property
    def started_at(self) -> datetime:
        """When the process began to serve, in UTC."""
        ...

    @property
    def telemetry(self) -> Telemetry | None:
        """What is recorded of requests; ``None`` when nothing is."""
        ...

    @property
    def generation(self) -> int:
        """How often documents were taken up: 1 after the start, one more after each reload that changed something."""
        ...

    @property
    def is_stopping(self) -> bool:
        """Whether the process has been told to end: open requests may end, it is not ready for more."""
        ...

    @property
    def documents(self) -> tuple[Document, ...]:
        """What is served."""
        ...

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Every server that runs, those the process has of its own among them."""
        ...

    def invoke_for(self, server: ServerPlan, watch: Watch | None = None) -> Invoke:
        """What runs the operations of a server as its callers have them run, without asking who calls.

        Args:
            server: one of ``documents``, of this generation.
            watch: is told of every call and script that is performed.

        Raises:
            LookupError: the server is not served any more.
        """
        ...

    async def validate(self) -> Verdict:
        """Say what :meth:`reload` would do now, and do nothing."""
        ...

    async def reload(self) -> Verdict:
        """Serve the documents as they are now, unless they cannot be served: then all stays as it is."""
        ...

    def join(self, hear: Callable[[Verdict], None]) -> Callable[[], None]:
        """Hear of every reload, whoever asked for it, until the function that is returned is called."""
        ...
