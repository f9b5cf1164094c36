"""Content codings of answers: gzip, and br and zstd where their packages are there (`capably[compression]`).

Answers that a secret and a caller's words stand in together must not be compressed (BREACH): none with `Set-Cookie` is.
"""

import zlib
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

SMALLEST: Final = 1024
"""Bytes below which a coding gains nothing: the answer fits a packet anyway."""
INLINE: Final = 128 * 1024
"""Bytes up to which an answer is coded while other requests wait, which takes about a millisecond."""

Compress = Callable[[bytes], bytes]

_GZIP_LEVEL: Final = 5
_BROTLI_QUALITY: Final = 4
_ZSTD_LEVEL: Final = 3
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_ZSTD_MODULES: Final = ("compression.zstd", "backports.zstd")


def _gzip(body: bytes) -> bytes:
    """One gzip member without a time, so that equal bodies are equal when coded (RFC 1952, section 2.3)."""
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(body) + compressor.flush()


def _brotli() -> Compress | None:
    if find_spec("brotli") is None:
        return None
    module: Any = import_module("brotli")
    return lambda body: bytes(module.compress(body, quality=_BROTLI_QUALITY))


def _zstd() -> Compress | None:
    for name in _ZSTD_MODULES:
        try:
            module: Any = import_module(name)
        except ImportError:
            continue
        return lambda body: bytes(module.compress(body, _ZSTD_LEVEL))
    return None


@cache
def codings() -> dict[str, Compress]:
    """Codings by name, the best first; what is not installed is not among them."""
    found = {"zstd": _zstd(), "br": _brotli(), "gzip": _gzip}
    return {name: compress for name, compress in found.items() if compress is not None}


@lru_cache(maxsize=256)
def is_compressible(media_type: str) -> bool:
    """Whether bodies of a media type become smaller: text does, pictures and archives are compressed already."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return False
    return kind.startswith("text/") or kind in _COMPRESSIBLE or kind.endswith(("+json", "+xml", "+yaml"))


_COMPRESSIBLE: Final = frozenset(
    {
        *("application/json", "application/xml", "application/yaml", "application/javascript", "application/x-ndjson"),
        *("application/graphql", "application/sql", "application/wasm", "image/bmp", "application/x-yaml"),
    }
)
