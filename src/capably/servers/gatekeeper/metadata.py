"""The metadata of protected resources over HTTP: all that callers may read without being asked who they are."""

from typing import Final

from capably.plan.gate_oauth2 import OAuthGate
from capably.plan.operation import ServerPlan
from capably.plan.outcome import Fault
from capably.servers.gatekeeper.challenges import metadata_documents
from capably.servers.http import Application, Limits, Receive, Scope, Send, check_origin, send_body, send_fault

_ALLOW: Final = (("allow", "GET, HEAD, OPTIONS"),)
_CORS: Final = (("access-control-allow-origin", "*"),)
"""Clients in web pages of any origin may read where to authenticate (RFC 9728, section 3.1; Fetch, section 3.2)."""
_PREFLIGHT: Final = (
    *_CORS,
    ("access-control-allow-methods", "GET, HEAD"),
    ("access-control-allow-headers", "*"),
    ("access-control-max-age", "86400"),
)
_FRESH: Final = (("cache-control", "max-age=300"),)


def with_metadata(app: Application, limits: Limits, *servers: ServerPlan) -> Application:
    """The application of servers, with the metadata that their OAuth gates need in front of it."""
    gates = [gate for server in servers for gate in (server.gate, *(operation.gate for operation in server.operations))]
    documents = metadata_documents(gate for gate in gates if isinstance(gate, OAuthGate))
    if not documents:
        return app

    async def publish(scope: Scope, receive: Receive, send: Send) -> None:
        document = documents.get(scope["path"]) if scope["type"] == "http" else None
        if document is None:
            await app(scope, receive, send)
            return
        try:
            check_origin(scope, limits)
            await _answer(scope["method"], document, send)
        except Fault as fault:
            await send_fault(send, fault, head=scope["method"] == "HEAD")

    return publish


async def _answer(method: str, document: bytes, send: Send) -> None:
    if method == "OPTIONS":
        await send_body(send, 204, None, b"", (*_ALLOW, *_PREFLIGHT))
    elif method in {"GET", "HEAD"}:
        await send_body(send, 200, "application/json", document, (*_CORS, *_FRESH), head=method == "HEAD")
    else:
        detail = f"the metadata can be read, not {method}"
        raise Fault(405, "method-not-allowed", "The method is not allowed here", detail, headers=_ALLOW)
