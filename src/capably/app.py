"""The composition root: documents become running servers, and end cleanly."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from capably.examine import Examined
from capably.opening import RefusedError, open_documents
from capably.servers.desk import Listener
from capably.service import Service
from capably.settings import Settings

__all__ = ["Listener", "RefusedError", "Service", "open_documents", "running"]


@asynccontextmanager
async def running(
    documents: Sequence[Examined], settings: Settings, stop: asyncio.Event | None = None
) -> AsyncIterator[list[Listener]]:
    """Serve documents while the context lasts; leaving it drains the servers.

    Args:
        documents: what to serve.
        settings: how to serve it.
        stop: set when the client of a server over stdio has gone: whoever serves waits for it.

    Raises:
        CommandError: an address cannot be listened on.
    """
    async with Service(documents, settings, stop) as service:
        yield list(service.listeners)
