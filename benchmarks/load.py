"""A load generator: keeps a number of connections busy with requests that vary, and times each answer."""

import asyncio
import time
from collections.abc import Callable

Message = Callable[[int], bytes]


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode("latin-1"))
    told = head.lower()
    if b"content-length:" in told:
        return await reader.readexactly(int(told.split(b"content-length:")[1].split(b"\r\n")[0]))
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(chunks)


async def _connection(port: int, numbers: list[int], message: Message, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16 * 1024 * 1024)
    try:
        for number in numbers:
            start = time.perf_counter()
            writer.write(message(number))
            body = await _answer(reader)
            if b'"isError":true' in body:
                raise RuntimeError(body.decode())
            times.append(time.perf_counter() - start)
    finally:
        writer.close()


async def run(port: int, message: Message, requests: int, connections: int) -> list[float]:
    """Send requests over so many connections; the seconds each answer took."""
    times: list[float] = []
    shares = [list(range(start, requests, connections)) for start in range(connections)]
    await asyncio.gather(*(_connection(port, share, message, times) for share in shares if share))
    return times
