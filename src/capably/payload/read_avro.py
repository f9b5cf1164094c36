"""Avro: one record in raw binary, read by the operation's schema; or a container file, which brings its own.

The encoding is read here and not by a library: those in C end the process when a body nests too deep, and none can be
told how much a body may unpack to.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any

from capably.payload.avro_schema import Read, compile_reader
from capably.payload.avro_wire import Wire
from capably.payload.contract import Budget, Payload, PayloadError


def compile_schema(text: str) -> Read:
    """Compile an Avro schema (`.avsc`).

    Raises:
        PayloadError: it is not one.
    """
    return compile_reader(text)


def decode(payload: Payload) -> Any:
    """The record; of a container file, the list of its records.

    Raises:
        PayloadError: there is no schema, the body is not of it, or it holds too much.
    """
    wire = Wire(payload.body, payload.limits, Budget(payload.limits.max_values))
    if payload.body.startswith(_MAGIC):
        return _container(wire)
    if payload.schema is None:
        raise PayloadError("Avro can only be read by its schema: name the schema's file in `outputSchema`")
    value = payload.schema(wire)
    if wire.left:
        raise PayloadError(f"the body is not Avro of this schema: {wire.left:,} bytes are left behind the record")
    return value


def _container(wire: Wire) -> list[Any]:
    """Object container files (specification 1.12): a header, then blocks of records, each packed on its own."""
    wire.take(len(_MAGIC))
    header = dict(_pairs(wire))
    mark = wire.take(_MARK_SIZE)
    read = compile_reader(header.get("avro.schema", b""))
    unpack = _unpacker(header.get("avro.codec", b"null"))
    records: list[Any] = []
    room = wire.limits.max_bytes
    while wire.left:
        count = wire.long()
        block = Wire(unpack(wire.blob(), room), wire.limits, wire.budget)
        room -= block.left
        for _ in range(count):
            wire.budget.take(1)
            records.append(read(block))
        if block.left or wire.take(_MARK_SIZE) != mark:
            raise PayloadError("the body is a damaged Avro file: a block does not end where it should")
    return records


def _pairs(wire: Wire) -> list[tuple[str, bytes]]:
    pairs = []
    while count := wire.block():
        for _ in range(count):
            wire.budget.take(1)
            pairs.append((wire.text(), wire.blob()))
    return pairs


def _unpacker(codec: bytes) -> Callable[[bytes, int], bytes]:
    name = codec.decode(errors="replace")
    if name not in _CODECS:
        known = ", ".join(_CODECS)
        raise PayloadError(f"the body is an Avro file packed with `{name[:40]}`, which is not read; {known} are")
    unpack = _CODECS[name]

    def within(data: bytes, room: int) -> bytes:
        try:
            found = unpack(data, room + 1)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
            raise PayloadError(f"the body is a damaged Avro file: a block is not packed with {name}") from None
        if len(found) > room:
            raise PayloadError("the body is an Avro file that unpacks to more than is read")
        return found

    return within


def _inflate(data: bytes, most: int) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most)


_MAGIC = b"Obj\x01"
_MARK_SIZE = 16
_LZMA_MEMORY = 128 * 1024 * 1024
_CODECS: dict[str, Callable[[bytes, int], bytes]] = {
    "null": lambda data, _most: data,
    "deflate": _inflate,
    "bzip2": lambda data, most: bz2.BZ2Decompressor().decompress(data, most),
    "xz": lambda data, most: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(data, most),
}
