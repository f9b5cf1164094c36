"""Watching: documents are reloaded when a file they are made of has changed.

Files are looked at, twice a second; nothing is subscribed to. That works on every file system, in containers and over
the network, and for editors that write a new file in the place of the old one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from capably.sources import Stamp, stamps_of

_PERIOD_S: Final = 0.5
_REST_S: Final = 0.1
"""How long files must look the same before they are read: they may be half written."""
_MOST_RESTS: Final = 50


async def watch(
    files: Callable[[], Iterable[Path]], reload: Callable[[], Awaitable[object]], read_at: float = 0.0
) -> None:
    """Reload whenever files have changed, until cancelled.

    Args:
        files: which files count now.
        reload: what to do then.
        read_at: when the documents were read first, in seconds since 1970: what changed after that is news.
    """
    known = {file: stamp for file, stamp in (await _look(files)).items() if not _is_news(stamp, read_at)}
    while True:
        await asyncio.sleep(_PERIOD_S)
        now = await _look(files)
        if now == known:
            continue
        for _ in range(_MOST_RESTS):
            await asyncio.sleep(_REST_S)
            before, now = now, await _look(files)
            if now == before:
                break
        await reload()
        # What changed while it was read counts as a change since.
        known = {**await _look(files), **now}
        known = {file: known[file] for file in await asyncio.to_thread(_listed, files)}


async def _look(files: Callable[[], Iterable[Path]]) -> Mapping[Path, Stamp]:
    return await asyncio.to_thread(lambda: stamps_of(files()))


def _is_news(stamp: Stamp, read_at: float) -> bool:
    return stamp is not None and read_at > 0 and stamp[0] / 1e9 >= read_at


def _listed(files: Callable[[], Iterable[Path]]) -> list[Path]:
    return list(files())
