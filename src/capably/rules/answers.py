"""Rules about what a document states of its answers."""

from collections.abc import Iterator

from capably.diagnostics import Diagnostic, warning
from capably.model.capability import Capability
from capably.model.exposes import ExposedOperation, ExposesRest, StatedResponse
from capably.plan.compile import Compiled
from capably.plan.contract import is_media_type, is_status, schema_fault


def answer_misstated(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """What `responses` and `responseBinary` say that cannot be so: it is left aside."""
    servers = (server for server in capability.exposes if isinstance(server, ExposesRest))
    for resource in (resource for server in servers for resource in server.resources):
        for operation in resource.operations:
            yield from _of_operation(operation)


def _of_operation(operation: ExposedOperation) -> Iterator[Diagnostic]:
    short = operation.response_binary
    if short is not None and operation.responses:
        span = operation.key_span("responses")
        yield warning(
            "OUT009", "`responses` and `responseBinary` are two ways to say one thing", span, "keep one of them"
        )
    if short is not None and short.status is not None and not is_status(short.status):
        yield warning("OUT009", f"`{short.status}` is no status", short.value_span("status"), _STATUSES)
    if short is not None and short.media_type is not None and not is_media_type(short.media_type):
        message = f"`{short.media_type}` is no media type"
        yield warning("OUT009", message, short.value_span("mediaType"), _MEDIA_TYPES)
    for status, response in (operation.responses or {}).items():
        if not is_status(status):
            yield warning("OUT009", f"`{status}` is no status", response.node.span, _STATUSES)
        yield from _of_response(response)


_STATUSES = "write a status such as 200, or 2XX for a class of them"
_MEDIA_TYPES = "write one such as image/png"


def _of_response(response: StatedResponse) -> Iterator[Diagnostic]:
    for kind, media in (response.content or {}).items():
        if not is_media_type(kind):
            yield warning("OUT009", f"`{kind}` is no media type", media.node.span, _MEDIA_TYPES)
        fault = schema_fault(media)
        if fault is not None:
            message = f"this schema cannot be used: {fault}"
            yield warning("OUT009", message, media.value_span("schema"), "see JSON Schema 2020-12")
