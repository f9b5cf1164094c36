"""What tests of upstream calls say again and again: a request, the whole of a streamed body, and waiting."""

import asyncio
from collections.abc import Callable

from capably.upstream.reply import Reply
from capably.upstream.request import Request


def get(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Request:
    """A request; without more said, the plainest."""
    return Request(method, url, tuple(headers.items()), body)


async def body_of(reply: Reply) -> bytes:
    """The body of a reply that is a stream."""
    assert reply.stream is not None
    return b"".join([chunk async for chunk in reply.stream])


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; the test's own time limit ends it."""
    while not holds():  # noqa: ASYNC110 -- the upstream is no event
        await asyncio.sleep(0.005)
