"""Load generators: requests that vary, kept coming as fast as they are answered, or at a rate. Each answer is timed."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Message = Callable[[int], bytes]

LONGEST_S = 30.0
"""An answer that takes longer is an error."""


@dataclass(slots=True)
class Answers:
    """What came: the seconds each good answer took, and how many were refused with 503."""

    times: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)

    def slowest(self, share: float) -> float:
        """The seconds within which so many of the good answers came, such as 0.99."""
        return sorted(self.times)[min(int(len(self.times) * share), len(self.times) - 1)]


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    if status not in {200, 503}:
        raise RuntimeError(head.decode("latin-1"))
    told = head.lower()
    if b"content-length:" in told:
        return status, await reader.readexactly(int(told.split(b"content-length:")[1].split(b"\r\n")[0]))
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return status, b"".join(chunks)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes, since: float, answers: Answers
) -> None:
    writer.write(sent)
    status, body = await asyncio.wait_for(_answer(reader), LONGEST_S)
    if b'"isError":true' in body:
        raise RuntimeError(body.decode())
    (answers.times if status == 200 else answers.refusals).append(time.perf_counter() - since)


async def _connection(port: int, numbers: Iterator[int], message: Message, answers: Answers) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16 * 1024 * 1024)
    try:
        for number in numbers:
            await _exchange(reader, writer, message(number), time.perf_counter(), answers)
    finally:
        writer.close()


async def run(port: int, message: Message, requests: int, connections: int) -> Answers:
    """Send so many requests over so many connections, each as soon as the one before it is answered."""
    answers = Answers()
    numbers = iter(range(requests))
    await asyncio.gather(*(_connection(port, numbers, message, answers) for _ in range(min(connections, requests))))
    return answers


async def run_for(port: int, message: Message, seconds: float, connections: int) -> Answers:
    """The same for so many seconds."""
    answers, end = Answers(), time.perf_counter() + seconds
    count = itertools.count()

    def numbers() -> Iterator[int]:
        while time.perf_counter() < end:
            yield next(count)

    await asyncio.gather(*(_connection(port, numbers(), message, answers) for _ in range(connections)))
    return answers


async def run_at(port: int, message: Message, rate: float, seconds: float, connections: int) -> Answers:
    """Send so many requests per second, whether those before are answered or not.

    An answer's time counts from when its request was due: one that had to wait for a connection waited.
    """
    answers, begin = Answers(), time.perf_counter()
    numbers = iter(range(int(rate * seconds)))

    async def share() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16 * 1024 * 1024)
        try:
            for number in numbers:
                due = begin + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                await _exchange(reader, writer, message(number), due, answers)
        finally:
            writer.close()

    await asyncio.gather(*(share() for _ in range(connections)))
    return answers
