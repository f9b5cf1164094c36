"""What callers are told when a forward fails, and what happens when they go away."""

import http.client
import socket
import threading
import time
from typing import Any

import pytest


def test_an_upstream_that_cannot_be_reached_is_a_502(serve: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        served = serve(base=f"http://127.0.0.1:{free.getsockname()[1]}")
        answer = served.call("POST", "/api/ships", b"x" * 100_000)
    assert (answer.status, answer.json["type"]) == (502, "urn:problem-type:capably:upstream-unreachable")
    assert "127.0.0.1" not in str(answer.json)


def test_an_upstream_that_does_not_answer_is_a_504(serve: Any, upstream: Any) -> None:
    upstream.act = lambda _handler: time.sleep(1)
    answer = serve(limits={"answer_s": 0.2}).call("POST", "/api/ships", b"x")
    assert (answer.status, answer.json["type"]) == (504, "urn:problem-type:capably:upstream-timeout")


def test_an_upstream_that_hangs_up_is_a_502(forward: Any, upstream: Any) -> None:
    upstream.act = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    assert forward.call("POST", "/api/ships", b"x").status == 502


def test_time_runs_only_while_it_is_the_upstream_s_turn(serve: Any, upstream: Any) -> None:
    served = serve(limits={"answer_s": 0.3})

    def slowly() -> Any:
        for _ in range(6):
            time.sleep(0.1)
            yield b"x" * 10

    assert served.call("PUT", "/api/ships", slowly()).status == 200
    assert upstream.only.body == b"x" * 60


def test_an_answer_that_breaks_off_is_cut_off(forward: Any, upstream: Any) -> None:
    def half(handler: Any) -> None:
        handler.answer(200, b"half", ("Content-Length", "8"))
        handler.connection.shutdown(socket.SHUT_RDWR)

    upstream.act = half
    connection = forward.connect()
    connection.request("GET", "/api/ships")
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as broken:
        response.read()
    assert broken.value.partial == b"half"
    connection.close()


def test_an_answer_before_the_body_ends_is_passed_on(forward: Any, upstream: Any) -> None:
    """An upstream that refuses a body does not read it; the caller hears of it all the same."""
    upstream.reads = False

    def refuse(handler: Any) -> None:
        handler.answer(413, b"too much", ("Connection", "close"))
        handler.close_connection = True

    upstream.act = refuse
    with socket.create_connection(("127.0.0.1", forward.port), timeout=10) as caller:
        caller.sendall(b"POST /api/ships HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\nahoy")
        assert caller.recv(1000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("phase", ["upload", "wait", "download"])
def test_a_caller_who_leaves_cancels_the_upstream_call(forward: Any, upstream: Any, phase: str) -> None:
    asked, gone = threading.Event(), threading.Event()
    upstream.reads = phase != "upload"

    def hold(handler: Any) -> None:
        if phase == "download":
            handler.answer(200, b"first", ("Content-Length", "100000000"))
        asked.set()
        if not _until_closed(handler.connection):
            return
        gone.set()

    upstream.act = hold
    caller = socket.create_connection(("127.0.0.1", forward.port), timeout=10)
    length = 100_000 if phase == "upload" else 4
    caller.sendall(f"POST /api/ships HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nahoy".encode())
    assert asked.wait(5)
    if phase == "download":
        assert caller.recv(100)
    caller.close()
    assert gone.wait(5)


def _until_closed(connection: socket.socket) -> bool:
    connection.settimeout(5)
    try:
        while connection.recv(1000):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True
