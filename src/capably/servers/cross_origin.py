"""Web pages of other origins: what they may call is what the document's `cors` says, and nothing without it.

An origin is never reflected unless it is declared. Browsers ask before most requests (a preflight); those they send
unasked, forms above all, are refused when they come from a page that may not call.
"""

from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from capably.plan.cors import ANY, Cors
from capably.plan.gate import Gate
from capably.plan.operation import Location, ServerPlan
from capably.plan.outcome import Fault, Headers
from capably.servers.http import Scope, Send
from capably.servers.rest_answer import Sent
from capably.servers.router import Match

_ALWAYS: Final = ("content-type", "authorization", "prefer", "if-none-match")
_READABLE: Final = ("etag", "retry-after", "x-request-id", "capably-ignored", "location", "content-disposition")
_UNASKED: Final = frozenset({"", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
"""Media types that pages may send anywhere without asking (Fetch standard, section 2.2.2)."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class CrossOrigin:
    """The rule of one server, and what follows from it."""

    def __init__(self, server: ServerPlan) -> None:
        """Write what does not depend on requests."""
        self.rule: Cors | None = server.cors
        if self.rule is None:
            return
        gates = (server.gate, *(item.gate for item in server.operations))
        taken = [*_ALWAYS, *_names(gates)]
        taken += [item.wire_name for op in server.operations for item in op.inputs if item.location is Location.HEADER]
        taken += [name for forward in server.forwards for name in forward.trusted]
        self._headers = ", ".join(dict.fromkeys(name.lower() for name in (*taken, *self.rule.headers)))
        told = [name for op in server.operations for name, _shape in op.answer.headers]
        self._exposed = ", ".join(dict.fromkeys(name.lower() for name in (*_READABLE, *told, *self.rule.exposed)))
        self._is_same_for_all = ANY in self.rule.origins

    def allows(self, origin: str) -> bool:
        """Whether pages of an origin may call."""
        return self.rule is not None and self.rule.allows(origin)

    def check(self, scope: Scope, sent: Sent) -> None:
        """Refuse what a page sends without asking and may not.

        Raises:
            Fault: status 403.
        """
        origin = sent.get(b"origin")
        if origin is None or scope["method"] in _SAFE:
            return
        kind = sent.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if kind in _UNASKED and not self._may_call(origin.decode("latin-1"), sent):
            detail = "the page that sent this is of another origin, and the document's `cors` does not name it"
            raise Fault(403, "wrong-origin", "The Origin header is not allowed", detail)

    def _may_call(self, origin: str, sent: Sent) -> bool:
        return self.allows(origin) or urlsplit(origin).netloc == sent.get(b"host", b"").decode("latin-1")

    def preflight(self, scope: Scope, sent: Sent, match: Match | None) -> Headers | None:
        """The answer to a browser that asks what a page may do; ``None`` when nobody asks, or for a page that may not.

        It is asked without credentials, so it comes before callers are (Fetch standard, section 3.2.2).
        """
        if self.rule is None or scope["method"] != "OPTIONS" or match is None:
            return None
        method, origin = sent.get(b"access-control-request-method"), sent.get(b"origin")
        if method is None or origin is None or not self.rule.allows(origin.decode("latin-1")):
            return None
        methods = match.allowed if match.forward is None else f"{match.allowed}, POST, PUT, PATCH, DELETE, GET, HEAD"
        return (
            ("access-control-allow-methods", ", ".join(dict.fromkeys(methods.split(", ")))),
            ("access-control-allow-headers", self._headers),
            ("access-control-max-age", str(self.rule.max_age_s)),
            ("vary", "access-control-request-method, access-control-request-headers"),
        )

    def telling(self, sent: Sent, send: Send) -> Send:
        """What answers are sent with: each says whether the page may read it, whatever else it is."""
        rule = self.rule
        if rule is None:
            return send
        fields = self._fields(sent)

        async def send_telling(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [field for field in message["headers"] if not field[0].startswith(b"access-control-allow-origin")]
                message["headers"] = [*own, *fields]
            await send(message)

        return send_telling

    def _fields(self, sent: Sent) -> list[tuple[bytes, bytes]]:
        rule = self.rule
        fields = [] if self._is_same_for_all else [(b"vary", b"origin")]
        origin = sent.get(b"origin")
        if rule is None or origin is None or not rule.allows(origin.decode("latin-1")):
            return fields
        fields.append((b"access-control-allow-origin", b"*" if self._is_same_for_all else origin))
        fields.append((b"access-control-expose-headers", self._exposed.encode()))
        if rule.credentials:
            fields.append((b"access-control-allow-credentials", b"true"))
        return fields


def _names(gates: tuple[Gate | None, ...]) -> list[str]:
    """Headers that callers prove themselves with."""
    asked = [place for gate in gates if gate is not None for place in sorted(gate.asked)]
    return [name for placement, name in asked if placement == "header"]
