"""Watches the files that clients have subscribed to, while there is anybody to hear of a change.

What a file's time and size say is looked at every few seconds, for subscribed addresses only; nothing runs while nobody
listens.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

from capably.plan.operation import ResourcePlan
from capably.servers.mcp_changes import Change, Changes
from capably.servers.mcp_files import FileError, path_at

_LOGGER: Final = logging.getLogger("capably.mcp")
_PERIOD_S: Final = 2.0

Stamp: TypeAlias = tuple[int, int] | None
"""When a file was changed last, in nanoseconds, and its size; ``None`` when there is no such file."""


class FileWatch:
    """Tells of changed files of one server."""

    def __init__(self, resources: Sequence[ResourcePlan], changes: Changes, period_s: float = _PERIOD_S) -> None:
        """Prepare; nothing is watched before somebody listens."""
        self._resources = _files(resources)
        self._changes = changes
        self._period_s = period_s
        self._listening = 0
        self._task: asyncio.Task[None] | None = None

    def look_at(self, resources: Sequence[ResourcePlan]) -> None:
        """Watch the files of these resources from now on."""
        self._resources = _files(resources)
        self._start()

    def _start(self) -> None:
        if self._task is None and self._listening and self._resources:
            self._task = asyncio.ensure_future(self._watch())

    @asynccontextmanager
    async def while_heard(self) -> AsyncIterator[None]:
        """Watch while the context lasts; several may overlap."""
        self._listening += 1
        self._start()
        try:
            yield
        finally:
            self._listening -= 1
            if not self._listening and self._task is not None:
                task, self._task = self._task, None
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _watch(self) -> None:
        known: dict[str, Stamp] = {}
        while True:
            try:
                present = await asyncio.to_thread(self._stamps, self._changes.watched)
            except Exception:
                _LOGGER.exception("subscribed files could not be looked at")
                present = known
            for uri, stamp in present.items():
                if uri in known and known[uri] != stamp:
                    self._changes.tell(Change.RESOURCE, uri)
            known = present
            await asyncio.sleep(self._period_s)

    def _stamps(self, watched: Collection[str]) -> dict[str, Stamp]:
        return dict(self._each(watched))

    def _each(self, watched: Collection[str]) -> Iterator[tuple[str, Stamp]]:
        for uri in watched:
            for resource in self._resources:
                if uri == resource.uri or uri.startswith(f"{resource.uri.rstrip('/')}/"):
                    try:
                        path = path_at(resource, uri)
                        found = path.stat() if path is not None else None
                    except (FileError, OSError):
                        found = None
                    yield uri, (found.st_mtime_ns, found.st_size) if found is not None else None


def _files(resources: Sequence[ResourcePlan]) -> tuple[ResourcePlan, ...]:
    return tuple(resource for resource in resources if resource.path is not None)
