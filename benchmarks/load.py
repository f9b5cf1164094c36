"""A load generator: keeps a number of connections busy with requests that vary, and times each answer."""

import asyncio
import time
from collections.abc import Callable

Message = Callable[[int], bytes]


async def _connection(port: int, numbers: list[int], message: Message, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for number in numbers:
            start = time.perf_counter()
            writer.write(message(number))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            times.append(time.perf_counter() - start)
    finally:
        writer.close()


async def run(port: int, message: Message, requests: int, connections: int) -> list[float]:
    """Send requests over so many connections; the seconds each answer took."""
    times: list[float] = []
    shares = [list(range(start, requests, connections)) for start in range(connections)]
    await asyncio.gather(*(_connection(port, share, message, times) for share in shares))
    return times
