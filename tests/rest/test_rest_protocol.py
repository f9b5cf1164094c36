"""HTTP as it comes over the wire: repeated headers, odd cookies, bodies and targets."""

import gzip
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.servers.http import headers_of
from capably.servers.rest_inputs import _cookies

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.rest.conftest import Served

Serve = Callable[..., "Served"]
ASKED: list[dict[str, Any]] = [
    {"name": "X-Mark", "in": "header", "type": "string"},
    {"name": "session", "in": "cookie", "type": "string"},
    {"name": "q", "in": "query", "type": "string"},
]
READ = {"inputParameters": ASKED, "consumed": {"inputParameters": ASKED}}
BODY = {"name": "body", "in": "body", "type": "object"}
WRITE = {"method": "POST", "inputParameters": [BODY], "consumed": {"inputParameters": [BODY]}}
STATED = {"call": None, "outputParameters": [{"name": "a", "value": "b"}]}


def raw(served: "Served", text: bytes, answers: int = 1) -> list[bytes]:
    """What comes back for bytes that are sent as they are: so many answers, or until the server hangs up."""
    with socket.create_connection(("127.0.0.1", served.listener.port), timeout=10) as connection:
        connection.sendall(text)
        with connection.makefile("rb") as stream:
            found = []
            for _ in range(answers):
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = stream.readline()
                    assert line
                    head += line
                length = next(
                    (int(line[15:]) for line in head.lower().splitlines() if line[:15] == b"content-length:"), 0
                )
                found.append(head + stream.read(length))
            return found


def request(line: bytes, *headers: bytes, host: bytes = b"Host: localhost\r\n") -> bytes:
    return line + b" HTTP/1.1\r\n" + host + b"".join(each + b"\r\n" for each in headers) + b"\r\n"


def test_repeated_headers_are_one_list(serve: Serve, upstream: "Upstream") -> None:
    served = serve(READ)
    marks = (b"X-Mark: a", b"X-Mark: b", b"Cookie: other=1", b"Cookie: session=s1")
    (said,) = raw(served, request(b"GET /x", b"Accept: image/png", b"Accept: application/yaml", *marks))
    assert b"content-type: application/yaml" in said
    (seen,) = upstream.requests
    assert (seen.header("x-mark"), seen.header("cookie")) == ("a, b", "session=s1")


def test_a_header_is_the_text_that_was_written(serve: Serve, upstream: "Upstream") -> None:
    served = serve(READ)
    for written in (b"X-Mark: caf\xc3\xa9", b"X-Mark: caf\xe9"):
        raw(served, request(b"GET /x", written))
    assert [seen.header("x-mark").encode("latin-1") for seen in upstream.requests] == [b"caf\xc3\xa9"] * 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("cookie", "session"),
    [
        (b"session=a", "a"),
        (b'odd[1]=x; {"a"; session="a b"', "a%20b"),
        (b"session=a%20b", "a%20b"),
        (b"session=first; session=second", "first"),
        (b"a=1;session=x=y", "x%3Dy"),
        (b"session=100%", "100%25"),
    ],
)
def test_a_cookie_is_found_among_odd_ones(serve: Serve, upstream: "Upstream", cookie: bytes, session: str) -> None:
    raw(serve(READ), request(b"GET /x", b"Cookie: " + cookie))
    assert upstream.requests[0].header("cookie") == f"session={session}"


@given(st.text())
def test_any_cookie_can_be_read(text: str) -> None:
    assert all(isinstance(value, str) for value in _cookies(text).values())


def test_a_query_that_is_no_text_is_refused(serve: Serve, upstream: "Upstream") -> None:
    answer = serve(READ).get("/x?q=%ff")
    assert (answer.status, answer.json["title"]) == (400, "The query is not UTF-8")
    assert upstream.requests == []


def test_a_compressed_body_is_refused_and_told_how_to_send_it(serve: Serve, upstream: "Upstream") -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = serve(WRITE).call("POST", "/x", gzip.compress(b"{}"), headers)
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "identity")
    assert answer.json["detail"] == "send the body as it is, without `Content-Encoding: gzip`"
    assert upstream.requests == []


