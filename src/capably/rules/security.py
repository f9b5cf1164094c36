"""Rules about secrets and open doors."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from capably.diagnostics import Diagnostic, warning
from capably.expr.template import holes
from capably.model.auth import Authentication
from capably.model.capability import Capability
from capably.plan.compile import Compiled

_SECRETS = ("token", "value", "password")


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
        for key in _SECRETS:
            text = getattr(block, key)
            if text and not holes(text):
                message = f"the {key} is written in the document, where everybody can read it"
                advice = f"bind it: `{key}: '{{{{env.NAME}}}}'` with `binds:`"
                yield warning("SEC001", message, block.value_span(key), advice)


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
