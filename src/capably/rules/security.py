"""Rules about secrets and open doors."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from capably.diagnostics import Diagnostic, warning
from capably.document import Scalar
from capably.expr.template import holes
from capably.model.auth import SECRETS, Authentication
from capably.model.capability import Capability
from capably.model.consumes import ConsumedOperation, Consumes
from capably.model.control import ExposesControl
from capably.model.exposes import ExposedOperation, Exposes, ExposesMcp, ExposesRest
from capably.model.skills import ExposesSkill
from capably.plan.compile import Compiled
from capably.plan.gate import is_open
from capably.plan.loopback import is_loopback

_ENDPOINTS = ("tokenEndpoint", "tokenUrl", "authorizationServerUri", "jwksUri", "introspectionEndpoint")


def _blocks(capability: Capability) -> Iterator[Authentication]:
    stated: list[Consumes | ConsumedOperation | Exposes | ExposedOperation] = [
        *capability.consumes,
        *capability.exposes,
    ]
    stated += [operation for entry in capability.consumes for each in entry.resources for operation in each.operations]
    for server in capability.exposes:
        if isinstance(server, ExposesRest):
            stated += [operation for resource in server.resources for operation in resource.operations]
    for item in stated:
        if item.authentication is not None:
            yield item.authentication


def secret_in_the_document(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A secret that is written out instead of bound."""
    for block in _blocks(capability):
        for key in SECRETS:
            if _is_written_out(block, key):
                message = f"the {key} is written in the document, where everybody can read it"
                advice = f"bind it: `{key}: '{{{{env.NAME}}}}'` with `binds:`"
                yield warning("SEC001", message, block.value_span(key), advice)


def _is_written_out(block: Authentication, key: str) -> bool:
    text = _text(block, key)
    if key == "privateKey":
        return text.startswith("-----BEGIN")  # anything else is the name of a file
    is_template = key == "value" and block.type.lower() == "hmac"
    return bool(text) and not holes(text) and not is_template


def _text(block: Authentication, key: str) -> str:
    node = block.node.get(key)
    return node.text.strip() if isinstance(node, Scalar) and node.value is not None else ""


def tokens_over_plain_http(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """Secrets, tokens or keys that travel unencrypted between this machine and one that gives tokens."""
    for block in _blocks(capability):
        for key in _ENDPOINTS:
            uri = _text(block, key)
            is_plain = uri.lower().startswith("http://") and not holes(uri, single=True)
            if is_plain and not is_loopback(urlsplit(uri).hostname or ""):
                message = f"the authorization server is asked over plain http: {uri}"
                yield warning("SEC004", message, block.value_span(key), "use https")


def credentials_over_plain_http(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """Credentials that travel unencrypted to another machine."""
    for entry in capability.consumes:
        uri = entry.base_uri.strip()
        if entry.authentication is None or not uri.startswith("http://") or holes(uri, single=True):
            continue
        host = urlsplit(uri).hostname or ""
        if not is_loopback(host):
            message = f"credentials for `{entry.namespace}` are sent over plain http"
            yield warning("SEC002", message, entry.value_span("baseUri"), "use https")


def open_to_the_network(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A server without authentication that other machines can reach."""
    for server in capability.exposes:
        if isinstance(server, ExposesControl):
            continue  # that is an error: see plan/control.py
        address = server.address
        if address is not None and is_open(server.authentication) and not is_loopback(address):
            message = f"`{server.namespace}` listens on {address} without authentication"
            what = "reads the files of its skills" if isinstance(server, ExposesSkill) else "uses your credentials"
            advice = f"whoever reaches it {what}: listen on 127.0.0.1, or add `authentication`"
            yield warning("SEC003", message, server.value_span("address"), advice)


def authentication_over_stdio(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """An MCP server over stdio that asks for what nobody could send it."""
    for server in capability.exposes:
        if isinstance(server, ExposesMcp) and server.transport == "stdio" and server.authentication is not None:
            message = "over stdio callers are not authenticated: whoever starts the server may use it"
            advice = "remove `authentication`, or serve it with `transport: http`"
            yield warning("SEC005", message, server.key_span("authentication"), advice)
