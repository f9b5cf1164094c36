"""Connections of HTTP/1.1 while calls are cancelled, answered early or cut off: none is lost, none serves two."""

import asyncio
import random
import socket
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.upstream.calls import body_of, get, until

from capably.upstream.client import Client, ClientLimits
from capably.upstream.connection import Connection
from capably.upstream.pool import Pool
from capably.upstream.reply import Trouble, UpstreamError
from capably.upstream.request import Request

if TYPE_CHECKING:
    from tests.upstream.conftest import Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"


@asynccontextmanager
async def calling(**limits: float) -> AsyncIterator[tuple[Client, Pool]]:
    """A client, its pool, and the certainty that no task is left."""
    before = asyncio.all_tasks()
    async with Pool(limits.get("connect_s", 5.0)) as pool, Client(ClientLimits(**limits), pool) as client:  # type: ignore[arg-type]
        yield client, pool
    await until(lambda: not [task for task in asyncio.all_tasks() - before if "upstream" in repr(task.get_coro())])
    assert not pool._open


def racing(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object] = lambda: None) -> asyncio.Event:
    """An event for whoever is to run when an answer has come, before the call that waits for it does."""
    come = asyncio.Event()
    received = Connection.data_received

    def receive(self: Connection, data: bytes) -> None:
        come.set()
        received(self, data)
        then()

    monkeypatch.setattr(Connection, "data_received", receive)
    return come


async def test_a_connection_whose_answer_nobody_has_read_yet_serves_the_next_call(wire: "Wire") -> None:
    size = 400_000

    async def answer(reader: Reader, writer: Writer) -> None:
        await wire.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, bytes(size)))
        while True:
            await wire.request(reader)
            writer.write(OK)

    async with wire.listening(answer), calling(answer_s=2) as (client, pool):
        reply = await client.open(get(wire.url))
        assert reply.stream is not None
        chunks, taken = aiter(reply.stream), 0
        await asyncio.sleep(0.05)
        while not pool._idle.get(pool.way(wire.url, None)):  # until it is whole, which takes a reader if it is slow
            taken += len(await anext(chunks))
            await asyncio.sleep(0.01)
        for _ in range(2):
            assert (await client.send(get(wire.url))).body == b"ok"
        async for chunk in chunks:
            taken += len(chunk)
        assert taken == size
    assert wire.connections == 1


