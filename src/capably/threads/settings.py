"""What one Threads > Runs service is told when it starts. Frozen, and free of any web framework."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class ThreadsSettings:
    """The choices of one service.

    Attributes:
        data: the directory that holds the database; made when it is missing.
        host: the address the service is bound to. On loopback only requests for loopback names are answered.
        model_url: an OpenAI-compatible endpoint up to and without `/chat/completions`, such as
            `http://127.0.0.1:11434/v1`; None means the offline responder.
        model: the model name sent to that endpoint, whatever the assistant names; None sends the assistant's.
        model_key: the endpoint's bearer key; None sends no Authorization header.
        model_timeout: seconds the endpoint may stay silent, before its answer and between two pieces of it.
        run_lifetime: seconds after which a run that has not ended is `expired`.
        runs_at_once: how many runs are executed at the same time; the others wait, `queued`.
        drain: seconds a stopping service waits for the runs it executes; what is left is finished after a restart.
        patrol: seconds between two looks for overdue runs and for runs nobody executes.
        max_body: bytes a request body may have.
    """

    data: Path
    host: str = "127.0.0.1"
    model_url: str | None = None
    model: str | None = None
    model_key: str | None = field(default=None, repr=False)
    model_timeout: float = 60.0
    run_lifetime: int = 600
    runs_at_once: int = 16
    drain: float = 2.0
    patrol: float = 15.0
    max_body: int = 1024 * 1024

    @property
    def on_loopback(self) -> bool:
        """Whether `host` can be reached from this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False
