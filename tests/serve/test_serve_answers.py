"""What the upstream answers is what the REST caller gets."""

import gzip
import http.client
import json
import time
import zlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.serve.conftest import Served

RUNS = "/v1/threads/t1/runs"
ERROR = {"error": {"message": "No run found: “r1”", "type": "invalid_request_error", "param": None, "code": None}}


@pytest.mark.parametrize("status", [200, 201, 202, 206, 400, 401, 403, 404, 409, 422, 429, 500, 501, 503])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_status_and_body_come_back_as_they_are(
    bundled: "Served", upstream: "Upstream", method: str, status: int
) -> None:
    body = json.dumps(ERROR, indent=3).encode()
    upstream.answer(status, body)
    answer = bundled.call(method, RUNS)
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["content-type"] == "application/json"


def test_an_answer_without_content_stays_without(bundled: "Served", upstream: "Upstream") -> None:
    upstream.answer(204)
    answer = bundled.call("POST", RUNS)
    assert (answer.status, answer.body) == (204, b"")
    assert {"content-type", "content-length", "transfer-encoding"}.isdisjoint(answer.headers)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json; charset=utf-8", b"[1, 2.50, 12345678901234567890123]"),
        ("application/json", b"not json at all"),
        ("text/plain", "grüß dich".encode()),
        ("text/html; charset=latin-1", b"<h1>gr\xfc\xdf</h1>"),
        ("application/octet-stream", bytes(range(256))),
    ],
)
def test_any_kind_of_content_is_passed_through_byte_for_byte(
    bundled: "Served", upstream: "Upstream", media_type: str, body: bytes
) -> None:
    upstream.answer(200, body, {"Content-Type": media_type})
    answer = bundled.call("GET", RUNS)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, body, media_type)


def test_headers_that_are_for_the_caller_are_passed_on_and_no_others(bundled: "Served", upstream: "Upstream") -> None:
    passed = {
        "retry-after": "7",
        "x-request-id": "req_1",
        "ratelimit": '"default";r=50;t=30',
        "ratelimit-policy": '"default";q=100',
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
    }
    kept = {
        "set-cookie": "session=1",
        "keep-alive": "timeout=99",
        "connection": "keep-alive",
        "server": "internal-gateway/7",
        "via": "1.1 internal.example",
        "x-upstream-host": "internal.example",
        "location": "http://internal.example/",
        "www-authenticate": "Basic",
        "access-control-allow-origin": "*",
        "strict-transport-security": "max-age=1",
        "date": "Thu, 01 Jan 1970 00:00:00 GMT",
    }
    upstream.answer(429, ERROR, passed | kept)
    headers = bundled.call("GET", RUNS).headers
    own = {"content-type", "content-length", "date"}
    assert {name: value for name, value in headers.items() if name not in own} == passed
    assert headers["date"] != kept["date"]


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_answer_arrives_decoded(bundled: "Served", upstream: "Upstream", coding: str, encode: Any) -> None:
    body = json.dumps({"data": ["x" * 1000] * 100}).encode()
    upstream.answer(200, encode(body), {"Content-Encoding": coding})
    answer = bundled.call("GET", RUNS)
    assert (answer.status, answer.body) == (200, body)
    assert "content-encoding" not in answer.headers
    assert coding in (upstream.only.header("accept-encoding") or "")


def test_an_answer_in_chunks_or_without_length_arrives_whole(bundled: "Served", upstream: "Upstream") -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    upstream.play(head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n")
    assert bundled.call("GET", RUNS).body == b"[1,2]"
    upstream.play(head + b"\r\n[3]", close=True)
    assert bundled.call("GET", RUNS).body == b"[3]"


def test_a_redirect_within_the_upstream_is_followed_for_get(bundled: "Served", upstream: "Upstream", key: str) -> None:
    upstream.answer(307, headers={"Location": "/v2/runs?after=a%2Fb"})
    upstream.answer(301, headers={"Location": f"HTTP://{upstream.address}/v3/runs"})
    upstream.answer(200, {"there": True})
    assert bundled.call("GET", RUNS).json == {"there": True}
    targets = [(seen.target, seen.header("authorization")) for seen in upstream.requests]
    assert targets == [(path, f"Bearer {key}") for path in ("/threads/t1/runs", "/v2/runs?after=a%2Fb", "/v3/runs")]


@pytest.mark.parametrize(
    ("method", "location"),
    [
        ("GET", "http://localhost:{port}/"),
        ("GET", "//localhost:{port}/"),
        ("GET", "https://127.0.0.1:{port}/"),
        ("GET", "http://127.0.0.1:1/"),
        ("GET", "http://user@127.0.0.1:{port}/"),
        ("GET", "http://[broken"),
        ("GET", "ftp://127.0.0.1/"),
        ("POST", "/elsewhere"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_elsewhere_or_of_a_post_is_not_followed(
    bundled: "Served", upstream: "Upstream", method: str, location: str, status: int
) -> None:
    upstream.answer(status, headers={"Location": location.format(port=upstream.port)})
    answer = bundled.call(method, RUNS)
    assert (answer.status, answer.json["type"]) == (502, "urn:problem-type:capably:upstream-redirect")
    assert len(upstream.requests) == 1
    assert str(upstream.port) not in answer.body.decode()


def test_redirects_in_a_circle_end(bundled: "Served", upstream: "Upstream") -> None:
    for _ in range(9):
        upstream.answer(302, headers={"Location": "/again"})
    answer = bundled.call("GET", RUNS)
    assert (answer.status, answer.json["type"]) == (502, "urn:problem-type:capably:upstream-redirect")


def test_head_is_answered_like_get_without_the_body(bundled: "Served", upstream: "Upstream") -> None:
    upstream.answer(200, {"data": []}, {"X-Request-Id": "r"})
    answer = bundled.call("HEAD", RUNS)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(b'{"data": []}'))
    assert answer.headers["x-request-id"] == "r"
    assert upstream.only.method == "GET"


@pytest.mark.parametrize("path", [RUNS, f"{RUNS}/r1"])
def test_options_tells_the_methods_and_calls_nothing(bundled: "Served", upstream: "Upstream", path: str) -> None:
    answer = bundled.call("OPTIONS", path)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert upstream.requests == []


def test_a_connection_serves_many_calls(bundled: "Served", upstream: "Upstream") -> None:
    connection = http.client.HTTPConnection("127.0.0.1", bundled.rest, timeout=10)
    for number in range(5):
        upstream.answer(400 + number, {"number": number})
        connection.request("POST", RUNS, body=b"{}")
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())) == (400 + number, {"number": number})
    connection.close()


def test_an_upstream_that_has_closed_its_kept_connection_is_called_on_a_new_one(
    bundled: "Served", upstream: "Upstream"
) -> None:
    for _ in range(3):
        upstream.play(raw_ok(), close=True)
        assert bundled.call("POST", RUNS, {}).status == 200
        time.sleep(0.05)
    assert len(upstream.requests) == 3


def raw_ok() -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
