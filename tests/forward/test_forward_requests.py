"""What goes up through a forward: the request as it is, and of its headers only those that may."""

from typing import Any

import pytest

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND"]
ALWAYS = {"host", "accept", "accept-encoding", "user-agent", "via"}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_passed_on(forward: Any, upstream: Any, method: str) -> None:
    assert forward.call(method, "/api/ships").status == 200
    assert (upstream.only.method, upstream.only.target) == (method, "/v1/ships")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_a_method_that_would_tell_what_was_added_is_not_passed_on(forward: Any, upstream: Any, method: str) -> None:
    assert forward.call(method, "/api/ships").status == 405
    assert upstream.seen == []


@pytest.mark.parametrize(
    "target",
    [
        "ships",
        "",
        "ships/",
        "ships/7/crew",
        "ships//crew",
        "a%2Fb",
        "a%20b",
        "caf%C3%A9",
        "%FF",
        "a;v=1/b:c@d,e=f!g$h&i'j(k)*+~",
        "ships?a=1&a=2&b=&c",
        "ships?filter%5Bx%5D=%20y+z",
        "ships?q=%2B%26%3D%3f",
        "ships?q=/?:@!$'()*,;[]{}|^`\"<>\\",
        "ships?next=http://else.test/a?b",
        "...",
        "a..b",
        ".well-known/x",
    ],
)
def test_path_and_query_arrive_as_they_were_sent(forward: Any, upstream: Any, target: str) -> None:
    assert forward.call("GET", f"/api/{target}").status == 200
    assert upstream.only.target == f"/v1/{target}"


@pytest.mark.parametrize(
    "path",
    [
        "..",
        ".",
        "../admin",
        "a/../../admin",
        "a/..",
        "%2e%2e/admin",
        "%2E%2E%2fadmin",
        "a%2F..%2F..%2Fadmin",
        "..%5Cadmin",
        "..%5cadmin",
        "%252e%252e/admin",
        "%25252e%25252e/admin",
        "..%252fadmin",
        "..;/admin",
        "..;x=1/admin",
        "..%3b/admin",
        "%2e/admin",
        "%2525252525252525252e",
    ],
)
def test_no_path_leaves_the_base_path(forward: Any, upstream: Any, path: str) -> None:
    answer = forward.call("GET", f"/api/{path}")
    assert answer.status == 400
    assert answer.json["type"] == "urn:problem-type:capably:malformed-path"
    assert upstream.seen == []


def test_only_headers_that_describe_the_request_pass(forward: Any, upstream: Any) -> None:
    sent = {
        "Accept": "text/plain;q=0.5",
        "Content-Type": "application/x-made-up",
        "Content-Encoding": "x-made-up",
        "Range": "bytes=0-1",
        "If-Match": '"a"',
        "If-None-Match": '"b"',
        "If-Modified-Since": "Sat, 29 Oct 1994 19:43:31 GMT",
        "If-Unmodified-Since": "Sat, 29 Oct 1994 19:43:31 GMT",
        "If-Range": '"c"',
    }
    forward.call("POST", "/api/ships", b"ahoy", sent)
    named = upstream.only.named
    assert {name: named[name.lower()] for name in sent} == sent
    assert set(named) == ALWAYS | {name.lower() for name in sent} | {"content-length"}
    assert (upstream.only.body, named["content-length"]) == (b"ahoy", "4")


def test_nothing_that_tells_who_the_caller_is_passes(forward: Any, upstream: Any) -> None:
    sent = {
        "Authorization": "Bearer made-up",
        "Cookie": "a=1",
        "Proxy-Authorization": "Basic made-up",
        "X-Api-Key": "made-up",
        "X-Forwarded-For": "10.0.0.1",
        "Forwarded": "for=10.0.0.1",
        "Referer": "http://localhost/",
        "From": "a@b.test",
        "User-Agent": "made-up/1.0",
        "Accept-Language": "de",
    }
    forward.call("GET", "/api/ships", headers=sent)
    assert set(upstream.only.named) == ALWAYS
    assert "made-up" not in str(upstream.only)


def test_trusted_headers_pass_whatever_their_case(serve: Any, upstream: Any) -> None:
    served = serve(forward={"trustedHeaders": ["x-Trace", "AUTHORIZATION", "Cookie", "Accept-Encoding"]})
    sent = {"X-TRACE": "é1", "authorization": "Bearer a", "cookie": "a=1", "accept-encoding": "br", "X-Other": "no"}
    served.call("GET", "/api/ships", headers={name: value.encode() for name, value in sent.items()})
    named = upstream.only.named
    assert set(named) == ALWAYS | {"x-trace", "authorization", "cookie"}
    assert (named["x-trace"].encode("latin-1").decode(), named["authorization"]) == ("é1", "Bearer a")
    assert (named["cookie"], named["accept-encoding"]) == ("a=1", "br")


