"""Rules about secrets and open doors."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from capably.diagnostics import Diagnostic, warning
from capably.document import Scalar
from capably.expr.template import holes
from capably.model.auth import SECRETS, Authentication
from capably.model.capability import Capability
from capably.plan.compile import Compiled

_ENDPOINTS = ("tokenEndpoint", "tokenUrl", "authorizationServerUri")


def _blocks(capability: Capability) -> Iterator[Authentication]:
    for entry in capability.consumes:
        if entry.authentication is not None:
            yield entry.authentication
        for resource in entry.resources:
            for operation in resource.operations:
                if operation.authentication is not None:
                    yield operation.authentication


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
    """A client's secret that travels unencrypted to the machine that gives tokens."""
    for block in _blocks(capability):
        for key in _ENDPOINTS:
            uri = _text(block, key)
            is_plain = uri.lower().startswith("http://") and not holes(uri, single=True)
            if is_plain and not _is_this_machine(urlsplit(uri).hostname or ""):
                message = f"tokens are asked for over plain http: {uri}"
                yield warning("SEC004", message, block.value_span(key), "use https")


def credentials_over_plain_http(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """Credentials that travel unencrypted to another machine."""
    for entry in capability.consumes:
        uri = entry.base_uri.strip()
        if entry.authentication is None or not uri.startswith("http://") or holes(uri, single=True):
            continue
        host = urlsplit(uri).hostname or ""
        if not _is_this_machine(host):
            message = f"credentials for `{entry.namespace}` are sent over plain http"
            yield warning("SEC002", message, entry.value_span("baseUri"), "use https")


def open_to_the_network(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """A server without authentication that other machines can reach."""
    for server in capability.exposes:
        address = server.address
        if address is not None and server.authentication is None and not _is_this_machine(address):
            message = f"`{server.namespace}` listens on {address} without authentication"
            advice = "whoever reaches it uses your credentials: listen on 127.0.0.1"
            yield warning("SEC003", message, server.value_span("address"), advice)


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
