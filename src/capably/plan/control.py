"""The control server of a document: what it may show and do, by the key of the document that allows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from capably.diagnostics import Diagnostic, error
from capably.document import Scalar
from capably.model.control import ExposesControl, LogAccess, Management
from capably.model.decode import decode_record, read_flag
from capably.plan.loopback import is_loopback
from capably.plan.observability import Observability, compile_observability, within
from capably.upstream.auth.block import Reveal

HEALTH: Final = "management.health"
INFO: Final = "management.info"
RELOAD: Final = "management.reload"
VALIDATE: Final = "management.validate"
LOGS: Final = "management.logs"
LOG_LEVELS: Final = "management.logs.level-control"
LOG_STREAM: Final = "management.logs.stream"
SCRIPTING: Final = "management.scripting"
CONFIG: Final = "management.config"
CONSOLE: Final = "management.console"
METRICS: Final = "observability.metrics.local.enabled"
TRACES: Final = "observability.traces.local.enabled"

EVERYTHING: Final = frozenset(
    {HEALTH, INFO, RELOAD, VALIDATE, LOGS, LOG_LEVELS, LOG_STREAM, SCRIPTING, CONFIG, CONSOLE, METRICS, TRACES}
)
SUBSCRIBERS: Final = 5
_MOST_SUBSCRIBERS: Final = 20


@dataclass(frozen=True, slots=True)
class Control:
    """What a control server may show and do.

    ``allows`` holds the keys of the document that allow something, as paths below the server; ``subscribers`` is how
    many may follow the log at a time.
    """

    allows: frozenset[str] = EVERYTHING
    subscribers: int = SUBSCRIBERS
    observability: Observability = field(default_factory=Observability)


_FLAGS: Final[Mapping[str, tuple[str, bool]]] = MappingProxyType(
    {
        HEALTH: ("health", True),
        INFO: ("info", False),
        RELOAD: ("reload", False),
        VALIDATE: ("validate", False),
        CONFIG: ("config", False),
        CONSOLE: ("console", False),
    }
)
"""Field of the record, and what holds when the document is silent (the published schema)."""


def compile_control(stated: ExposesControl, reveal: Reveal, found: list[Diagnostic]) -> Control:
    """What a control server may show and do; values that cannot be used are told, and their defaults hold."""
    observability = compile_observability(stated.observability, reveal, found)
    management = stated.management
    allows = {key for key, (field, default) in _FLAGS.items() if _holds(getattr(management, field, None), default)}
    allows |= {key for key, holds in ((METRICS, observability.metrics), (TRACES, observability.traces)) if holds}
    subscribers = SUBSCRIBERS
    if management is not None:
        if management.scripting is not None:
            allows.add(SCRIPTING)
        logs, subscribers = _logs(management, found)
        allows |= logs
    return Control(frozenset(allows), subscribers, observability)


def _holds(stated: bool | None, default: bool) -> bool:  # noqa: FBT001 -- the two values of one switch
    return default if stated is None else stated


def _logs(management: Management, found: list[Diagnostic]) -> tuple[set[str], int]:
    """The keys that `logs` allows, and how many may follow; as a mapping it is on."""
    node = management.logs
    if node is None:
        return set(), SUBSCRIBERS
    if isinstance(node, Scalar):
        return ({LOGS, LOG_LEVELS} if read_flag(node, "logs", found) else set()), SUBSCRIBERS
    access = decode_record(LogAccess, node, "logs", found)
    if access is None:
        return set(), SUBSCRIBERS
    allows = {LOGS}
    if _holds(access.level_control, default=True):
        allows.add(LOG_LEVELS)
    if access.stream:
        allows.add(LOG_STREAM)
    most = within(access, "max-subscribers", access.max_subscribers, (1, _MOST_SUBSCRIBERS), found)
    return allows, most or SUBSCRIBERS


def is_open_to_others(address: str | None, *, has_gate: bool) -> bool:
    """Whether a control server could be reached by other machines without being asked who they are."""
    return address is not None and not has_gate and not is_loopback(address)


def declared_open(stated: ExposesControl) -> Diagnostic:
    """The error for a control server that would be: it is not opened."""
    message = f"the control server would listen on {stated.address} without authentication"
    advice = (
        "whoever reaches it sees the configuration and can change what is served: "
        "listen on 127.0.0.1, or add `authentication`"
    )
    return error("CTL002", message, stated.value_span("address"), advice)
