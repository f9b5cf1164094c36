"""Who may call what of one server: its gate, gates of single operations, and the scopes that parts of it need."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from capably.diagnostics import Diagnostic, error, nearest
from capably.model.contents import Prompt
from capably.model.exposes import Exposed, ExposedOperation, Exposes, ExposesMcp, ForwardTo
from capably.plan.gate import Asked, Gate, OpenGate, compile_gate, is_open
from capably.plan.gate_oauth2 import OAuthGate, not_scopes
from capably.plan.operation import Operation, ServerPlan
from capably.upstream.auth.block import Reveal


@dataclass(frozen=True, slots=True)
class Guard:
    """What callers of one server are asked.

    ``gate`` is ``None`` on an open server. ``is_kept`` tells whether it is as the document wants it: a server whose
    gate cannot be kept must not be opened. Over stdio nobody is asked: the caller is who started the server (MCP
    2025-06-18, Authorization: Protocol Requirements).
    """

    gate: Gate | None
    is_kept: bool
    asks: bool
    reveal: Reveal
    found: list[Diagnostic]

    @property
    def asked(self) -> Asked:
        """Where requests carry what is asked."""
        return self.gate.asked if self.gate is not None else frozenset()

    def guarded(self, operation: Operation, stated: Exposed) -> Operation:
        """The operation with what its callers are asked."""
        gate = self._own_gate(stated)
        return replace(operation, gate=gate, scopes=self.scopes(stated, gate))

    def scopes(self, stated: Exposed | ForwardTo | Prompt, own_gate: Gate | None = None) -> tuple[str, ...]:
        """The scopes that something of the server needs; none where nobody is asked for any."""
        if not stated.scopes or not self.asks or not self.is_kept:
            return ()
        span = stated.value_span("scopes")
        for scope in not_scopes(stated.scopes):
            advice = "scopes are words without blanks, quotes and backslashes"
            self.found.append(error("AUT006", f"`{scope}` is no scope", span, advice))
        if not isinstance(own_gate or self.gate, OAuthGate):
            advice = "give the server `authentication:` with `type: oauth2`, or remove `scopes`"
            self.found.append(error("AUT008", "`scopes` are asked for, but callers have none", span, advice))
        return tuple(dict.fromkeys(stated.scopes))

    def finished(self, plan: ServerPlan, server: Exposes) -> ServerPlan:
        """The server with its gates, which now know all scopes that are needed behind them."""
        if isinstance(server, ExposesMcp):
            for resource in server.resources:
                self.scopes(resource)
            for prompt in server.prompts:
                self.scopes(prompt)
        shared = [item.scopes for item in plan.operations if item.gate is None]
        shared += [forward.scopes for forward in plan.forwards]
        shared += [resource.scopes for resource in plan.resources]
        shared += [prompt.scopes for prompt in plan.prompts]
        operations = tuple(
            replace(item, gate=_offering(item.gate, [item.scopes])) if item.gate is not None else item
            for item in plan.operations
        )
        # Lists that differ from caller to caller are not to be shown to another one (MCP 2026-07-28, Caching).
        is_shared = not any(shared)
        freshness = plan.freshness if is_shared else replace(plan.freshness, scope="private")
        return replace(plan, gate=_offering(self.gate, shared), operations=operations, freshness=freshness)

    def _own_gate(self, stated: Exposed) -> Gate | None:
        if not isinstance(stated, ExposedOperation) or stated.authentication is None:
            return None
        if is_open(stated.authentication):
            return OpenGate()
        return compile_gate(stated.authentication, self.reveal, self.found)


def guard_of(server: Exposes, reveal: Reveal, found: list[Diagnostic]) -> Guard:
    """What the document asks of callers of a server; problems are added to ``found``."""
    block = server.authentication
    if isinstance(server, ExposesMcp) and server.transport == "stdio":
        return Guard(None, is_kept=True, asks=False, reveal=reveal, found=found)
    if (block is None and _is_meant(server, found)) or _is_doubtful(server):
        return Guard(None, is_kept=False, asks=True, reveal=reveal, found=found)
    if block is None or is_open(block):
        return Guard(None, is_kept=True, asks=True, reveal=reveal, found=found)
    gate = compile_gate(block, reveal, found)
    return Guard(gate, is_kept=gate is not None, asks=True, reveal=reveal, found=found)


def _is_meant(server: Exposes, found: list[Diagnostic]) -> bool:
    """Whether a server that has no block was meant to have one: it is empty, no block, or its key is misspelt."""
    keys = [item.metadata["key"] for item in fields(server) if "key" in item.metadata]
    for entry in server.node.entries.values():
        if entry.key == "authentication":
            if server.is_empty(entry.key):
                advice = "say what callers must prove, or remove it to serve without"
                message = "`authentication` is empty: the server would be open"
                found.append(error("DOC014", message, entry.key_span, advice))
            return True
        if entry.key.lower().startswith("aut") and nearest(entry.key, keys) == "authentication":
            message = f"`{entry.key}` is not `authentication`: the server would be open"
            found.append(error("DOC014", message, entry.key_span, "rename it, or remove it to serve without"))
            return True
    return False


def _is_doubtful(server: Exposes) -> bool:
    """Whether two blocks are stated, which has been told: nobody knows which one is meant."""
    stated = server.node.entries.get("authentication")
    return stated is not None and stated.is_twice


def _offering(gate: Gate | None, needed: Iterable[Iterable[str]]) -> Gate | None:
    if not isinstance(gate, OAuthGate):
        return gate
    scopes = dict.fromkeys((*gate.scopes, *(scope for scopes in needed for scope in scopes)))
    return replace(gate, offered=tuple(scopes))
