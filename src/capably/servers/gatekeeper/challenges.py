"""Refusals, and the metadata that leads a client to the authorization server (RFC 6750, RFC 9728)."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from capably.plan.gate import Gate, SecretGate
from capably.plan.gate_oauth2 import METADATA_PATH, OAuthGate
from capably.plan.outcome import Fault, Headers
from capably.plan.principal import Principal

UNKNOWN = ("unauthorized", "The caller is not known")


def unknown_caller(gate: SecretGate) -> Fault:
    """The refusal of a request without the right secret (RFC 9110, section 15.5.2)."""
    what = f"the {gate.placement} `{gate.name}`" if not gate.scheme else f"{gate.scheme} credentials"
    headers: Headers = (("www-authenticate", gate.challenge),) if gate.challenge else ()
    return Fault(401, *UNKNOWN, f"send {what} that this server accepts", headers=headers)


def no_token(gate: OAuthGate, needed: Collection[str]) -> Fault:
    """The refusal of a request without a token: no error code, for nothing was wrong (RFC 6750, section 3.1)."""
    detail = f"send `Authorization: Bearer` with an access token of {gate.issuer} for {gate.resource}"
    return Fault(401, *UNKNOWN, detail, headers=_challenge(gate, needed))


def bad_token(gate: OAuthGate, needed: Collection[str], reason: str) -> Fault:
    """The refusal of a token that is not good; ``reason`` is one of our own sentences."""
    headers = _challenge(gate, needed, ("error", "invalid_token"), ("error_description", reason))
    return Fault(401, "invalid-token", "The access token is not accepted", reason, headers=headers)


def insufficient_scope(gate: OAuthGate, needed: Collection[str]) -> Fault:
    """The refusal of a good token that grants too little (MCP 2025-11-25, Authorization: Scope Challenge Handling)."""
    scope = " ".join(_scopes(gate, needed))
    reason = f"this needs a token with the scope {scope}"
    headers = _challenge(gate, needed, ("error", "insufficient_scope"), ("error_description", reason))
    return Fault(403, "insufficient-scope", "The access token grants too little", reason, headers=headers)


def allow(gate: Gate | None, principal: Principal, needed: Collection[str]) -> None:
    """Refuse a caller that was let in, but not for this.

    Raises:
        Fault: status 403, with the challenge that names the scopes.
    """
    if isinstance(gate, OAuthGate) and not principal.may(needed):
        raise insufficient_scope(gate, needed)


def _scopes(gate: OAuthGate, needed: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*gate.scopes, *needed)))


def _challenge(gate: OAuthGate, needed: Collection[str], *parameters: tuple[str, str]) -> Headers:
    """``WWW-Authenticate`` (RFC 6750, section 3; RFC 9728, section 5.1); its values need no escaping."""
    scope = " ".join(_scopes(gate, needed))
    told = [*parameters, ("resource_metadata", gate.metadata_url), *((("scope", scope),) if scope else ())]
    return (("www-authenticate", "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told)),)


def metadata_documents(gates: Iterable[OAuthGate]) -> Mapping[str, bytes]:
    """The metadata of protected resources by path (RFC 9728, section 3).

    The one of the first gate is also at the well-known path itself, for clients that look there alone.
    """
    documents: dict[str, bytes] = {}
    for gate in gates:
        document = _metadata(gate)
        documents.setdefault(gate.metadata_path, document)
        documents.setdefault(METADATA_PATH, document)
    return documents


def _metadata(gate: OAuthGate) -> bytes:
    scopes = {"scopes_supported": list(gate.offered)} if gate.offered else {}
    return msgspec.json.encode(
        {
            "resource": gate.resource,
            "authorization_servers": [gate.issuer],
            **scopes,
            "bearer_methods_supported": ["header"],
        }
    )
