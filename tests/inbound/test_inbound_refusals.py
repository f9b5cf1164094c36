"""What two servers on the way could understand differently is refused, and nothing after it is looked at."""

import pytest
from tests.inbound.conftest import Serve, answers_in, echo, talk

from capably.servers.http import Receive, Scope, Send

HOST = b"Host: a\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


REFUSED = {
    "a length and a coding": (400, post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n")),
    "a coding and a length": (400, post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n")),
    "two lengths": (400, post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello")),
    "a length twice": (400, post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
    "a list of lengths": (400, post(b"Content-Length: 5, 5\r\n", b"hello")),
    "a length with a sign": (400, post(b"Content-Length: +5\r\n", b"hello")),
    "a length in hexadecimal": (400, post(b"Content-Length: 0x5\r\n", b"hello")),
    "an empty length": (400, post(b"Content-Length: \r\n")),
    "a length that is too long": (400, post(b"Content-Length: 99999999999999999999\r\n")),
    "a coding that is none": (501, post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    "a coding after the last": (400, post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n")),
    "two codings": (400, post(CHUNKED + b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n")),
    "a coding nobody takes off": (501, post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    "a coding in HTTP/1.0": (400, b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n"),
    "white space before a colon": (400, post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n")),
    "a chunk size that is none": (400, post(CHUNKED, b"zz\r\nhello\r\n0\r\n\r\n")),
    "a chunk size with a prefix": (400, post(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n")),
    "a negative chunk size": (400, post(CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n")),
    "a chunk size that is too long": (400, post(CHUNKED, b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n")),
    "a chunk that is longer than its size": (400, post(CHUNKED, b"5\r\nhelloX\r\n0\r\n\r\n")),
    "a chunk size that ends with LF": (400, post(CHUNKED, b"5\nhello\r\n0\r\n\r\n")),
    "a length in trailers": (400, post(CHUNKED, b"0\r\nContent-Length: 1\r\n\r\n")),
    "a folded header": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n"),
    "lines that end with LF": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "a header that ends with LF": (400, b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    "a header that ends with CR": (400, b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
    "NUL in a header": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X: b\0c\r\n\r\n"),
    "a space in a name": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X y: b\r\n\r\n"),
    "a space before the first header": (400, b"GET / HTTP/1.1\r\n X: b\r\n" + HOST + b"\r\n"),
    "no name": (400, b"GET / HTTP/1.1\r\n" + HOST + b": b\r\n\r\n"),
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "a Host with a path": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "a Host with a user": (400, b"GET / HTTP/1.1\r\nHost: b@a\r\n\r\n"),
    "a space in the target": (400, b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a control character in the target": (400, b"GET /a\x01b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "bytes above 127 in the target": (400, "GET /ä HTTP/1.1\r\nHost: a\r\n\r\n".encode()),
    "a fragment in the target": (400, b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a target that is no path": (400, b"GET a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a target of another scheme": (400, b"GET ftp://a/b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an asterisk without OPTIONS": (400, b"GET * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a tunnel": (501, b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "no version": (505, b"GET /\r\n\r\n"),
    "a version that is not spoken": (505, b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    "a version that does not exist": (400, b"GET / HTTP/1.2\r\n" + HOST + b"\r\n"),
    "the preface of HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a method that does not exist": (400, b"get / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "an expectation nobody meets": (417, post(b"Expect: wonders\r\nContent-Length: 5\r\n", b"hello")),
    "headers that are too long": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 66_000 + b"\r\n\r\n"),
    "headers that are too many": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 12_000 + b"\r\n"),
    "a target that is too long": (431, b"GET /" + b"x" * 66_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a name without an end": (431, b"GET / HTTP/1.1\r\n" + HOST + b"x" * 700_000),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_ambiguous_or_too_much_is_refused_and_ends_the_connection(what: str, serve: Serve) -> None:
    status, request = REFUSED[what]
    async with serve(echo) as port:
        (answer,) = answers_in(await talk(port, request + SMUGGLED), "POST")
    assert (answer.status, answer.header(b"connection"), answer.body) == (status, b"close", b"")


@pytest.mark.parametrize("what", ["two lengths", "a chunk size that is none", "a folded header"])
async def test_a_refusal_comes_after_the_answers_to_earlier_requests(what: str, serve: Serve) -> None:
    status, request = REFUSED[what]
    async with serve(echo) as port:
        first, second = answers_in(await talk(port, b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" + request), "GET", "POST")
    assert (first.status, second.status) == (200, status)


async def test_nothing_is_read_after_a_request_that_is_the_last(serve: Serve) -> None:
    last = b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with serve(echo) as port:
        (answer,) = answers_in(await talk(port, last + SMUGGLED), "GET")
    assert answer.body.startswith(b"GET /1")


async def test_the_authority_of_an_absolute_target_stands_above_the_host(serve: Serve) -> None:
    hosts: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        hosts.extend(value for name, value in scope["headers"] if name == b"host")
        await echo(scope, receive, send)

    request = b"GET http://b:80/x?y=z HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with serve(app) as port:
        (answer,) = answers_in(await talk(port, request), "GET")
    assert answer.body.startswith(b"GET /x?y=z\n")
    assert hosts == [b"b:80"]


async def test_trailers_are_no_headers(serve: Serve) -> None:
    request = post(CHUNKED + b"Connection: close\r\n", b"5;a=b\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n")
    async with serve(echo) as port:
        (answer,) = answers_in(await talk(port, request), "POST")
    assert answer.body == b"POST /\nhost,transfer-encoding,connection\nhello"


async def test_the_body_of_a_request_that_asks_for_another_protocol_is_no_request(serve: Serve) -> None:
    wish = b"Upgrade: websocket\r\nConnection: Upgrade, close\r\n"
    whole = post(wish + b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED)
    chunked = post(wish + CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED))
    async with serve(echo) as port:
        for request in (whole, chunked):
            for parts in ((request,), (request[:-60], request[-60:]), (request[:-100], request[-100:])):
                (answer,) = answers_in(await talk(port, *parts, pause_s=0.02), "POST")
                assert answer.body.endswith(b"\n" + SMUGGLED)
