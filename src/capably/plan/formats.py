"""`outputRawFormat`, `outputSchema`, `outputMediaType` and `maxBinarySize` become a raw format."""

from capably.diagnostics import Diagnostic, did_you_mean, error, warning
from capably.model.consumes import ConsumedOperation
from capably.model.exposes import Exposed, Exposes, ExposesMcp, ExposesRest
from capably.model.fields import Record
from capably.payload.decode import FORMATS, PayloadError, Schema, compile_schema
from capably.plan.contract import bytes_stated, contract_of
from capably.plan.raw_format import JSON, MediaTypes, RawFormat
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
    written, stated = operation.output_raw_format, bytes_stated(exposed)
    name = (written or ("binary" if stated is not None else "json")).strip().lower()
    if name not in FORMATS:
        span = operation.value_span("outputRawFormat")
        found.append(error("OUT005", f"`{written}` is no format of answers", span, *did_you_mean(name, FORMATS)))
        return JSON
    if name != "binary" and stated is not None:
        message = f"bytes are stated, but what `{operation.name}` answers is read as {name}"
        advice = "write `outputRawFormat: binary` there, or remove what is stated here"
        found.append(warning("OUT009", message, stated, advice))
    if name == "binary":
        return RawFormat(name, None, _media_types(operation, exposed), _max_bytes(operation, server, found))
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


def _media_types(operation: ConsumedOperation, exposed: Exposed | None) -> MediaTypes:
    """What binary answers are told as: what the consumed operation says, else what the exposed one does."""
    stated = (operation.output_media_type or "").strip()
    if stated:
        return (("", (stated,)),)
    return tuple((item.status, item.binary) for item in contract_of(exposed) if item.is_success and item.binary)
