"""Bodies of any size pass a forward without being kept: memory stays flat, and who reads sets the pace of others."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.processes import Capably, ready

if sys.platform != "linux":  # pragma: no cover -- memory is read from /proc
    pytest.skip("memory is read from /proc", allow_module_level=True)

MIB = 1024 * 1024
SIZE = 100 * MIB
PIECE = bytes(range(256)) * 4096
MOST = 24 * MIB
"""More than buffers and sockets take, far less than a body."""


def connected(process: Capably) -> socket.socket:
    return socket.create_connection(("127.0.0.1", process.port("web")), timeout=30)


@pytest.fixture
def process(tmp_path: Path, upstream: Any) -> Iterator[Capably]:
    file = tmp_path / "forward.yaml"
    consumed = {"namespace": "up", "baseUri": upstream.address}
    resource = {"path": "/{path}", "forward": {"targetNamespace": "up"}}
    rest = {"type": "rest", "namespace": "web", "port": 0, "resources": [resource]}
    text = {"ikanos": "1.0.0-beta4", "capability": {"consumes": [consumed], "exposes": [rest]}}
    file.write_text(json.dumps(text), encoding="utf-8")
    with ready(tmp_path, "serve", file) as process:
        yield process


def test_a_large_body_goes_up_and_down_in_flat_memory(process: Capably, upstream: Any) -> None:
    upstream.reads = False
    got = []

    def swallow_and_pour(handler: Any) -> None:
        left = int(handler.headers["Content-Length"])
        while left:
            left -= len(piece := handler.rfile.read(min(MIB, left)))
            got.append(piece == PIECE)
        handler.answer(200, b"", ("Content-Length", str(SIZE)))
        for _ in range(SIZE // MIB):
            handler.wfile.write(PIECE)

    upstream.act = swallow_and_pour
    before = process.memory("VmRSS")
    with closing(connected(process)) as caller:
        caller.sendall(f"PUT /file HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SIZE}\r\n\r\n".encode())
        for _ in range(SIZE // MIB):
            caller.sendall(PIECE)
        with caller.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
            while answer.readline() != b"\r\n":
                pass
            for _ in range(SIZE // MIB):
                assert answer.read(MIB) == PIECE
    assert got == [True] * (SIZE // MIB)
    assert process.memory("VmHWM") - before < MOST


def _ask(caller: socket.socket, method: str, length: int) -> None:
    caller.sendall(f"{method} /file HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())


def _pushed(connection: socket.socket) -> int:
    """How many bytes the other side takes before it makes us wait."""
    connection.settimeout(0.5)
    taken = 0
    try:
        while taken < SIZE:
            taken += connection.send(PIECE)
    except TimeoutError:
        pass
    return taken


def test_who_reads_slowly_makes_the_other_side_wait(process: Capably, upstream: Any) -> None:
    upstream.reads = False
    taken: list[int] = []

    def act(handler: Any) -> None:
        if handler.command == "GET":
            handler.answer(200, b"", ("Content-Length", str(SIZE)))
            taken.append(_pushed(handler.connection))
        else:
            time.sleep(1.5)  # reads nothing

    upstream.act = act
    with closing(connected(process)) as caller:
        _ask(caller, "PUT", SIZE)
        assert _pushed(caller) < MOST
    with closing(connected(process)) as caller:
        _ask(caller, "GET", 0)
        deadline = time.monotonic() + 10
        while not taken:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert taken[0] < MOST
