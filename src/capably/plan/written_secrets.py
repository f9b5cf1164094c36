"""Secrets that a document writes out instead of binding them: they are told of, and hidden like all others."""

from base64 import b64encode
from collections.abc import Iterator

from capably.document import Scalar
from capably.expr.template import holes
from capably.model.auth import SECRETS, Authentication
from capably.model.capability import Capability
from capably.model.consumes import ConsumedOperation, Consumes
from capably.model.exposes import ExposedOperation, Exposes, ExposesRest
from capably.plan.variables import Variable, VariableKind

_SHORTEST = 8  # shorter ones are examples such as `secret`, which stand in other texts by chance


def blocks(capability: Capability) -> Iterator[Authentication]:
    """Every authentication block of a document."""
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


def written_out(capability: Capability) -> Iterator[tuple[Authentication, str]]:
    """The blocks and keys whose secret stands in the document."""
    for block in blocks(capability):
        for key in SECRETS:
            if _is_written_out(block, key):
                yield block, key


def written_secrets(capability: Capability) -> tuple[Variable, ...]:
    """Their values, as if each were the secret of its key."""
    found = ((key, text) for block, key in written_out(capability) for text in _sent_as(block, key))
    return tuple(Variable(key, VariableKind.SECRET, (), (), text) for key, text in found if len(text) >= _SHORTEST)


def _sent_as(block: Authentication, key: str) -> Iterator[str]:
    """A secret as it is written, and as basic authentication writes it (RFC 7617, section 2)."""
    yield text_of(block, key)
    if key == "password" and block.type.lower() == "basic":
        yield b64encode(f"{text_of(block, 'username')}:{text_of(block, key)}".encode()).decode("ascii")


def text_of(block: Authentication, key: str) -> str:
    """The text under a key, without blanks around it; empty when there is none."""
    node = block.node.get(key)
    return node.text.strip() if isinstance(node, Scalar) and node.value is not None else ""


def _is_written_out(block: Authentication, key: str) -> bool:
    text = text_of(block, key)
    if key == "privateKey":
        return text.startswith("-----BEGIN")  # anything else is the name of a file
    is_template = key == "value" and block.type.lower() == "hmac"
    return bool(text) and not holes(text) and not is_template
