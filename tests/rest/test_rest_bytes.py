"""Large binary answers go through while they arrive; caps, headers and validators hold all the same."""

import http.client
import socket
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.processes import ready
from tests.upstreams import Quiet, answering

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.rest.conftest import Served

MIB = 2**20
PHOTO = {"consumed": {"outputRawFormat": "binary", "maxBinarySize": "1MiB"}}
LARGE = b"x" * 700_000


def chunked(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"


def test_a_large_answer_keeps_its_length_type_and_validator(
    serve: Callable[..., "Served"], upstream: "Upstream"
) -> None:
    served = serve({**PHOTO, "responseBinary": {"mediaType": "image/png"}})
    sent = {"Content-Type": "application/x-unknown", "ETag": '"v1"', "Set-Cookie": "a=b"}
    for _ in range(4):
        upstream.answer(200, LARGE, sent)
    said = served.get("/x", Accept_Encoding="gzip")
    assert (said.status, said.body == LARGE) == (200, True)
    assert said.headers["content-length"] == "700000"
    assert said.headers["content-type"] == "image/png"
    assert (said.headers["etag"], "set-cookie" in said.headers) == ('"v1"', False)
    assert upstream.requests[-1].header("accept-encoding") is None
    head = served.call("HEAD", "/x")
    assert (head.status, head.headers["content-length"], head.body) == (200, "700000", b"")
    known = served.get("/x", If_None_Match='"v0", "v1"')
    assert (known.status, known.headers["etag"], known.body) == (304, '"v1"', b"")
    assert served.get("/x", Range="bytes=0-9").status == 200


def test_a_small_answer_has_a_validator_of_ours(serve: Callable[..., "Served"], upstream: "Upstream") -> None:
    served = serve(PHOTO)
    for _ in range(2):
        upstream.answer(200, b"x" * 2000, {"Content-Type": "image/png"})
    said = served.get("/x")
    assert served.get("/x", If_None_Match=said.headers["etag"]).status == 304


def test_an_answer_that_says_it_is_too_large_is_refused(serve: Callable[..., "Served"], upstream: "Upstream") -> None:
    served = serve(PHOTO)
    upstream.answer(200, b"x" * (MIB + 1), {"Content-Type": "image/png"})
    said = served.get("/x")
    assert (said.status, said.json["type"]) == (502, "urn:problem-type:capably:upstream-too-large")
    assert "1,048,576 bytes that `maxBinarySize` allows" in said.json["detail"]


def test_an_answer_that_turns_out_too_large_is_cut(serve: Callable[..., "Served"], upstream: "Upstream") -> None:
    served = serve(PHOTO)
    upstream.play(chunked(b"x" * (MIB + 1)))
    with pytest.raises(http.client.IncompleteRead) as cut:
        served.get("/x")
    assert len(cut.value.partial) <= MIB
    assert served.get("/x").status == 200


def test_an_answer_without_a_length_goes_through_up_to_its_cap(
    serve: Callable[..., "Served"], upstream: "Upstream"
) -> None:
    served = serve(PHOTO)
    upstream.play(chunked(b"x" * MIB))
    said = served.get("/x")
    assert (len(said.body), said.headers.get("transfer-encoding")) == (MIB, "chunked")


def test_a_failure_and_a_coded_answer_are_whole(serve: Callable[..., "Served"], upstream: "Upstream") -> None:
    import gzip  # noqa: PLC0415

    served = serve(PHOTO)
    upstream.answer(404, b"y" * 400_000, {"Content-Type": "text/plain"})
    assert len(served.get("/x").body) == 400_000
    squeezed = gzip.compress(LARGE)
    upstream.answer(200, squeezed, {"Content-Type": "image/png", "Content-Encoding": "gzip"})
    said = served.get("/x")
    assert (said.body == LARGE, "content-encoding" in said.headers) == (True, False)


class _Photos(Quiet):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        size = 100 * MIB
        self.send_response(200)
        self.send_header("Content-Type", "image/tiff")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        part = bytes(MIB)
        for _ in range(size // MIB):
            self.wfile.write(part)


@pytest.fixture
def photos() -> Iterator[str]:
    """An upstream that answers 100 MiB."""
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _Photos)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the most memory a process had is told by Linux")
def test_a_hundred_megabytes_take_no_memory(photos: str, write: Callable[..., Path], tmp_path: Path) -> None:
    operation = {"consumed": {"outputRawFormat": "binary", "maxBinarySize": "200MiB"}}
    with ready(tmp_path, "serve", write(operation, base=photos), "--port", "web=0") as process:
        before = process.memory("VmHWM")
        with socket.create_connection(("127.0.0.1", process.port("web")), timeout=20) as connection:
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            size = sum(len(part) for part in iter(lambda: connection.recv(MIB), b""))
        assert size > 100 * MIB
        assert process.memory("VmHWM") - before < 8 * MIB