async def test_a_connection_taken_over_at_once_has_the_deadline_of_its_new_call(
    wire: "Wire", monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer_once(reader: Reader, writer: Writer) -> None:
        await wire.request(reader)
        writer.write(OK)
        await wire.request(reader)
        await reader.read()

    come = racing(monkeypatch)
    async with wire.listening(answer_once), calling(answer_s=0.3) as (client, _pool):
        first = asyncio.ensure_future(client.send(get(wire.url)))
        await come.wait()
        with pytest.raises(UpstreamError) as caught:
            async with asyncio.timeout(3):
                await client.send(get(wire.url))
        assert caught.value.trouble is Trouble.TIMEOUT
        assert (await first).body == b"ok"
    assert wire.connections == 1


async def test_a_call_cancelled_when_its_answer_is_there_leaves_the_connection_to_the_next(
    wire: "Wire", monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await wire.request(reader)
        writer.write(OK)
        await wire.request(reader)
        await asyncio.sleep(0.05)
        writer.write(OK)

    async def parts() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.sleep(0.01)
        yield b"2"

    async with wire.listening(answer), calling() as (client, _pool):
        first = asyncio.ensure_future(client.send(get(wire.url)))
        come = racing(monkeypatch, first.cancel)
        await come.wait()
        request = Request("POST", wire.url, (("Content-Length", "2"),), None)
        reply = await client.open(request, body=parts())
        assert await body_of(reply) == b"ok"
        assert first.cancelled()
    assert (wire.bodies, wire.connections) == ([b"", b"12"], 1)


@asynccontextmanager
async def unanswered() -> AsyncIterator[int]:
    """A port at which no connection is accepted any more."""
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for each in (one, two):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        yield full.getsockname()[1]


@pytest.mark.parametrize("is_closed", [False, True], ids=["cancelled", "closed"])
@pytest.mark.parametrize("phase", ["connect", "handshake", "tunnel", "send", "upload", "wait", "read", "stream"])
async def test_a_call_that_is_given_up_in_any_phase_leaves_nothing(
    wire: "Wire", phase: str, *, is_closed: bool
) -> None:
    is_given_up = asyncio.Event()
    said = {"read": b"HTTP/1.1 200 OK\r\n\r\nhalf", "stream": EVENTS}.get(phase, b"")

    async def hold(reader: Reader, writer: Writer) -> None:
        if phase in {"wait", "read", "stream"}:
            await wire.request(reader)
            writer.write(said)
        else:
            await is_given_up.wait()
        while await reader.read(65536):
            pass

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    async def call(client: Client, port: int) -> None:
        scheme = "https" if phase in {"handshake", "tunnel"} else "http"
        request = get(f"{scheme}://127.0.0.1:{port}/", "POST", bytes(20_000_000) if phase == "send" else None)
        reply = await (client.open(request, body=parts()) if phase == "upload" else client.send(request))
        async with aclosing(reply.stream):  # type: ignore[type-var]
            await body_of(reply)

    async with wire.listening(hold), unanswered() as nobody, calling(connect_s=0.5) as (client, pool):
        if phase == "tunnel":
            pool._proxies = {"https": wire.url}
        task = asyncio.ensure_future(call(client, nobody if phase == "connect" else wire.port))
        await asyncio.sleep(0.1)
        assert not task.done()
        if is_closed:
            await pool.aclose()
        else:
            task.cancel()
        is_given_up.set()
        async with asyncio.timeout(0.3):
            (problem,) = await asyncio.gather(task, return_exceptions=True)
        assert type(problem) is (UpstreamError if is_closed else asyncio.CancelledError)
        await until(lambda: wire.ended == wire.connections and not pool._open and not pool._opening)
    assert wire.connections == (0 if phase == "connect" else 1)


async def test_under_churn_no_get_is_lost_and_no_post_is_sent_twice(wire: "Wire") -> None:
    chance = random.Random(7)  # noqa: S311 -- nothing secret
    posted: list[bytes] = []

    async def answer_or_leave(reader: Reader, writer: Writer) -> None:
        for count in range(chance.randrange(1, 9)):
            head = await wire.request(reader)
            posted.extend([wire.bodies[-1]] if head.startswith(b"POST") else [])
            if count and chance.random() < 0.1:
                return  # without an answer
            path = head.split(b" ")[1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))
            if chance.random() < 0.1:
                writer.write_eof()
            await asyncio.sleep(chance.choice((0, 0, 0.001)))

    async def call(client: Client, caller: int) -> int:
        lost = 0
        for count in range(30):
            name = f"/{caller}/{count}"
            assert (await client.send(get(f"{wire.url}{name}"))).body == name.encode()
            try:
                assert (await client.send(get(f"{wire.url}{name}", "POST", name.encode()))).body == name.encode()
            except UpstreamError:
                lost += 1
        return lost

    async with wire.listening(answer_or_leave), calling() as (client, _pool):
        lost = sum(await asyncio.gather(*(call(client, caller) for caller in range(20))))
    assert len(posted) == len(set(posted))
    assert 600 - len(posted) <= lost < 200


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "streaming"])
async def test_an_answer_that_comes_before_the_request_is_sent_is_taken_and_its_connection_is_not(
    wire: "Wire", *, is_whole: bool
) -> None:
    async def refuse(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        await asyncio.sleep(5)  # and does not read on

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    async with wire.listening(refuse), calling(answer_s=2) as (client, _pool):
        for _ in range(2):
            request = get(wire.url, "POST", bytes(20_000_000) if is_whole else None)
            reply = await client.open(request, body=None if is_whole else parts())
            assert (reply.status, await body_of(reply)) == (413, b"no")
    assert wire.connections == 2


async def test_a_body_that_fails_when_the_answer_has_begun_ends_the_answer(wire: "Wire") -> None:
    is_read = asyncio.Event()

    async def answer_early(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(EVENTS)
        await reader.read()

    async def failing() -> AsyncIterator[bytes]:
        yield b"half"
        await is_read.wait()
        raise LookupError

    async with wire.listening(answer_early), calling(stream_idle_s=5) as (client, _pool):
        reply = await client.open(get(wire.url, "POST"), body=failing())
        assert reply.stream is not None
        chunks = aiter(reply.stream)
        assert await anext(chunks) == b"data: 1\n\n"
        is_read.set()
        with pytest.raises(UpstreamError, match="closed before the answer was whole"):
            await anext(chunks)


async def test_a_304_tells_the_length_of_another_answer(wire: "Wire") -> None:
    unchanged = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"
    async with wire.listening(wire.saying(unchanged, OK)), calling(answer_bytes=100) as (client, _pool):
        reply = await client.send(Request("GET", wire.url, (("If-None-Match", '"1"'),), None))
        assert (reply.status, reply.header("content-length"), reply.body) == (304, "1000", b"")
        assert (await client.send(get(wire.url))).body == b"ok"
    assert wire.connections == 1


async def test_what_an_interim_answer_says_is_not_said_of_the_answer(wire: "Wire") -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\n\r\nall of it"
    async with wire.listening(wire.saying(early + answer)), calling() as (client, _pool):
        reply = await client.send(get(wire.url))
    assert (reply.stream, reply.body) == (None, b"all of it")


async def test_a_connection_with_a_body_where_none_may_be_is_not_used_again(wire: "Wire") -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 200 OK\r\n"
    async with wire.listening(wire.saying(answer, OK)), calling() as (client, _pool):
        for _ in range(2):
            assert (await client.send(get(wire.url, "HEAD"))).body == b""
    assert wire.connections == 2


@pytest.mark.parametrize("place", ["header", "trailer", "extension", "interim"])
async def test_what_is_said_beside_the_body_has_an_end(wire: "Wire", place: str) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
    before, more = {
        "header": (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
        "trailer": (chunked + b"0\r\nX: ", b"x" * 1000),
        "extension": (chunked + b"1;x=", b"x" * 1000),
        "interim": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    }[place]
    said = 0

    async def go_on(reader: Reader, writer: Writer) -> None:
        nonlocal said
        await wire.request(reader)
        writer.write(before)
        while not writer.is_closing():
            writer.write(more * 100)
            said += len(more) * 100
            await writer.drain()

    async with wire.listening(go_on), calling(answer_s=5) as (client, _pool):
        with pytest.raises(UpstreamError, match="its headers are too large"):
            await client.send(get(wire.url))
        await until(lambda: wire.ended)
    assert said < 20_000_000


async def test_a_redirect_within_an_origin_keeps_its_user_and_is_encoded(wire: "Wire") -> None:
    async def move(reader: Reader, writer: Writer) -> None:
        await wire.request(reader)
        place = f"http://127.0.0.1:{wire.port}/über there?a=%20|b#c"
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
        await wire.request(reader)
        writer.write(OK)

    async with wire.listening(move), calling() as (client, _pool):
        assert (await client.send(get(f"http://ada:love@127.0.0.1:{wire.port}/"))).body == b"ok"
    assert wire.heads[1].startswith(b"GET /%C3%BCber%20there?a=%20|b HTTP/1.1\r\n")
    assert all(b"\r\nAuthorization: Basic YWRhOmxvdmU=\r\n" in head for head in wire.heads)


async def test_many_origins_do_not_stay_in_memory(wire: "Wire", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capably.upstream.pool._MOST_WAYS", 3)
    async with Pool(1.0) as pool:
        for number in range(10):
            pool._alone.add(pool.way(f"https://{number}.test", None))
        assert len(pool._alone) <= 3


async def test_a_client_that_closes_while_it_connects_asks_nothing(wire: "Wire") -> None:
    async with wire.listening(wire.saying(OK)), Pool(5.0) as pool:
        async with Client(ClientLimits(), pool) as client:
            call = asyncio.ensure_future(client.send(get(wire.url)))
            await asyncio.sleep(0)
        with pytest.raises(UpstreamError, match="the client was closed"):
            await call
    assert not wire.heads
