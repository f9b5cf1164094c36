"""`outputRawFormat`, `outputSchema`, `outputMediaType` and `maxBinarySize` become a raw format."""

from collections.abc import Iterator

from capably.diagnostics import Diagnostic, did_you_mean, error, warning
from capably.document import Mapping, Scalar
from capably.model.consumes import ConsumedOperation
from capably.model.exposes import Exposed, ExposedOperation, Exposes, ExposesMcp, ExposesRest
from capably.model.fields import Record
from capably.payload.decode import FORMATS, PayloadError, Schema, compile_schema
from capably.plan.raw_format import JSON, RawFormat
from capably.plan.read_file import ReadFile
from capably.scalars import read_size

_SCHEMA_FILES = frozenset({"avro", "protobuf"})
DEFAULT_MAX_BYTES = 10 * 2**20
"""The most a binary answer holds when the document says nothing."""


def compile_format(
    operation: ConsumedOperation,
    server: Exposes | None,
    exposed: Exposed | None,
    read: ReadFile,
    found: list[Diagnostic],
) -> RawFormat:
    """How the answers of an operation are read when a server calls it for an exposed one, or a flow in a step."""
    written = operation.output_raw_format
    name = (written or "json").strip().lower()
    if name not in FORMATS:
        span = operation.value_span("outputRawFormat")
        found.append(error("OUT005", f"`{written}` is no format of answers", span, *did_you_mean(name, FORMATS)))
        return JSON
    if name == "binary":
        return RawFormat(name, None, _media_type(operation, exposed), _max_bytes(operation, server, found))
    return RawFormat(name, _schema(name, operation, read, found))


def _schema(name: str, operation: ConsumedOperation, read: ReadFile, found: list[Diagnostic]) -> Schema | None:
    written = operation.output_schema
    if written is None or not written.strip():
        if name in _SCHEMA_FILES:
            message = f"{name} cannot be read without its schema"
            advice = "add `outputSchema:` with the schema's file"
            found.append(warning("OUT006", message, operation.value_span("outputRawFormat"), advice))
        return None
    span = operation.value_span("outputSchema")
    if not FORMATS[name].takes_schema:
        message = f"`outputSchema` says nothing about {name}: it is ignored"
        found.append(warning("OUT006", message, span, "remove it, or change `outputRawFormat`"))
        return None
    try:
        return compile_schema(name, read(written, span) if name in _SCHEMA_FILES else written)
    except OSError as problem:
        found.append(error("OUT006", f"the schema cannot be read: {problem}", span, "files are relative to this one"))
    except PayloadError as problem:
        found.append(error("OUT006", f"the schema cannot be used: {problem}", span))
    return None


def _max_bytes(operation: ConsumedOperation, server: Exposes | None, found: list[Diagnostic]) -> int:
    """The operation's cap, else the server's, else the default."""
    if operation.max_binary_size:
        return _size(operation.max_binary_size, operation, found)
    return max_bytes_of(server, found)


def max_bytes_of(server: Exposes | None, found: list[Diagnostic]) -> int:
    """The most that a binary answer of a server holds, in bytes."""
    written = server.max_binary_size if isinstance(server, ExposesRest | ExposesMcp) else None
    return _size(written, server, found) if server is not None and written else DEFAULT_MAX_BYTES


def _size(written: str, record: Record, found: list[Diagnostic]) -> int:
    size = read_size(written)
    if size is None:
        message = f"`{written}` is no size"
        found.append(error("OUT007", message, record.value_span("maxBinarySize"), "such as 512KiB, 10MiB or 1GiB"))
        return DEFAULT_MAX_BYTES
    return size


def _media_type(operation: ConsumedOperation, exposed: Exposed | None) -> str | None:
    stated = (operation.output_media_type or "").strip()
    if stated:
        return stated
    return next(_declared_media_types(exposed), None) if isinstance(exposed, ExposedOperation) else None


def _declared_media_types(exposed: ExposedOperation) -> Iterator[str]:
    """Media types of binary answers that `responseBinary` and `responses` declare."""
    short = exposed.response_binary
    if isinstance(short, Mapping) and isinstance(stated := short.get("mediaType"), Scalar):
        yield stated.text
    responses = exposed.responses.entries.values() if isinstance(exposed.responses, Mapping) else ()
    for response in responses:
        content = response.value.get("content") if isinstance(response.value, Mapping) else None
        for media_type, entry in (content.entries if isinstance(content, Mapping) else {}).items():
            binary = entry.value.get("binary") if isinstance(entry.value, Mapping) else None
            if isinstance(binary, Scalar) and binary.value is True:
                yield media_type
