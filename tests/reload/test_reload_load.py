"""A hundred reloads while many clients call: no request is lost, and every answer is whole and of one generation."""

import asyncio
import gc
import json
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import mcp

if TYPE_CHECKING:
    from tests.reload.conftest import Numbers, Serve

RELOADS = 100
BETWEEN = 25  # answers, at least
ECHOING = 6  # callers whose calls go to the upstream: the generation that is served keeps a connection for each


class Load:
    """Calls that go on until they are told to stop; each answer is checked as it comes."""

    def __init__(self, numbers: "Numbers") -> None:
        self.numbers = numbers
        self.latest = 1  # the number that was asked to be served last
        self.served = 1  # the number that is served for certain
        self.stopped = False
        self.answers: dict[str, int] = {}
        self.generations: set[int] = set()

    async def again(self, name: str, call: Callable[[], Coroutine[Any, Any, set[int]]]) -> None:
        while not self.stopped:
            least = self.served
            said = await call()
            (number,) = said  # one number, whatever part of the answer says it
            assert least <= number <= self.latest, f"{name}: {number} is not of {least} to {self.latest}"
            self.generations.add(number)
            self.answers[name] = self.answers.get(name, 0) + 1


class KeptConnection:
    """HTTP/1.1 by hand on one connection: if it is ever closed or reset, the test fails."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
        self.reader, self.writer, self.path = reader, writer, path

    async def __call__(self) -> set[int]:
        self.writer.write(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return set(json.loads(await self.reader.readexactly(int(length.split(b":")[1]))).values())


async def connected(url: str, path: str) -> KeptConnection:
    host, _, port = url.removeprefix("http://").partition(":")
    return KeptConnection(*await asyncio.open_connection(host, int(port)), path)


def tool(client: mcp.Client, name: str) -> Callable[[], Coroutine[Any, Any, set[int]]]:
    async def call() -> set[int]:
        result = await client.call_tool(name, {})
        assert not result.is_error, result
        return set(json.loads(result.content[0].text).values())  # type: ignore[union-attr]

    return call


async def test_thousands_of_requests_during_a_hundred_reloads_and_none_fails(serve: "Serve") -> None:
    async with (
        serve() as numbers,
        mcp.Client(numbers.mcp, mode="legacy") as legacy,
        mcp.Client(numbers.mcp, mode="2026-07-28") as modern,
    ):
        load = Load(numbers)
        fresh = numbers.http

        async def new_connection() -> set[int]:
            async with fresh.get(numbers.rest + "/number", headers={"Connection": "close"}) as response:
                assert response.status == 200
                return set((await response.json()).values())

        kept = {
            f"rest-{at}": await connected(numbers.rest, path)
            for at, path in enumerate(["/number", "/number", "/echo"] * 4)
        }
        calls: dict[str, Callable[[], Coroutine[Any, Any, set[int]]]] = {
            **kept,
            "new connection": new_connection,
            "legacy tool": tool(legacy, "number"),
            "legacy call": tool(legacy, "echo"),
            "modern tool": tool(modern, "number"),
            "modern call": tool(modern, "echo"),
        }
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for name, call in calls.items():
                group.create_task(load.again(name, call))
            dead = await _reloaded_all_the_time(load)
            load.stopped = True
        took = time.monotonic() - began
        assert numbers.service.generation == RELOADS + 1
        assert sum(load.answers.values()) > 2000, load.answers
        assert min(load.answers.values()) > 10, load.answers
        assert len(load.generations) > RELOADS / 2, "most generations have answered somebody"
        assert took < 60
        for connection in kept.values():
            connection.writer.close()
        await _end_of_what_is_left(numbers, dead)


async def _reloaded_all_the_time(load: Load) -> list[weakref.ref[Any]]:
    """Reload again and again, with a bad document now and then; what stood behind the generations."""
    numbers = load.numbers
    seen: list[weakref.ref[Any]] = []
    for number in range(2, RELOADS + 2):
        seen += [weakref.ref(backing.runtime) for backing in numbers.service._generation.backings]
        if number % 10 == 0:
            numbers.file.write_text("ikanos: [", encoding="utf-8")
            verdict = await numbers.service.reload()
            assert verdict.is_refused
            assert [item.code for item in verdict.diagnostics] == ["DOC002"]
        load.latest = number
        verdict = await numbers.reload(number)
        assert verdict.standing == "applied", verdict
        load.served = number
        enough = sum(load.answers.values()) + BETWEEN
        while sum(load.answers.values()) < enough:  # noqa: ASYNC110 -- whoever answers counts
            await asyncio.sleep(0.001)
    return seen


async def _end_of_what_is_left(numbers: "Numbers", dead: list[weakref.ref[Any]]) -> None:
    """Runtimes of earlier generations are closed and forgotten, and so are their connections."""
    for _ in range(100):
        if numbers.service.retiring == 0 and numbers.echo.connections <= ECHOING:
            break
        await asyncio.sleep(0.05)
    assert numbers.service.retiring == 0
    assert numbers.echo.connections <= ECHOING
    gc.collect()
    assert sum(each() is not None for each in dead) <= 1
