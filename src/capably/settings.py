"""What the command line and the environment say of how to serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from capably.plan.operation import CertificateFiles
from capably.plan.variables import Given
from capably.scripts.governance import ScriptSwitches
from capably.seat import Seat
from capably.servers.http import Limits
from capably.telemetry.redaction import Redactor
from capably.upstream.client import ClientLimits

CONTROL: Final = "control"
"""The name of the control server where no document names one."""


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Where the control server listens, whatever documents say; what is not given is as they say.

    ``token`` is what callers must send (Bearer), empty when they are asked as the document says.
    """

    port: int
    host: str | None = None
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """The one address all servers are behind, each below its namespace."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve: values for variables, ports by namespace, the address, limits.

    ``listen`` puts all servers behind one address. ``host`` replaces the address of every server; ``ports`` replace
    single ports by the server's namespace. ``strict`` refuses a document that has any error, instead of serving what
    is sound. ``stdio`` names the one MCP server that is served, over standard input and output (an empty name: the
    only one there is); ``None`` serves all as they say.
    ``tls`` is shown by every server instead of what its document names. ``scripts`` says which scripts may run.
    ``drain_s`` is how long open requests may take to end when a server stops, ``patience_s`` how long those that were
    open when documents were reloaded may go on with the documents they began with, both in seconds. ``concurrency`` is
    how many requests each server works on at the same time. ``control`` asks for a control server, or moves the
    declared one; ``host`` never moves it. ``access_log`` writes each request to the log; ``redactor`` keeps secrets out
    of it, and whoever serves documents tells it theirs. ``seat`` is set in one of several workers that
    serve the same.
    """

    given: Given = field(default_factory=Given)
    ports: Mapping[str, int] = field(default_factory=dict)
    host: str | None = None
    listen: ListenSettings | None = None
    client: ClientLimits = field(default_factory=ClientLimits)
    limits: Limits = field(default_factory=Limits)
    drain_s: float = 10.0
    patience_s: float = 300.0
    concurrency: int = 1000
    strict: bool = False
    stdio: str | None = None
    tls: CertificateFiles | None = None
    scripts: ScriptSwitches = field(default_factory=ScriptSwitches)
    control: ControlSettings | None = None
    access_log: bool = False
    redactor: Redactor = field(default_factory=Redactor, compare=False, repr=False)
    seat: Seat | None = None


def shown(settings: Settings) -> dict[str, Any]:
    """The settings as JSON, without anything secret."""
    control, tls = settings.control, settings.tls
    return {
        "host": settings.host,
        "listen": None if settings.listen is None else {"host": settings.listen.host, "port": settings.listen.port},
        "ports": dict(settings.ports),
        "control": None if control is None else {"host": control.host, "port": control.port},
        "tls": None if tls is None else {"certificate": str(tls.certificate), "key": str(tls.key)},
        "stdio": settings.stdio,
        "strict": settings.strict,
        "timeoutSeconds": settings.client.answer_s,
        "drainSeconds": settings.drain_s,
        "concurrency": settings.concurrency,
        "bodyBytes": settings.limits.body_bytes,
        "scripts": {"enabled": not settings.scripts.is_off, "languages": list(settings.scripts.languages)},
        "set": sorted(settings.given.sets),
        "worker": None if settings.seat is None else {"number": settings.seat.number, "of": len(settings.seat.doors)},
    }
