"""Event streams come through as they come, and nobody is kept busy for a caller who has left."""

import asyncio
import http.client
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import mcp
import pytest

if TYPE_CHECKING:
    from tests.conftest import Act, Upstream
    from tests.serve.conftest import Serve, Served

RUNS = "/v1/threads/t1/runs"
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "aimlapi-get-runs", "arguments": {"threadId": "t1"}},
}
MCP_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def until(done: threading.Event) -> bool:
    return done.wait(5)


def ask(port: int, method: str, path: str, body: bytes = b"") -> socket.socket:
    """A request on a connection that the test closes when it likes."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in MCP_HEADERS.items())
    connection.sendall(f"{head}{fields}\r\n".encode() + body)
    return connection


def test_the_first_event_arrives_before_the_last_is_sent(bundled: "Served", upstream: "Upstream") -> None:
    stream = upstream.stream("first ☃")
    connection = http.client.HTTPConnection("127.0.0.1", bundled.rest, timeout=10)
    connection.request("POST", RUNS, json.dumps({"stream": True}), {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert (response.status, response.getheader("content-type")) == (200, "text/event-stream")
    assert response.readline() + response.readline() == "data: first ☃\n\n".encode()
    for number in range(3):
        stream.send_event(str(number))
        assert response.readline() + response.readline() == f"data: {number}\n\n".encode()
    stream.end()
    assert response.read() == b""
    connection.close()
    assert json.loads(upstream.only.body) == {"stream": True}


def test_a_connection_that_carried_a_stream_can_be_used_again(bundled: "Served", upstream: "Upstream") -> None:
    stream = upstream.stream("only")
    connection = http.client.HTTPConnection("127.0.0.1", bundled.rest, timeout=10)
    connection.request("POST", RUNS)
    response = connection.getresponse()
    stream.end()
    assert response.read() == b"data: only\n\n"
    connection.request("GET", RUNS)
    assert connection.getresponse().read() == b'{"ok": true}'
    connection.close()


def test_a_long_pause_between_events_is_no_timeout(serve: "Serve", upstream: "Upstream") -> None:
    served = serve(answer_s=0.2)
    stream = upstream.stream("first")
    connection = http.client.HTTPConnection("127.0.0.1", served.rest, timeout=10)
    connection.request("POST", RUNS)
    response = connection.getresponse()
    assert response.readline() == b"data: first\n"
    time.sleep(0.4)
    stream.send_event("second")
    stream.end()
    assert response.read() == b"\ndata: second\n\n"
    connection.close()


def test_an_event_stream_that_is_an_error_keeps_its_status(bundled: "Served", upstream: "Upstream") -> None:
    event = b'event: error\ndata: {"message": "no such thread"}\n\n'
    upstream.answer(404, event, {"Content-Type": "text/event-stream"})
    answer = bundled.call("POST", RUNS, {"stream": True})
    assert (answer.status, answer.body) == (404, event)


@pytest.mark.parametrize("way", ["broken off", "silent"])
def test_a_stream_that_fails_is_cut_and_not_ended_as_if_it_were_whole(
    serve: "Serve", upstream: "Upstream", way: str
) -> None:
    served = serve(stream_idle_s=0.2)
    stream = upstream.stream("first")
    connection = http.client.HTTPConnection("127.0.0.1", served.rest, timeout=10)
    connection.request("POST", RUNS)
    response = connection.getresponse()
    assert response.readline() == b"data: first\n"
    if way == "broken off":
        assert stream.connection is not None
        stream.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    assert until(stream.gone)


def test_the_upstream_is_let_go_when_the_reader_of_a_stream_leaves(bundled: "Served", upstream: "Upstream") -> None:
    stream = upstream.stream("first")
    connection = ask(bundled.rest, "POST", RUNS)
    assert b"200 OK" in connection.recv(1000)
    assert not stream.gone.is_set()
    connection.close()
    assert until(stream.gone)


def test_head_does_not_wait_for_a_stream_to_end(bundled: "Served", upstream: "Upstream") -> None:
    stream = upstream.stream("first")
    answer = bundled.call("HEAD", RUNS)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"", "text/event-stream")
    assert until(stream.gone)


@pytest.mark.parametrize("kind", ["rest", "mcp"])
def test_the_upstream_is_let_go_when_the_caller_does_not_wait(
    bundled: "Served", upstream: "Upstream", kind: str
) -> None:
    held = upstream.play(b"", hold=True)
    if kind == "rest":
        connection = ask(bundled.rest, "GET", RUNS)
    else:
        connection = ask(int(bundled.mcp.rpartition(":")[2]), "POST", "/mcp", json.dumps(CALL).encode())
    assert until(held.asked)
    assert not held.gone.wait(0.1)
    connection.close()
    assert until(held.gone)


def test_the_upstream_is_let_go_when_a_tool_reads_a_stream_and_its_caller_leaves(
    bundled: "Served", upstream: "Upstream"
) -> None:
    stream = upstream.stream("first")
    connection = ask(int(bundled.mcp.rpartition(":")[2]), "POST", "/mcp", json.dumps(CALL).encode())
    stream.send_event("second")
    assert not stream.gone.wait(0.1)
    connection.close()
    assert until(stream.gone)


def test_a_caller_that_leaves_while_sending_is_no_error_and_calls_nothing(
    bundled: "Served", upstream: "Upstream", caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", bundled.rest), timeout=5) as connection:
        connection.sendall(f"POST {RUNS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{{".encode())
        time.sleep(0.05)
    assert bundled.call("GET", RUNS).status == 200
    assert upstream.only.method == "GET"
    assert caplog.records == []


async def test_the_upstream_is_let_go_when_the_official_client_gives_up(
    bundled: "Served", upstream: "Upstream"
) -> None:
    held = upstream.play(b"", hold=True)
    async with mcp.Client(bundled.mcp) as client:
        call = asyncio.create_task(client.call_tool("aimlapi-get-runs", {"threadId": "t1"}))
        assert await asyncio.to_thread(until, held.asked)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await asyncio.to_thread(until, held.gone)


async def test_a_tool_gives_a_stream_as_one_text(bundled: "Served", upstream: "Upstream") -> None:
    stream = upstream.stream('{"status": "queued"}')

    def rest_of_it() -> None:
        stream.send_event('{"status": "completed"}')
        stream.end()

    async with mcp.Client(bundled.mcp) as client:
        calling = client.call_tool("aimlapi-create-run", {"threadId": "t1", "body": {"stream": True}})
        result, _none = await asyncio.gather(calling, asyncio.to_thread(rest_of_it))
    assert not result.is_error
    texts = [getattr(block, "text", "") for block in result.content]
    assert '"queued"' in "".join(texts)
    assert '"completed"' in "".join(texts)


async def test_many_slow_calls_do_not_wait_for_each_other(bundled: "Served", upstream: "Upstream") -> None:
    held: list[Act] = [upstream.play(b"", hold=True) for _ in range(150)]
    url = f"http://127.0.0.1:{bundled.rest}{RUNS}"

    async def one(session: aiohttp.ClientSession) -> Any:
        async with session.get(url) as response:
            return await response.json()

    def let_go() -> bool:
        if not all(until(act.asked) for act in held):
            return False
        for act in held:
            act.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
            act.over.set()
        return True

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        calls = [asyncio.create_task(one(session)) for _ in held]
        assert await asyncio.to_thread(let_go)
        assert await asyncio.gather(*calls) == [[]] * len(held)
