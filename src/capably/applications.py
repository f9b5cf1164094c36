"""The kinds of server, and how the application of each is built."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from capably.plan.caller import Invoke
from capably.plan.operation import Kind, ServerPlan
from capably.runtime import Runtime
from capably.servers import mcp, rest, skill
from capably.servers.desk import Desk
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import Application, Limits
from capably.servers.mcp_state import Seal
from capably.telemetry.entry import recording_tools


@dataclass(frozen=True, slots=True)
class Wiring:
    """What an application is connected to.

    ``runtime`` runs the operations of its document, ``keeper`` keeps its gates; ``seal`` and ``desk`` are the
    process's own. ``before`` is the application of the same server in an earlier generation, if there was one.
    """

    runtime: Runtime
    keeper: Gatekeeper
    limits: Limits
    seal: Seal
    desk: Desk
    before: object = None


def tools_of(runtime: Runtime) -> Invoke:
    """What runs the operations of an MCP server: each is recorded, where anything is."""
    return runtime.invoke if runtime.recorder is None else recording_tools(runtime.recorder, runtime.invoke)


Build: TypeAlias = Callable[[ServerPlan, Wiring], Application]

SERVERS: Final[dict[Kind, Build]] = {
    Kind.REST: lambda server, to: rest.build_app(server, to.runtime.invoke, to.limits, to.keeper, to.runtime.pass_on),
    Kind.MCP: lambda server, to: mcp.build_app(server, tools_of(to.runtime), to.limits, to.keeper, to.seal, to.before),
    Kind.SKILL: lambda server, to: skill.build_app(server, to.limits, to.keeper),
}
