"""Rules about secrets and open doors."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from capably.diagnostics import Diagnostic, warning
from capably.expr.template import holes
from capably.model.capability import Capability
from capably.model.control import ExposesControl
from capably.model.exposes import ExposesMcp
from capably.model.skills import ExposesSkill
from capably.plan.compile import Compiled
from capably.plan.gate import is_open
from capably.plan.loopback import is_loopback
from capably.plan.written_secrets import blocks, text_of, written_out

_ENDPOINTS = ("tokenEndpoint", "tokenUrl", "authorizationServerUri", "jwksUri", "introspectionEndpoint")


def secret_in_the_document(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A secret that is written out instead of bound."""
    for block, key in written_out(capability):
        message = f"the {key} is written in the document, where everybody can read it"
        advice = f"bind it: `{key}: '{{{{env.NAME}}}}'` with `binds:`"
        yield warning("SEC001", message, block.value_span(key), advice)


def tokens_over_plain_http(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """Secrets, tokens or keys that travel unencrypted between this machine and one that gives tokens."""
    for block in blocks(capability):
        for key in _ENDPOINTS:
            uri = text_of(block, key)
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
