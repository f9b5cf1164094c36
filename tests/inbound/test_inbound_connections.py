"""Connections over real sockets: kept, pipelined, throttled, timed out, drained, cut."""

import asyncio
import contextlib
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.inbound.conftest import Serve, answers_in, echo, talk

from capably.inbound.caps import Caps
from capably.inbound.server import Server
from capably.servers.http import (
    DISCONNECT,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    StreamBrokenError,
    read_body,
    until_answered,
)

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BIG = 3_000_000


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def start(send: Send, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def add(send: Send, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    async with serve(echo) as port:
        raw = await talk(port, b"".join(GET % number for number in range(300)) + LAST)
    answers = answers_in(raw, *["GET"] * 301)
    assert [each.body.split(b"\n")[0] for each in answers[:300]] == [b"GET /%d" % number for number in range(300)]
    assert [each.header(b"connection") for each in answers] == [None] * 300 + [b"close"]


async def test_http_1_0_is_kept_open_only_when_it_asks(serve: Serve) -> None:
    kept = b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    async with serve(echo) as port:
        first, second = answers_in(await talk(port, kept + b"GET /2 HTTP/1.0\r\n\r\n"), "GET", "GET")
    assert (first.header(b"connection"), second.header(b"connection")) == (b"keep-alive", b"close")


async def test_a_stream_to_http_1_0_ends_with_its_connection(serve: Serve) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await start(send)
        await add(send, b"one", more=True)
        await add(send, b"two")

    async with serve(app) as port:
        raw = await talk(port, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    (answer,) = answers_in(raw, "GET")
    assert (answer.body, answer.header(b"transfer-encoding")) == (b"onetwo", None)


async def test_head_tells_the_length_and_sends_nothing(serve: Serve) -> None:
    async with serve(echo) as port:
        head, get = answers_in(await talk(port, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + LAST), "HEAD", "GET")
    assert (head.header(b"content-length"), head.body) == (b"12", b"")
    assert get.status == 200


async def test_a_wish_for_another_protocol_is_passed_over(serve: Serve) -> None:
    wish = b"POST /%d HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc"
    async with serve(echo) as port:
        first, second, last = answers_in(await talk(port, wish % 1 + wish % 2 + LAST), "POST", "POST", "GET")
    assert [each.body[:7] for each in (first, second, last)] == [b"POST /1", b"POST /2", b"GET /la"]


async def test_a_caller_that_waits_to_be_asked_for_its_body_is_asked_when_the_application_reads(serve: Serve) -> None:
    async with serve(echo) as port, connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hello" + LAST)
        first, _last = answers_in(await reader.read(-1), "POST", "GET")
    assert first.body.endswith(b"\nhello")


async def test_a_caller_that_is_answered_without_being_asked_for_its_body_cannot_go_on(serve: Serve) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send, 403, (b"content-length", b"2"))
        await add(send, b"no")

    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    async with serve(app) as port:
        (answer,) = answers_in(await talk(port, head), "POST")
    assert (answer.status, answer.header(b"connection")) == (403, b"close")


async def test_an_answer_before_the_end_of_a_large_body_reaches_its_caller(serve: Serve) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await start(send, 413, (b"content-length", b"0"))
        await add(send, b"")

    async with serve(app) as port, connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * BIG)
        (answer,) = answers_in(await asyncio.wait_for(reader.read(-1), 5), "POST")
    assert (answer.status, answer.header(b"connection")) == (413, b"close")


async def test_a_body_that_is_not_read_waits_with_its_sender(serve: Serve) -> None:
    may_read = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await may_read.wait()
        await start(send, 200)
        await add(send, b"%d" % len(await read_body(scope, receive, 10 * BIG)))

    async with serve(app) as port, connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (5 * BIG))
        writer.write(b"x" * (5 * BIG))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await writer.drain()
        may_read.set()
        (answer,) = answers_in(await asyncio.wait_for(reader.read(-1), 10), "POST")
    assert answer.body == b"%d" % (5 * BIG)


