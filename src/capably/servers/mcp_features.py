"""What the parts of MCP have in common: each brings the methods it answers and the capability it declares.

A part, such as tools or prompts, is a function from a server's plan and the marks of an era to a :class:`Feature`. It
is asked once for each era, when the server is built, and listed in the table of :mod:`.mcp_protocol`; nothing else has
to know of it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from capably.plan.caller import Caller
from capably.plan.operation import Inputs, Operation, ServerPlan
from capably.plan.outcome import Fault, Outcome
from capably.servers.mcp_eras import SERVER_INFO_KEY, Context, Era
from capably.servers.mcp_messages import Message, RequestId

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Marks:
    """What an era adds to results.

    ``always`` goes into every result, ``listed`` into those of lists, reads and ``server/discover`` besides (MCP
    2026-07-28, Overview: Responses; Caching), ``meta`` is what ``_meta`` of every result holds. In the legacy era they
    are empty.
    """

    era: Era
    always: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    listed: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    meta: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def result(self, fields: Mapping[str, Any]) -> bytes:
        """A result that holds for one call."""
        return msgspec.json.encode({**self.always, **fields})

    def listing(self, fields: Mapping[str, Any]) -> bytes:
        """A result that clients may keep for a while."""
        return msgspec.json.encode({**self.always, **self.listed, **fields})


class Work(msgspec.Struct, frozen=True):
    """What has to be run before a message can be answered.

    ``tell`` makes the result of how it ended, ``tell_fault`` that of a run without an outcome; both give JSON and may
    raise :class:`~.mcp_messages.ProtocolError`.
    """

    operation: Operation
    inputs: Inputs
    tell: Callable[[Outcome], bytes]
    tell_fault: Callable[[Fault], bytes]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What has to be asked before a message can be answered, when nothing is run.

    ``hold`` asks and gives the result as JSON; it may raise ``ProtocolError``, ``Fault`` and ``InputRequiredError``.
    """

    name: str
    hold: Callable[[Caller], Awaitable[bytes]]
    tell_fault: Callable[[Fault], bytes]


@dataclass(frozen=True, slots=True)
class Listen:
    """A wish to be told of changes until the client hangs up or cancels (MCP 2026-07-28, Subscriptions).

    ``greeting`` is the first message to send, ``farewell`` the last one, when it is the server that ends. ``lists`` and
    ``watched`` say which changes to tell, ``meta`` goes with each.
    """

    request_id: RequestId | None
    lists: frozenset[str]
    watched: frozenset[str]
    meta: Mapping[str, Any]
    greeting: bytes
    farewell: bytes


Handler: TypeAlias = Callable[[Message, Context], bytes | Work | Dialogue | Listen]
"""Answers one method: the result as JSON, or the work that will give it. Raises ``ProtocolError``."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One part of MCP as one server has it in one era: its methods, and its share of the server's capabilities.

    ``lists`` holds what the lists say by the capability that declares ``listChanged`` for them, so that a server whose
    plan is swapped can tell which have changed.
    """

    methods: Mapping[str, Handler] = field(default_factory=dict)
    capabilities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Mapping[str, bytes] = field(default_factory=dict)


ABSENT: Final = Feature()
"""The feature of a server that has nothing to offer of a kind."""

Part: TypeAlias = Callable[[ServerPlan, Marks], Feature]


def marks_of(server: ServerPlan, era: Era) -> Marks:
    """The marks of an era."""
    if era is Era.LEGACY:
        return Marks(era)
    always = {
        "resultType": "complete",
        "_meta": msgspec.Raw(msgspec.json.encode({SERVER_INFO_KEY: server_info(server)})),
    }
    listed = {"ttlMs": server.freshness.ttl_ms, "cacheScope": server.freshness.scope}
    return Marks(era, MappingProxyType(always), MappingProxyType(listed))


_UNVERSIONED: Final = "unspecified"


def server_info(server: ServerPlan) -> dict[str, str]:
    """How the server names itself; ``version`` must be there (MCP 2025-11-25, Schema: Implementation)."""
    title = {"title": server.title} if server.title else {}
    return {"name": server.namespace, **title, "version": server.version or _UNVERSIONED}


def merged(capabilities: list[Mapping[str, Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    """The capabilities of all features: two features may have a share of the same one."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in capabilities:
        for name, details in each.items():
            found[name] = {**found.get(name, {}), **details}
    return found
