"""Stopping: a signal ends new calls, lets open ones end, and the process leaves with 0."""

import json
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.asking import Answer
    from tests.conftest import Upstream
    from tests.serve.conftest import Process, Serve, Start

RUNS = "/v1/threads/t1/runs"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
PARAMS = {"name": "aimlapi-get-runs", "arguments": {"threadId": "t1"}}
TOOL_CALL = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": PARAMS}).encode()
signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)


@pytest.fixture
def process(start: "Start", given: dict[str, Any]) -> "Process":
    return start("serve", *given["arguments"], env=given["env"], ready=True)


def test_an_idle_server_leaves_at_once_though_callers_keep_their_connections(process: "Process") -> None:
    with socket.create_connection(("127.0.0.1", process.served.rest), timeout=5) as connection:
        connection.sendall(f"GET {RUNS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert b"200 OK" in connection.recv(1000)
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 3
    assert "stopping" in process.stderr
    assert "ERROR" not in process.stderr
    assert "Traceback" not in process.stderr


@signals
def test_an_open_call_ends_with_its_answer_while_new_ones_are_refused(
    process: "Process", upstream: "Upstream", number: signal.Signals
) -> None:
    held = upstream.play(b"", hold=True)
    served = process.served
    answers: list[Answer] = []
    caller = threading.Thread(target=lambda: answers.append(served.call("GET", RUNS)))
    caller.start()
    assert held.asked.wait(10)
    process.popen.send_signal(number)
    for port in (served.rest, int(served.mcp.split(":")[2].partition("/")[0])):
        assert refuses(port)
    held.send(OK + b'{"late": false}')
    held.over.set()
    caller.join()
    assert process.end() == 0
    (answer,) = answers
    assert (answer.status, answer.json) == (200, {"late": False})


@pytest.mark.parametrize("busy", ["rest", "mcp"])
def test_no_server_takes_calls_while_another_lets_one_end(serve: "Serve", upstream: "Upstream", busy: str) -> None:
    served = serve(drain_s=8)
    ports = {"rest": served.rest, "mcp": int(served.mcp.rpartition(":")[2])}
    held = upstream.play(b"", hold=True)
    with socket.create_connection(("127.0.0.1", ports[busy]), timeout=5) as connection:
        path, body = (RUNS, b"") if busy == "rest" else ("/mcp", TOOL_CALL)
        fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        connection.sendall(f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
        assert held.asked.wait(10)
        served.stop()
        assert all(refuses(port) for port in ports.values())
        held.send(OK + b'{"late": false}')
        held.over.set()
        assert b"200 OK" in connection.recv(1000)


def refuses(port: int) -> bool:
    """Whether nobody listens at a port, now or soon."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # it waited to be accepted when the listener closed
        time.sleep(0.02)
    return False


@signals
def test_a_second_signal_ends_it_at_once(process: "Process", upstream: "Upstream", number: signal.Signals) -> None:
    held = upstream.play(b"", hold=True)
    with socket.create_connection(("127.0.0.1", process.served.rest), timeout=5) as connection:
        connection.sendall(f"GET {RUNS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert held.asked.wait(10)
        process.popen.send_signal(number)
        process.until("stopping")
        began = time.monotonic()
        assert process.stop(number) == 130
        assert time.monotonic() - began < 2
    assert held.gone.wait(5)


def test_a_stream_that_does_not_end_is_cut_when_its_time_is_over(serve: "Serve", upstream: "Upstream") -> None:
    served = serve()
    stream = upstream.stream("first")
    with socket.create_connection(("127.0.0.1", served.rest), timeout=10) as connection:
        connection.sendall(f"GET {RUNS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert b"first" in connection.recv(1000)
        served.stop()
        assert not stream.gone.wait(0.3), "a stream may go on for a while"
        assert stream.gone.wait(5)
        assert b"\r\n0\r\n" not in connection.recv(1000)
