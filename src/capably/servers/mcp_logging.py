"""Log messages to clients: ``logging/setLevel`` of the legacy era, and the capability of both."""

from capably.plan.operation import ServerPlan
from capably.servers.mcp_call import LEVELS
from capably.servers.mcp_eras import Context, Era
from capably.servers.mcp_features import Feature, Marks
from capably.servers.mcp_messages import INVALID_PARAMS, Message, ProtocolError, shown


def logging(_server: ServerPlan, marks: Marks) -> Feature:
    """What a flow logs is told to the client that called it.

    A legacy session says once from which level on; a modern request says it in its ``_meta`` (MCP 2026-07-28, Logging).
    """
    methods = {"logging/setLevel": _set_level} if marks.era is Era.LEGACY else {}
    return Feature(methods, {"logging": {}})


def _set_level(message: Message, context: Context) -> bytes:
    level = message.params.get("level")
    if not isinstance(level, str) or level not in LEVELS:
        known = ", ".join(LEVELS)
        raise ProtocolError(INVALID_PARAMS, f"Invalid params: `level` must be one of {known}, not {shown(level)}")
    if context.session is not None:
        context.session.level = level
    return b"{}"
