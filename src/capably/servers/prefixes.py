"""Several servers behind one address: each below its own prefix, what is served where at the root.

A server sees requests as if the address were its own: ``root_path`` holds the prefix, ``path`` and ``raw_path`` what
comes after it.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from capably.diagnostics import nearest
from capably.plan.operation import Kind, ServerPlan
from capably.plan.outcome import Fault
from capably.servers.gatekeeper import with_metadata
from capably.servers.http import Application, Limits, Receive, Scope, Send, check_origin, send_body, send_fault

_ALLOW: Final = (("allow", "GET, HEAD, OPTIONS"),)
_LONGEST_SHOWN: Final = 100
_BEGINS: Final = {Kind.MCP: "/mcp", Kind.SKILL: "/skills"}
"""Where clients of a server begin, below its prefix."""


def prefix_of(server: ServerPlan) -> str:
    """The prefix of a server: its namespace as one segment of a path (RFC 3986, section 3.3)."""
    return "/" + quote(server.namespace, safe="")


@dataclass(frozen=True, slots=True)
class Mount:
    """A server, and what answers for it."""

    server: ServerPlan
    entry: Application


def behind_prefixes(mounts: Sequence[Mount], limits: Limits) -> Application:
    """The application of an address that servers share.

    The metadata of protected resources stands at the root, where clients look for it (RFC 9728, section 3.1).
    """
    return with_metadata(Prefixes(mounts, limits), limits, *(mount.server for mount in mounts))


class Prefixes:
    """Leads each request to the server whose prefix it has."""

    def __init__(self, mounts: Sequence[Mount], limits: Limits) -> None:
        """Know the servers."""
        self._entries = {prefix_of(mount.server).encode(): mount.entry for mount in mounts}
        self._prefixes = [prefix_of(mount.server) for mount in mounts]
        self._limits = limits
        self._index = msgspec.json.encode({"servers": [_shown(mount.server) for mount in mounts]})

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hand a request on; the awaitable is the server's own."""
        raw: bytes = scope["raw_path"]
        end = raw.find(b"/", 1)
        prefix, rest = (raw, b"/") if end < 0 else (raw[:end], raw[end:])
        entry = self._entries.get(prefix)
        if entry is None:
            return self._answer(scope, send)
        shown = prefix.decode()
        inner = dict(scope)
        inner["root_path"] = scope.get("root_path", "") + shown
        inner["raw_path"] = rest
        # The prefix is ours and has one spelling, so it is as many segments encoded as it is not.
        inner["path"] = scope["path"][len(unquote(shown)) :] or "/"
        return entry(inner, receive, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        """Answer what is no server's: the index, or that there is nothing."""
        method = scope["method"]
        try:
            check_origin(scope, self._limits)
            if scope["raw_path"] not in {b"/", b""}:
                raise self._nothing(scope["path"])
            if method == "OPTIONS":
                await send_body(send, 204, None, b"", _ALLOW)
            elif method in {"GET", "HEAD"}:
                await send_body(send, 200, "application/json", self._index, head=method == "HEAD")
            else:
                detail = f"what is served here can be read, not {method}: send requests to one of the servers"
                fault = Fault(405, "method-not-allowed", "The method is not allowed here", detail, headers=_ALLOW)
                await send_fault(send, fault)
        except Fault as fault:
            await send_fault(send, fault, head=method == "HEAD")

    def _nothing(self, path: str) -> Fault:
        first = "/" + path.split("/")[1][:_LONGEST_SHOWN]
        close = nearest(first, self._prefixes)
        advice = f"did you mean {close}?" if close is not None else "`/` lists the servers"
        return Fault(404, "no-server", "No server has this path", f"no server is at {first}: {advice}")


def _shown(server: ServerPlan) -> dict[str, str]:
    """A server as everybody may know it, whoever may call it."""
    path = prefix_of(server)
    shown = {"namespace": server.namespace, "kind": server.kind.value, "path": path + _BEGINS.get(server.kind, "")}
    if server.kind is Kind.REST and server.describes_itself:
        shown["openapi"] = f"{path}/openapi.json"
    return shown
