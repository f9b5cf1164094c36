"""What one Threads > Runs service is told when it starts. Frozen, and free of any web framework."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
Dialect = Literal["openai", "aimlapi"]


@dataclass(frozen=True)
class ModelSettings:
    """Where a model is asked.

    Attributes:
        name: what assistants call it; `*` is any name no other entry has.
        url: an OpenAI-compatible endpoint up to and without `/chat/completions`, such as
            `http://127.0.0.1:11434/v1`; None means a model inside this program.
        model: the name sent to that endpoint; None sends the assistant's. For a model inside: which one.
        key: the endpoint's bearer key; None sends no Authorization header.
        key_env: the environment variable the key came from, named in errors.
        timeout: seconds the endpoint may stay silent, before its answer and between two pieces of it.
    """

    name: str
    url: str | None
    model: str | None = None
    key: str | None = field(default=None, repr=False)
    key_env: str = "OPENAI_API_KEY"
    timeout: float = 60.0


@dataclass(frozen=True)
class ThreadsSettings:
    """The choices of one service.

    Attributes:
        data: the directory that holds the database; made when it is missing.
        database: a PostgreSQL URL to keep everything in instead.
        host: the address the service is bound to. On loopback only requests for loopback names are answered.
        models: the models that answer runs, by the names assistants give; empty means the offline responder.
        dialect: whose deviations answers have: none, or those of AIMLAPI.
        run_lifetime: seconds after which a run that has not ended is `expired`.
        runs_at_once: how many runs are executed at the same time; the others wait, `queued`.
        drain: seconds a stopping service waits for the runs it executes; what is left is finished after a restart.
        patrol: seconds between two looks for overdue runs and for runs nobody executes.
        keep_events: seconds for which the events of an ended run can be read again.
        keep_threads: seconds after which a thread that gets neither messages nor runs is deleted with all that
            belongs to it; None means never.
        max_body: bytes a request body may have.
        rate: requests a key may make in a minute; None means any number.
        allow_mcp: beginnings of the addresses of MCP servers that runs may ask. On loopback, servers on loopback
            may be asked too.
    """

    data: Path
    database: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    models: tuple[ModelSettings, ...] = ()
    dialect: Dialect = "openai"
    run_lifetime: int = 600
    runs_at_once: int = 64
    drain: float = 2.0
    patrol: float = 15.0
    keep_events: int = 24 * 3600
    keep_threads: int | None = None
    max_body: int = 1024 * 1024
    rate: int | None = None
    allow_mcp: tuple[str, ...] = ()

    def may_ask(self, url: str) -> bool:
        """Whether runs may ask the MCP server at an address: the operator decides, not whoever makes an assistant."""
        parts = urlsplit(url)
        if self.on_loopback and parts.hostname in ("localhost", "127.0.0.1", "::1"):
            return True
        return any(_begins(parts, urlsplit(allowed)) for allowed in self.allow_mcp)

    @property
    def on_loopback(self) -> bool:
        """Whether `host` can be reached from this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def _begins(asked: SplitResult, allowed: SplitResult) -> bool:
    same = (asked.scheme, asked.hostname, asked.port) == (allowed.scheme, allowed.hostname, allowed.port)
    path = allowed.path.rstrip("/")
    return same and (asked.path == path or asked.path.startswith(path + "/"))
