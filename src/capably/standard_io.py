"""Standard input and output for a protocol: lines in, bytes out, and nothing else on standard output.

Whatever else is printed while they are taken, by us or by a library, goes to standard error.
"""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, TypeAlias

_CHUNK: Final = 64 * 1024

Write: TypeAlias = Callable[[bytes], Awaitable[None]]


@contextlib.contextmanager
def taken_output() -> Iterator[Write]:
    """Standard output, for whoever enters the context alone."""
    sys.stdout.flush()
    output = os.dup(1)
    os.dup2(2, 1)

    async def write(data: bytes) -> None:
        await asyncio.to_thread(_write_all, output, data)

    try:
        yield write
    finally:
        os.dup2(output, 1)
        os.close(output)


def _write_all(output: int, data: bytes) -> None:
    left = memoryview(data)
    with contextlib.suppress(BrokenPipeError):  # the client is gone; the end of its input tells as well
        while left:
            left = left[os.write(output, left) :]


async def input_lines(cap: int, stop: asyncio.Event) -> AsyncIterator[bytes | None]:
    """The lines of standard input, until it ends or ``stop`` is set; ``None`` stands for one over ``cap`` bytes.

    A thread reads: pipes, terminals and files are then alike, and a read that never ends keeps nobody waiting.
    """
    chunks: asyncio.Queue[bytes] = asyncio.Queue(4)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read, args=(loop, chunks), daemon=True, name="stdin").start()
    stopped: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
    held = bytearray()
    is_too_long = False
    try:
        while chunk := await _next(chunks, stopped):
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                held += part
                yield None if is_too_long or len(held) > cap else bytes(held)
                held.clear()
                is_too_long = False
            held += rest
            if len(held) > cap:
                held.clear()
                is_too_long = True
        if held:
            yield bytes(held)
    finally:
        stopped.cancel()


async def _next(chunks: "asyncio.Queue[bytes]", stopped: "asyncio.Future[Any]") -> bytes:
    """The next chunk; none when there is no more, or when we stop."""
    getting = asyncio.ensure_future(chunks.get())
    awaited: set[asyncio.Future[Any]] = {getting, stopped}
    try:
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        getting.cancel()
    return getting.result() if getting.done() and not getting.cancelled() else b""


def _read(loop: asyncio.AbstractEventLoop, chunks: "asyncio.Queue[bytes]") -> None:
    """Pass on what is read, an empty chunk at the end; no more is read than is taken."""
    with contextlib.suppress(RuntimeError, asyncio.CancelledError):  # the loop has ended before the input
        while True:
            try:
                chunk = os.read(0, _CHUNK)
            except OSError:
                chunk = b""
            asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
            if not chunk:
                return
