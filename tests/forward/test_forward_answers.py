"""What comes down through a forward: status, headers and body as they are, but for what belongs to one hop."""

import gzip
from typing import Any

import pytest


def test_status_headers_and_body_come_down_as_they_are(forward: Any, upstream: Any) -> None:
    upstream.answers(418, b"\x00\xff", ("Content-Type", "x/y; z=1"), ("X-A", "1"), ("x-a", "2"), ("ETag", '"e"'))
    answer = forward.call("GET", "/api/ships")
    assert (answer.status, answer.body) == (418, b"\x00\xff")
    assert [value for name, value in answer.headers if name == "x-a"] == ["1", "2"]
    assert (answer.named["content-type"], answer.named["etag"], answer.named["content-length"]) == (
        "x/y; z=1",
        '"e"',
        "2",
    )
    assert [name for name, _value in answer.headers].count("date") == 1


def test_bytes_of_header_values_are_kept(forward: Any, upstream: Any) -> None:
    upstream.answers(200, b"", ("X-Utf", "é".encode().decode("latin-1")), ("X-Latin", "é"))
    named = forward.call("GET", "/api/ships").named
    assert (named["x-utf"].encode("latin-1"), named["x-latin"].encode("latin-1")) == ("é".encode(), b"\xe9")


def test_a_coded_body_stays_coded(forward: Any, upstream: Any) -> None:
    packed = gzip.compress(b"ahoy" * 1000)
    upstream.answers(200, packed, ("Content-Encoding", "gzip"))
    answer = forward.call("GET", "/api/ships")
    assert (answer.body, answer.named["content-encoding"], answer.named["content-length"]) == (
        packed,
        "gzip",
        str(len(packed)),
    )


def test_what_belongs_to_the_connection_or_the_upstream_alone_stays_behind(forward: Any, upstream: Any) -> None:
    upstream.answers(
        200,
        b"x",
        ("Connection", "X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authenticate", "Basic"),
        ("Trailer", "X-Later"),
        ("Upgrade", "h2c"),
        ("Set-Cookie", "a=1"),
        ("Alt-Svc", 'h3=":443"'),
        ("X-Kept", "2"),
    )
    named = forward.call("GET", "/api/ships").named
    assert set(named) - {"date"} == {"content-length", "x-kept"}


def test_cookies_are_set_when_the_document_trusts_them(serve: Any, upstream: Any) -> None:
    upstream.answers(200, b"", ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
    answer = serve(forward={"trustedHeaders": ["Set-Cookie"]}).call("GET", "/api/ships")
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize("status", [201, 301, 302, 303, 307, 308])
def test_no_redirect_is_followed(forward: Any, upstream: Any, status: int) -> None:
    upstream.answers(status, b"", ("Location", "/v1/ships/7"))
    answer = forward.call("POST", "/api/ships/6", b"x")
    assert (answer.status, answer.named["location"]) == (status, "/api/ships/7")
    assert len(upstream.seen) == 1


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("{up}/v1/ships/7?a=1#b", "/api/ships/7?a=1#b"),
        ("/v1/ships/7", "/api/ships/7"),
        ("7/crew", "/api/ships/7/crew"),
        ("?page=2", "/api/ships/6?page=2"),
        ("{up}/v1", "/api/"),
        ("{up}/v1/a%2Fb", "/api/a%2Fb"),
        ("{up}/v12/ships", None),
        ("{up}/admin", None),
        ("{up}/v1/%2e%2e/admin", None),
        ("../../admin", None),
        ("http://else.test/v1/ships", None),
        ("//else.test/v1/ships", None),
        ("http://user@{host}/v1/ships", None),
        ("ftp://{host}/v1/ships", None),
        ("http://[", None),
    ],
)
def test_redirects_are_passed_on_with_addresses_of_this_server(
    forward: Any, upstream: Any, location: str, told: str | None
) -> None:
    host = upstream.address.removeprefix("http://")
    upstream.answers(302, b"", ("Location", location.format(up=upstream.address, host=host)))
    answer = forward.call("GET", "/api/ships/6")
    assert (answer.status, answer.named.get("location")) == (302, told)


def test_an_address_is_told_with_the_placeholders_it_was_asked_with(serve: Any, upstream: Any) -> None:
    entry = {"inputParameters": [{"name": "fleet", "in": "path"}]}
    served = serve(base=f"{upstream.address}/{{fleet}}", entry=entry, path="/f-{fleet}/{path}")
    upstream.answers(302, b"", ("Location", f"{upstream.address}/a%20b/ships"), ("Content-Location", "/else"))
    named = served.call("GET", "/f-a%20b/x").named
    assert named["location"] == "/f-a%20b/ships"
    assert "content-location" not in named


def test_a_forward_to_one_address_tells_no_other(serve: Any, upstream: Any) -> None:
    served = serve(path="/api")
    upstream.answers(302, b"", ("Location", f"{upstream.address}/v1/ships"))
    assert "location" not in served.call("GET", "/api").named
    upstream.answers(302, b"", ("Location", f"{upstream.address}/v1?again"))
    assert served.call("GET", "/api").named["location"] == "/api?again"


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_have_none(forward: Any, upstream: Any, status: int) -> None:
    upstream.answers(status, b"", ("ETag", '"e"'))
    answer = forward.call("GET", "/api/ships")
    assert (answer.status, answer.body, answer.named["etag"]) == (status, b"", '"e"')


def test_a_304_that_tells_the_length_of_what_it_leaves_out_is_passed_on(forward: Any, upstream: Any) -> None:
    upstream.answers(304, b"", ("Content-Length", "1000"))
    assert forward.call("GET", "/api/ships").status == 304


def test_head_tells_the_length_without_the_body(forward: Any, upstream: Any) -> None:
    upstream.answers(200, b"ahoy")
    answer = forward.call("HEAD", "/api/ships")
    assert (answer.status, answer.body, answer.named["content-length"]) == (200, b"", "4")


def test_a_partial_answer_is_passed_on(forward: Any, upstream: Any) -> None:
    upstream.answers(206, b"ah", ("Content-Range", "bytes 0-1/4"), ("Accept-Ranges", "bytes"))
    answer = forward.call("GET", "/api/ships", headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.named["content-range"], answer.body) == (206, "bytes 0-1/4", b"ah")


def test_a_chunked_answer_comes_down_whole(forward: Any, upstream: Any) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"a" * 100_000, b"b", b"c" * 70_000))
    upstream.answers(200, chunks + b"0\r\n\r\n", ("Transfer-Encoding", "chunked"))
    assert forward.call("GET", "/api/ships").body == b"a" * 100_000 + b"b" + b"c" * 70_000