def test_what_belongs_to_the_connection_ends_here(serve: Any, upstream: Any) -> None:
    trusted = ["X-Mine", "X-Named", "Connection", "TE", "Upgrade", "Keep-Alive", "Proxy-Connection", "Trailer", "Host"]
    served = serve(forward={"trustedHeaders": trusted})
    sent = {
        "Connection": "X-Named , close",
        "X-Named": "1",
        "X-Mine": "2",
        "TE": "trailers",
        "Keep-Alive": "timeout=5",
        "Proxy-Connection": "close",
        "Trailer": "X-Later",
    }
    assert served.call("GET", "/api/ships", headers=sent).status == 200
    assert set(upstream.only.named) == ALWAYS | {"x-mine"}
    assert upstream.only.named["host"] in upstream.address


def test_the_api_s_authentication_and_parameters_are_added_and_win(serve: Any, upstream: Any) -> None:
    entry = {
        "authentication": {"type": "bearer", "token": "{{env.KEY}}"},
        "inputParameters": [
            {"name": "X-Version", "in": "header", "value": "2"},
            {"name": "unit", "in": "query", "value": "k n"},
            {"name": "asked", "in": "header"},
        ],
    }
    trusted = {"trustedHeaders": ["Authorization", "X-Version"]}
    served = serve(entry=entry, forward=trusted)
    served.call("GET", "/api/ships?a=1", headers={"Authorization": "Bearer of-the-caller", "X-Version": "1"})
    assert upstream.only.target == "/v1/ships?a=1&unit=k%20n"
    assert [value for name, value in upstream.only.headers if name == "authorization"] == ["Bearer sk-made-up"]
    assert [value for name, value in upstream.only.headers if name == "x-version"] == ["2"]
    assert set(upstream.only.named) == ALWAYS | {"authorization", "x-version"}


def test_an_api_key_is_placed_in_the_query(serve: Any, upstream: Any) -> None:
    block = {"type": "apikey", "key": "key", "value": "{{env.KEY}}", "placement": "query"}
    serve(entry={"authentication": block}).call("GET", "/api/ships")
    assert upstream.only.target == "/v1/ships?key=sk-made-up"


def test_what_callers_prove_themselves_with_goes_no_further(serve: Any, upstream: Any) -> None:
    block = {"type": "apikey", "key": "pass word", "value": "{{env.KEY}}", "placement": "query"}
    served = serve(server={"authentication": block})
    assert served.call("GET", "/api/ships?a=1").status == 401
    assert served.call("GET", "/api/ships?a=1&pass+word=sk-made-up&b=%20").status == 200
    assert upstream.only.target == "/v1/ships?a=1&b=%20"
    assert "sk-made-up" not in str(upstream.only)


def test_a_header_that_is_meant_for_this_server_is_not_passed_even_if_trusted(serve: Any, upstream: Any) -> None:
    block = {"type": "bearer", "token": "{{env.KEY}}"}
    served = serve(server={"authentication": block}, forward={"trustedHeaders": ["Authorization"]})
    assert served.call("GET", "/api/ships", headers={"Authorization": "Bearer sk-made-up"}).status == 200
    assert "authorization" not in upstream.only.named


def test_placeholders_beside_the_path_feed_the_base_uri(serve: Any, upstream: Any) -> None:
    entry = {"inputParameters": [{"name": "fleet", "in": "path"}]}
    served = serve(base=f"{upstream.address}/{{fleet}}/v1", entry=entry, path="/f/{fleet}/api/{path}")
    served.call("GET", "/f/a%2Fb/api/ships/7")
    assert upstream.only.target == "/a%2Fb/v1/ships/7"


def test_a_forward_without_a_place_for_the_path_leads_to_the_base(serve: Any, upstream: Any) -> None:
    served = serve(path="/api")
    assert served.call("GET", "/api?a=1").status == 200
    assert upstream.only.target == "/v1?a=1"
    assert served.call("GET", "/api/ships").status == 404


def test_a_body_that_is_not_announced_is_none(forward: Any, upstream: Any) -> None:
    forward.call("GET", "/api/ships")
    forward.call("POST", "/api/ships", headers={"Content-Length": "0"})
    assert [("content-length" in one.named, one.body) for one in upstream.seen] == [(False, b""), (True, b"")]


def test_a_body_of_unknown_length_is_sent_in_chunks(forward: Any, upstream: Any) -> None:
    parts = [b"a" * 70_000, b"b", b"c" * 100_000]
    assert forward.call("PUT", "/api/ships", iter(parts)).status == 200
    assert upstream.only.body == b"".join(parts)
    assert upstream.only.named["transfer-encoding"] == "chunked"
    assert "content-length" not in upstream.only.named


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_any_method_may_have_a_body(forward: Any, upstream: Any, method: str) -> None:
    forward.call(method, "/api/ships", b"{}", {"Content-Type": "application/json"})
    assert (upstream.only.method, upstream.only.body) == (method, b"{}")