async def test_an_answer_that_is_not_read_waits_with_its_application(serve: Serve) -> None:
    sent = 0

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await receive()
        await start(send)
        for _ in range(100):
            await add(send, b"x" * 1_000_000, more=True)
            sent += 1
        await add(send, b"")

    async with serve(app) as port, connected(port) as (_reader, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(GET % 1)
        await asyncio.sleep(0.3)
        assert sent < 50


async def test_the_head_of_a_stream_goes_out_before_its_first_part(serve: Serve) -> None:
    go_on = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await start(send, 200, (b"content-type", b"text/event-stream"))
        await go_on.wait()
        await add(send, b"data: 1\n\n")

    async with serve(app) as port, connected(port) as (reader, writer):
        writer.write(LAST)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        go_on.set()
        (answer,) = answers_in(head + await reader.read(-1), "GET")
    assert answer.body == b"data: 1\n\n"


@pytest.mark.parametrize("is_heard", [True, False])
async def test_an_application_learns_that_its_caller_is_gone(serve: Serve, *, is_heard: bool) -> None:
    learned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            learned.set()
            raise

    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        await read_body(scope, receive, 10)
        if is_heard:
            assert DISCONNECT in scope["extensions"]
            await until_answered(scope, receive, work())
        else:
            assert (await receive())["type"] == "http.disconnect"
            learned.set()

    async with serve(app) as port:
        async with connected(port) as (_reader, writer):
            writer.write(GET % 1)
            await writer.drain()
            await asyncio.sleep(0.1)
        await asyncio.wait_for(learned.wait(), 5)


@given(
    event=st.sampled_from(["goes on", "leaves", "is cancelled"]),
    ending=st.sampled_from([None, ValueError, asyncio.CancelledError]),
)
@settings(deadline=None)
async def test_work_ends_the_same_however_the_leaving_of_its_caller_is_heard_of(
    event: str, ending: type[BaseException] | None
) -> None:
    assume(event != "is cancelled" or ending is asyncio.CancelledError)  # else the work hides that it was cancelled

    async def told(*, is_called: bool) -> tuple[list[str], str]:
        go_on, left, seen = asyncio.Event(), asyncio.Event(), []
        listeners: set[Callable[[], object]] = set()

        async def receive() -> dict[str, str]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def work() -> None:
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                seen.append("cleaned up")
            if ending is not None:
                raise ending

        async def answered() -> int:
            scope = {"extensions": {DISCONNECT: listeners} if is_called else {}}
            with contextlib.suppress(ValueError):
                await until_answered(scope, receive, work())
                seen.append("answered")
            task = asyncio.current_task()
            assert task is not None
            return task.cancelling()

        task = asyncio.create_task(answered())
        await asyncio.sleep(0.001)
        if event == "goes on":
            go_on.set()
        elif event == "is cancelled":
            task.cancel()
        else:
            left.set()
            for leave in tuple(listeners):
                leave()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        return seen, repr(ended)

    assert await told(is_called=True) == await told(is_called=False)


async def test_a_body_that_breaks_off_is_no_body(serve: Serve) -> None:
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        try:
            await read_body(scope, receive, 100)
        except ClientGoneError as gone:
            seen.append(gone)
            raise

    async with serve(app) as port:
        async with connected(port) as (_reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
            await writer.drain()
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
    assert len(seen) == 1


@pytest.mark.parametrize("is_begun", [True, False])
async def test_an_application_that_breaks_down_gives_500_or_cuts_its_answer(
    serve: Serve, caplog: pytest.LogCaptureFixture, *, is_begun: bool
) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if is_begun:
            await start(send, 200, (b"content-length", b"10"))
            await add(send, b"half", more=True)
        raise RuntimeError("no way on")

    async with serve(app) as port:
        raw = await talk(port, GET % 1)
    assert "GET /1 failed" in caplog.text
    if is_begun:
        assert b"\r\n\r\nhalf" in raw or raw == b""
    else:
        (answer,) = answers_in(raw, "GET")
        assert (answer.status, answer.header(b"connection")) == (500, b"close")


async def test_a_stream_that_breaks_off_is_cut_without_a_word(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await start(send, 200)
        await add(send, b"half", more=True)
        raise StreamBrokenError("told already")

    with caplog.at_level(logging.DEBUG, "capably.inbound"):
        async with serve(app) as port:
            raw = await talk(port, GET % 1)
    assert not raw.endswith(b"0\r\n\r\n")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([(b"content-length", b"2")], b"three"),
        ([(b"content-length", b"9")], b"three"),
        ([(b"x", b"a\r\nset-cookie: b")], b""),
        ([(b"x\n", b"a")], b""),
        ([(b"content-length", b"many")], b""),
    ],
)
async def test_an_answer_that_would_mislead_its_reader_is_not_sent(
    headers: list[tuple[bytes, bytes]], body: bytes, serve: Serve
) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await start(send, 200, *headers)
        await add(send, body)

    async with serve(app) as port:
        raw = await talk(port, GET % 1)
    assert b"200" not in raw


@pytest.mark.parametrize(
    ("caps", "sent", "status"),
    [
        (Caps(head_s=0.5), b"GET / HTTP/1.1\r\nHost:", 408),
        (Caps(body_s=0.5), b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", 408),
        (Caps(idle_s=0.5), b"", None),
    ],
)
async def test_a_caller_that_is_too_slow_is_told_and_let_go(
    caps: Caps, sent: bytes, status: int | None, serve: Serve
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await read_body(scope, receive, 100)
        except ClientGoneError:
            return
        await echo(scope, receive, send)

    async with serve(app, caps) as port:
        began = time.monotonic()
        raw = await talk(port, sent)
        assert 0.4 < time.monotonic() - began < 4
    if status is None:
        assert raw == b""
    else:
        assert answers_in(raw, "POST")[0].status == status


async def test_a_head_that_drips_has_no_more_time_than_one_that_does_not(serve: Serve) -> None:
    async with serve(echo, Caps(head_s=1.0)) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n")
        for number in range(60):
            writer.write(b"X-%d: y\r\n" % number)
            await asyncio.sleep(0.1)
            if reader.at_eof() or reader._buffer:  # type: ignore[attr-defined]
                break
        assert number < 50
        assert answers_in(await reader.read(-1), "GET")[0].status == 408


async def test_more_connections_than_allowed_are_told_that_there_are_too_many(serve: Serve) -> None:
    async with serve(echo, Caps(connections=2)) as port:
        async with connected(port), connected(port):
            await asyncio.sleep(0.05)
            (refused,) = answers_in(await talk(port, GET % 1), "GET")
        await asyncio.sleep(0.1)
        (taken,) = answers_in(await talk(port, LAST), "GET")
    assert (refused.status, taken.status) == (503, 200)


async def test_more_requests_than_it_works_on_are_put_off_and_streams_are_none_of_them(serve: Serve) -> None:
    released = asyncio.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/stream":
            await start(send)
        await released.wait()
        if scope["path"] != "/stream":
            await start(send)
        await add(send, b"done")

    def get(path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode()

    async with serve(app, Caps(concurrency=2)) as port, AsyncExitStack() as stack:

        async def ask(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await stack.enter_async_context(connected(port))
            writer.write(get(path))
            return reader, writer

        for _ in range(5):
            reader, _writer = await ask("/stream")
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        worked_on = [await ask("/") for _ in range(2)]
        await asyncio.sleep(0.05)
        busy, busy_writer = await ask("/")
        head = (await busy.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 503")
        assert b"\r\nretry-after: 1\r\n" in head
        body = json.loads(await busy.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0])))
        assert body["title"] == "The server is busy"
        released.set()
        for reader, _writer in worked_on:
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        busy_writer.write(get("/"))  # its connection is as good as before
        assert (await busy.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")


async def test_a_server_that_ends_closes_idle_connections_and_answers_what_is_open() -> None:
    release = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await release.wait()
        await start(send, 200, (b"content-length", b"2"))
        await add(send, b"ok")

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = Server(app)
    await server.start(listener)
    async with connected(port) as (idle, _), connected(port) as (busy, writer):
        writer.write(GET % 1)
        await writer.drain()
        await asyncio.sleep(0.05)
        (open_request,) = server.open_requests
        ending = asyncio.create_task(server.end(10))
        assert await asyncio.wait_for(idle.read(-1), 5) == b""
        assert not ending.done()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)
        release.set()
        (answer,) = answers_in(await asyncio.wait_for(busy.read(-1), 5), "GET")
        await asyncio.wait_for(ending, 5)
    assert (answer.body, answer.header(b"connection")) == (b"ok", b"close")
    assert open_request.done()
    assert server.open_requests == frozenset()


async def test_what_does_not_end_in_time_is_cut(serve: Serve) -> None:
    ended = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    stack = AsyncExitStack()
    port = await stack.enter_async_context(serve(app, drain_s=0.1))
    async with connected(port) as (reader, writer):
        writer.write(GET % 1)
        await writer.drain()
        await asyncio.sleep(0.05)
        await asyncio.wait_for(stack.aclose(), 5)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(-1), 5) == b""
    assert ended.is_set()
