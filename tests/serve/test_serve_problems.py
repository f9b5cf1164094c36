"""Whatever goes wrong is told as a problem detail (RFC 9457) that says what to do and gives nothing away."""

import json
import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.asking import Answer
    from tests.conftest import Upstream
    from tests.serve.conftest import Serve, Served

RUNS = "/v1/threads/t1/runs"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CAP = 20_000
TITLES: dict[str, str] = {}


def problem_in(answer: "Answer", status: int, kind: str) -> dict[str, Any]:
    """The problem detail, checked for its shape and for what must not be in it."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json
    assert (answer.status, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:problem-type:capably:{kind}"
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail"}
    assert TITLES.setdefault(kind, problem["title"]) == problem["title"]
    assert problem["detail"]
    return problem


class Refused(NamedTuple):
    """A request that is refused before anything is called; ``words`` are part of the detail."""

    status: int
    kind: str
    words: str
    method: str = "POST"
    path: str = RUNS
    body: bytes | list[bytes] | None = None
    headers: Mapping[str, str] = JSON


BAD_REQUESTS = [
    Refused(400, "malformed-body", "not valid JSON", body=b'{"assistant_id": '),
    Refused(400, "malformed-body", "not valid JSON", body=b"{'a': 1}"),
    Refused(400, "malformed-body", "not valid JSON", body=b'{"a": "\xff"}'),
    Refused(400, "malformed-body", "not valid JSON", body=b'{"a": NaN}'),
    Refused(400, "malformed-body", "not valid JSON", body=b"[" * 15_000),
    Refused(400, "malformed-body", "not valid JSON", body=b"a=b", headers={}),
    Refused(400, "invalid-input", "`body` must be an object, not a list", body=b"[]"),
    Refused(400, "invalid-input", "`body` must be an object, not the string `x`", body=b'"x"'),
    Refused(400, "invalid-input", "`body` must be an object, not 3", body=b"3"),
    Refused(400, "invalid-input", "`body` must be an object, not true", body=b"true"),
    Refused(415, "unsupported-media-type", "Content-Type: application/json", body=b"a=b", headers=FORM),
    Refused(415, "unsupported-media-type", "text/yaml", body=b"a: b", headers={"Content-Type": "text/yaml"}),
    Refused(413, "body-too-large", "at most 20,000 bytes", body=b" " * (CAP + 1)),
    Refused(413, "body-too-large", "at most 20,000 bytes", body=[b" " * 1000] * 21),
    Refused(413, "body-too-large", "at most 20,000 bytes", "GET", body=b" " * (CAP + 1)),
    Refused(404, "no-route", "did you mean /v1/threads/{threadid}/runs?", "GET", "/v1/thread/t1/runs"),
    Refused(404, "no-route", "no route matches /threads/t1/runs", "GET", "/threads/t1/runs"),
    Refused(404, "no-route", "", "GET", "/"),
    Refused(404, "no-route", "", "GET", f"{RUNS}/r1/steps"),
    Refused(404, "no-route", "", "GET", "/v1/threads/t1"),
    Refused(404, "no-route", "", "GET", f"{RUNS}/"),
    Refused(404, "no-route", "", "GET", "/V1/threads/t1/runs"),
    Refused(404, "no-route", "", "OPTIONS", "/nothing"),
    Refused(405, "method-not-allowed", "GET, HEAD, OPTIONS, POST", "DELETE"),
    Refused(405, "method-not-allowed", "GET, HEAD, OPTIONS, POST", "PUT", body=b"{}"),
    Refused(405, "method-not-allowed", "GET, HEAD, OPTIONS, POST", "PATCH", f"{RUNS}/r1"),
    Refused(405, "method-not-allowed", "GET, HEAD, OPTIONS, POST", "TRACE"),
    Refused(400, "malformed-path", "UTF-8", "GET", "/v1/threads/%FF/runs"),
    Refused(400, "invalid-input", "`threadId` must not be `..`", "GET", "/v1/threads/%2e%2e/runs"),
    Refused(421, "wrong-host", "answers to localhost", "GET", headers={"Host": "evil.example"}),
    Refused(403, "wrong-origin", "other origins", "GET", headers={"Origin": "https://evil.example"}),
]


@pytest.mark.parametrize("row", BAD_REQUESTS, ids=lambda row: f"{row.status} {row.method} {row.words[:30]}")
def test_a_request_that_cannot_be_served_is_a_problem_and_calls_nothing(
    bundled: "Served", upstream: "Upstream", key: str, row: Refused
) -> None:
    body: bytes | Iterator[bytes] | None = iter(row.body) if isinstance(row.body, list) else row.body
    answer = bundled.call(row.method, row.path, body, row.headers)
    assert row.words in problem_in(answer, row.status, row.kind)["detail"]
    assert ("allow" in answer.headers) == (row.status == 405)
    assert upstream.requests == []
    check_nothing_leaks(answer, upstream, key)


def check_nothing_leaks(answer: "Answer", upstream: "Upstream", key: str) -> None:
    text = answer.body.decode()
    for secret in (key, "Bearer", upstream.address, str(upstream.port), "Traceback", "aiohttp", ".py"):
        assert secret not in text
        assert secret not in str(answer.headers)


def test_allow_names_what_the_path_answers_to(bundled: "Served") -> None:
    answer = bundled.call("DELETE", RUNS)
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_every_wrong_input_is_told_in_one_answer(bundled: "Served", upstream: "Upstream") -> None:
    problem = problem_in(bundled.call("POST", f"{RUNS}/r1", [1]), 400, "invalid-input")
    assert problem["errors"] == [
        {"input": "body", "in": "body", "detail": "`body` must be an object, not a list"},
    ]
    assert upstream.requests == []


def test_a_problem_is_told_to_head_without_a_body(bundled: "Served") -> None:
    answer = bundled.call("HEAD", "/nothing")
    assert (answer.status, answer.body) == (404, b"")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("depth", range(100, 1000, 75))
def test_deep_nesting_is_sent_or_refused(bundled: "Served", upstream: "Upstream", depth: int) -> None:
    body = b'{"a":' * depth + b"1" + b"}" * depth
    answer = bundled.call("POST", RUNS, body, JSON)
    if answer.status == 200:
        assert upstream.only.body == body
    else:
        problem_in(answer, 400, "malformed-body")


def test_an_upstream_that_is_not_there_is_502(
    serve: "Serve", upstream: "Upstream", key: str, free_port: "Callable[[], int]", caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    answer = serve(baseurl=f"127.0.0.1:{port}").call("GET", RUNS)
    problem = problem_in(answer, 502, "upstream-unreachable")
    assert problem["detail"] == (
        "`aimlapi-threads-runs` gave no usable answer: check that it runs and that its base URI is right"
    )
    assert str(port) not in answer.body.decode()
    check_nothing_leaks(answer, upstream, key)
    assert str(port) in caplog.text, "the operator's log does say where"
    assert key not in caplog.text


def test_a_host_name_that_nobody_has_is_502(serve: "Serve", upstream: "Upstream", key: str) -> None:
    answer = serve(baseurl="no-such-host.invalid").call("GET", RUNS)
    problem_in(answer, 502, "upstream-unreachable")
    assert "invalid:" not in answer.body.decode()
    check_nothing_leaks(answer, upstream, key)


def test_an_upstream_that_does_not_answer_in_time_is_504_and_let_go(
    serve: "Serve", upstream: "Upstream", key: str
) -> None:
    served = serve(answer_s=0.2)
    held = upstream.play(b"", hold=True)
    answer = served.call("GET", RUNS)
    problem_in(answer, 504, "upstream-timeout")
    assert held.gone.wait(5)
    check_nothing_leaks(answer, upstream, key)


def test_an_upstream_that_stops_in_the_middle_of_its_answer_is_504(serve: "Serve", upstream: "Upstream") -> None:
    served = serve(answer_s=0.3)
    held = upstream.play(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{", hold=True)
    problem_in(served.call("GET", RUNS), 504, "upstream-timeout")
    assert held.gone.wait(5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_that_breaks_off_or_is_none_is_502(
    bundled: "Served", upstream: "Upstream", key: str, data: bytes, method: str
) -> None:
    for _ in range(2):  # a GET may be tried once more on a new connection
        upstream.play(data, close=True)
    answer = bundled.call(method, RUNS)
    problem_in(answer, 502, "upstream-broken")
    check_nothing_leaks(answer, upstream, key)
    if method == "POST":
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("length", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
def test_an_answer_over_the_cap_is_502(serve: "Serve", upstream: "Upstream", length: str) -> None:
    served = serve(answer_bytes=4000)
    body = b"x" * 5000 if "Length" in length else b"1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n"
    upstream.play(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode() + body)
    problem_in(served.call("GET", RUNS), 502, "upstream-too-large")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET /v1/threads/\xff/runs HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/threads/\xc3\xa9/runs HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/threads/t1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_hardly_http_is_refused_and_leaves_the_server_well(
    bundled: "Served", upstream: "Upstream", data: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", bundled.rest), timeout=5) as connection:
        connection.sendall(data)
        status = connection.recv(1000).split()[1]
    assert status.startswith(b"4")
    assert upstream.requests == []
    assert bundled.call("GET", RUNS).status == 200


def test_a_body_that_is_declared_too_large_is_refused_before_it_is_sent(bundled: "Served") -> None:
    with socket.create_connection(("127.0.0.1", bundled.rest), timeout=5) as connection:
        connection.sendall(f"POST {RUNS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {CAP + 1}\r\n\r\n".encode())
        assert connection.recv(1000).split()[1] == b"413"


def test_a_target_in_absolute_form_is_understood(bundled: "Served", upstream: "Upstream") -> None:
    answer = bundled.call("GET", f"http://localhost:{bundled.rest}{RUNS}")
    assert (answer.status, json.loads(answer.body)) == (200, {"ok": True})
    assert upstream.only.target == "/threads/t1/runs"


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_an_upgrade_is_not_taken_up(bundled: "Served", upstream: "Upstream", upgrade: str) -> None:
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    answer = bundled.call("GET", RUNS, headers={"Connection": "Upgrade", "Upgrade": upgrade} | key)
    assert (answer.status, answer.json) == (200, {"ok": True})


def test_a_long_path_is_answered_briefly(bundled: "Served") -> None:
    answer = bundled.call("GET", "/v1/" + "x" * 20_000)
    assert answer.status == 404
    assert len(answer.body) < 1000
