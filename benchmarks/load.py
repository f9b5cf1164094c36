"""Load generators: requests that vary, kept coming as fast as they are answered, or at a rate. Each answer is timed."""

import asyncio
import itertools
import random
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

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


async def asked(port: int, sent: bytes) -> str:
    """Send one request; the head of what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LONGEST_S)).decode("latin-1")
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


def run_at(port: int, message: Message, rate: float, seconds: float, connections: int) -> Answers:
    """Send so many requests per second at random moments (a Poisson process), whether those before are answered or not.

    An answer's time counts from when its request was due: one that had to wait for a connection waited.
    """
    answers, moments = Answers(), random.Random(rate)  # noqa: S311 -- no secret
    with _Connections(port, connections) as open_:
        due = begin = time.perf_counter()
        number = 0
        while due < begin + seconds or open_.waiting:
            left = due - time.perf_counter()
            if due < begin + seconds and left <= 0 and open_.free:
                open_.send(message(number), due)
                number += 1
                due += moments.expovariate(rate)
                left = 0.0
            is_full = not open_.free  # then only an answer lets anything happen
            for since in open_.answered(None if is_full else max(left, 0.0)):
                answers.times.append(time.perf_counter() - since)
    return answers


class _Connections:
    """Sockets that are asked one thing at a time, without a loop around them."""

    def __init__(self, port: int, count: int) -> None:
        self._stack = ExitStack()
        self._ready = self._stack.enter_context(select.epoll())
        self.free = [self._stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]
        self._sockets = {sock.fileno(): sock for sock in self.free}
        self.waiting: dict[int, tuple[float, bytes]] = {}
        for number, sock in self._sockets.items():
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ready.register(number, select.EPOLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def send(self, sent: bytes, due: float) -> None:
        """Send a request on a connection that is free."""
        sock = self.free.pop()
        sock.sendall(sent)
        self.waiting[sock.fileno()] = (due, b"")

    def answered(self, longest_s: float | None) -> Iterator[float]:
        """When those requests were due whose answers have come; waits so long for one, or for ever."""
        select.select([self._ready], (), (), longest_s)  # to the microsecond, which epoll does not
        for number, _events in self._ready.poll(0):
            due, began = self.waiting[number]
            came = self._sockets[number].recv(65536)
            told = began + came
            if not came or not told.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(told.decode("latin-1") or "a connection was closed")
            head, separator, body = told.partition(b"\r\n\r\n")
            if separator and len(body) == int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
                del self.waiting[number]
                self.free.append(self._sockets[number])
                yield due
            else:
                self.waiting[number] = (due, told)
