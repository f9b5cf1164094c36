"""The formats an upstream may answer in: the one table of them, and the way in to their readers.

Readers are modules with ``decode(payload)`` and, where `outputSchema` means something, ``compile_schema(text)``. They
are imported when a format is first used, so a format nobody uses costs nothing.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from capably.payload.contract import MEBIBYTE, Limits, Payload, PayloadError, Schema

__all__ = ["FORMATS", "Decoder", "Limits", "PayloadError", "Schema", "as_list", "compile_schema", "decode_payload"]


@dataclass(frozen=True, slots=True)
class Decoder:
    """How a format is read."""

    module: str
    extra: str | None = None  # what `pip install 'capably[...]'` has to name
    takes_schema: bool = False
    max_bytes: int = 16 * MEBIBYTE  # a bound on time: slower readers are given less


FORMATS: Mapping[str, Decoder] = MappingProxyType(
    {
        "json": Decoder("read_json"),
        "xml": Decoder("read_xml"),
        "yaml": Decoder("read_yaml"),
        "csv": Decoder("read_delimited"),
        "tsv": Decoder("read_delimited"),
        "psv": Decoder("read_delimited"),
        "avro": Decoder("read_avro", takes_schema=True),
        "protobuf": Decoder("read_protobuf", extra="protobuf", takes_schema=True),
        "html": Decoder("read_html", extra="html", takes_schema=True),
        "markdown": Decoder("read_markdown", extra="markdown", takes_schema=True, max_bytes=MEBIBYTE),
        "text": Decoder("read_plain"),
        "binary": Decoder("read_plain"),
    }
)


def decode_payload(
    format: str,  # noqa: A002 -- the word of the language: `outputRawFormat`
    body: bytes,
    *,
    media_type: str | None = None,
    schema: Schema | None = None,
    limits: Limits | None = None,
) -> Any:
    """Read an upstream's body.

    Args:
        format: a name of `FORMATS`, in any case.
        body: the bytes, decoded from their content encoding.
        media_type: the content type; text formats take the charset from it.
        schema: what `compile_schema` made of the operation's `outputSchema`.
        limits: how much is read; formats that take long to read have a smaller size limit of their own.

    Returns:
        A value that JSON can say.

    Raises:
        PayloadError: the body cannot be read, is too large, or the format is not known or not installed.
    """
    name, decoder = _decoder(format)
    limits = limits or _LIMITS
    if limits.max_bytes > decoder.max_bytes:
        limits = replace(limits, max_bytes=decoder.max_bytes)
    if len(body) > limits.max_bytes:
        raise PayloadError(
            f"the body is larger than {_size(limits.max_bytes)}, which is the most that is read of {name}"
        )
    if schema is not None and schema.format != name:
        raise PayloadError(f"a schema of the format `{schema.format}` cannot be used to read {name}")
    reader = _reader(name, decoder)
    try:
        return reader.decode(Payload(name, body, media_type, schema and schema.compiled, limits))
    except RecursionError:
        raise PayloadError("the body is nested too deep") from None


def compile_schema(format: str, text: str | bytes) -> Schema:  # noqa: A002 -- as above
    """Compile what `outputSchema` names: an Avro schema, a `.proto` file, a CSS selector or the start of a heading.

    Raises:
        PayloadError: it is not one, or the format takes none.
    """
    name, decoder = _decoder(format)
    if not decoder.takes_schema:
        takers = ", ".join(f"`{name}`" for name, decoder in FORMATS.items() if decoder.takes_schema)
        raise PayloadError(f"the format `{name}` takes no schema; {takers} do")
    reader = _reader(name, decoder)
    try:
        source = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        return Schema(name, reader.compile_schema(source))
    except UnicodeDecodeError:
        raise PayloadError("the schema is not UTF-8 text") from None
    except RecursionError:
        raise PayloadError("the schema is nested too deep") from None


def as_list(value: Any) -> list[Any]:
    """The value where a list is declared: XML cannot tell a list of one from a value, nor an empty list from none."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _decoder(name: str) -> tuple[str, Decoder]:
    decoder = FORMATS.get(name.lower())
    if decoder is None:
        raise PayloadError(f"the format `{name[:40]}` is not known; the formats are {', '.join(FORMATS)}")
    return name.lower(), decoder


def _reader(name: str, decoder: Decoder) -> Any:
    try:
        return importlib.import_module(f"capably.payload.{decoder.module}")
    except ModuleNotFoundError as missing:
        if decoder.extra is None or (missing.name or "").startswith("capably"):
            raise
        raise PayloadError(f"to read {name}, install what it needs: pip install 'capably[{decoder.extra}]'") from None


_LIMITS = Limits()


def _size(count: int) -> str:
    return f"{count // MEBIBYTE} MiB" if count >= MEBIBYTE else f"{count:,} bytes"