def test_a_byte_order_mark_is_no_part_of_a_body(serve: Serve, upstream: "Upstream") -> None:
    answer = serve(WRITE).call("POST", "/x", b'\xef\xbb\xbf{"a": 1}', {"Content-Type": "application/json"})
    assert answer.status == 200
    assert upstream.requests[0].body == b'{"a":1}'


@pytest.mark.parametrize(
    ("host", "version", "status"),
    [
        (b"", b"1.1", b"400"),
        (b"Host: localhost\r\nHost: localhost\r\n", b"1.1", b"400"),
        (b"Host: localhost\r\nHost: localhost\r\n", b"1.0", b"400"),
        (b"", b"1.0", b"200"),
    ],
)
def test_a_request_has_one_host(serve: Serve, host: bytes, version: bytes, status: bytes) -> None:
    (said,) = raw(serve(STATED), b"GET /x HTTP/" + version + b"\r\n" + host + b"\r\n")
    assert said.startswith(b"HTTP/1.1 " + status)


def test_the_server_as_a_whole_has_options(serve: Serve) -> None:
    (said,) = raw(serve(STATED, {**WRITE, "path": "/y"}), request(b"OPTIONS *"))
    assert said.startswith(b"HTTP/1.1 204")
    assert b"allow: GET, HEAD, OPTIONS, POST" in said


def test_an_answer_without_content_ends(serve: Serve, upstream: "Upstream") -> None:
    upstream.answer(205)
    said, again = raw(serve({}), request(b"GET /x") * 2, 2)
    assert said.startswith(b"HTTP/1.1 205")
    assert b"transfer-encoding" not in said
    assert again.startswith(b"HTTP/1.1 200")


def test_requests_in_a_row_are_answered_in_order(serve: Serve) -> None:
    wishes = (b"application/json", b"application/yaml", b"application/xml")
    said = raw(serve(STATED), b"".join(request(b"GET /x", b"Accept: " + each) for each in wishes), 3)
    assert all(b"content-type: " + wish in each for wish, each in zip(wishes, said, strict=True))


def test_who_expects_to_be_told_to_go_on_is(serve: Serve, upstream: "Upstream") -> None:
    served = serve(WRITE)
    head = request(b"POST /x", b"Content-Type: application/json", b"Content-Length: 2", b"Expect: 100-continue")
    with socket.create_connection(("127.0.0.1", served.listener.port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert upstream.requests[0].body == b"{}"


def test_an_old_client_is_answered_and_let_go(serve: Serve) -> None:
    with socket.create_connection(("127.0.0.1", serve(STATED).listener.port), timeout=10) as connection:
        connection.sendall(b"GET /x HTTP/1.0\r\n\r\n")
        said = b"".join(iter(lambda: connection.recv(1000), b""))
    assert said.endswith(b'{"a":"b"}')


def test_a_range_is_answered_with_the_whole(serve: Serve) -> None:
    answer = serve(STATED).get("/x", Range="bytes=0-1", If_Range='"x"')
    assert (answer.status, answer.body) == (200, b'{"a":"b"}')
    assert "content-range" not in answer.headers


def test_headers_that_are_not_repeated_stay_as_they_are() -> None:
    assert headers_of({"headers": [(b"a", b"1"), (b"b", b"2")]}) == {b"a": b"1", b"b": b"2"}
    assert headers_of({"headers": [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]}) == {b"a": b"1, 3", b"b": b"2"}


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"cookie"]), st.binary(max_size=3)), max_size=4))
def test_headers_are_read_the_same_beside_one_that_is_repeated(fields: list[tuple[bytes, bytes]]) -> None:
    beside = {**headers_of({"headers": [*fields, (b"x", b"1"), (b"x", b"2")]})}
    assert beside.pop(b"x") == b"1, 2"
    assert beside == headers_of({"headers": fields})
