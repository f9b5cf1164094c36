"""Where inputs come from: every part of a request, and forms; what is not known is told."""

import json
from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.servers.forms import FormError, read_form

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.rest.conftest import Served

Serve = Callable[..., "Served"]
FIELDS = [
    {"name": "name", "in": "body", "type": "string", "required": True},
    {"name": "tons", "in": "body", "type": "number"},
    {"name": "idle", "in": "body", "type": "boolean"},
    {"name": "tags", "in": "body", "type": "array", "items": {"type": "string"}},
    {"name": "paper", "in": "body", "type": "string"},
]
FORM = {"method": "POST", "inputParameters": FIELDS, "consumed": {"inputParameters": FIELDS}}
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


def test_all_faults_of_a_request_are_told_at_once(serve: Serve, upstream: "Upstream") -> None:
    inputs: list[dict[str, Any]] = [
        {"name": "id", "in": "path", "type": "integer"},
        {"name": "status", "in": "query", "type": "string", "enum": ["active", "idle"]},
        {"name": "X-Trace", "in": "header", "type": "string", "pattern": "^[a-f]+$"},
        {"name": "lang", "in": "cookie", "type": "string", "enum": ["en"]},
        {"name": "since", "in": "query", "type": "string", "format": "date"},
        {"name": "name", "in": "body", "type": "string", "required": True},
        {"name": "crew", "in": "body", "type": "object", "properties": {"size": {"type": "integer"}}},
    ]
    served = serve({"method": "POST", "path": "/ships/{id}", "inputParameters": inputs})
    headers = {"X-Trace": "xyz", "Cookie": "lang=fr"}
    answer = served.call("POST", "/ships/one?status=lost&since=today", {"crew": {"size": "many"}}, headers)
    assert answer.status == 400
    places = {(item["input"], item["in"]) for item in answer.json["errors"]}
    assert places == {
        ("id", "path"),
        ("status", "query"),
        ("X-Trace", "header"),
        ("lang", "cookie"),
        ("since", "query"),
        ("name", "body"),
        ("crew", "body"),
    }
    assert upstream.requests == []


def test_a_form_gives_fields_in_their_types(serve: Serve, upstream: "Upstream") -> None:
    body = "name=Northern+Star&tons=12.5&idle=on&tags=a&tags=%C3%A9"
    assert serve(FORM).call("POST", "/x", body, URLENCODED).status == 200
    expected = {"name": "Northern Star", "tons": 12.5, "idle": True, "tags": ["a", "é"]}
    assert json.loads(upstream.only.body) == expected


def test_a_multipart_form_gives_fields_and_files(serve: Serve, upstream: "Upstream") -> None:
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nNorth\r\nern',
        b'--b\r\nContent-Disposition: form-data; name="paper"; filename="p"\r\nContent-Type: image/png\r\n\r\n\x89\r\n',
        b"--b--\r\n",
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert serve(FORM).call("POST", "/x", b"\r\n".join(parts), headers).status == 200
    assert json.loads(upstream.only.body) == {"name": "North\r\nern", "paper": "data:image/png;base64,iQ0K"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"--b\r\n", "multipart/form-data"),
        (b"--b\r\nx", "multipart/form-data; boundary=b"),
        (b"--b\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b"),
        (b"--bx\r\n\r\n--b--", "multipart/form-data; boundary=b"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(
    serve: Serve, upstream: "Upstream", body: bytes, content_type: str
) -> None:
    answer = serve(FORM).call("POST", "/x", body, {"Content-Type": content_type})
    assert (answer.status, answer.json["type"]) == (400, "urn:problem-type:capably:malformed-body")
    assert upstream.requests == []


@given(st.binary(max_size=80), st.text(max_size=40))
def test_whatever_comes_as_a_form_is_read_or_refused(body: bytes, parameters: str) -> None:
    for kind in (
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        f"multipart/form-data;{parameters}",
    ):
        try:
            fields = read_form(body, kind)
        except FormError:
            continue
        assert all(isinstance(value, str) for values in fields.values() for value in values)


@given(st.dictionaries(st.text("abc", min_size=1), st.binary(max_size=60), max_size=4))
def test_files_of_a_form_come_back_byte_for_byte(files: dict[str, bytes]) -> None:
    head = 'Content-Disposition: form-data; name="{}"; filename="f"\r\nContent-Type: a/b\r\n\r\n'
    parts = [b"--=bound\r\n" + head.format(name).encode() + content + b"\r\n" for name, content in files.items()]
    read = read_form(b"".join(parts) + b"--=bound--", 'multipart/form-data; boundary="=bound"')
    assert {name: b64decode(value[0].partition(",")[2]) for name, value in read.items()} == files


def test_what_is_not_known_is_told_and_left_aside(serve: Serve, upstream: "Upstream") -> None:
    served = serve({"inputParameters": [{"name": "status", "in": "query"}]}, FORM)
    answer = served.get("/x?status=a&statsu=b&_=1")
    assert (answer.status, answer.headers["capably-ignored"]) == (200, "query.statsu, query._")
    answer = served.call("POST", "/x", {"name": "a", "colour\r\n": "b"})
    assert (answer.status, answer.headers["capably-ignored"]) == (200, "body.colour%0D%0A")
    assert "capably-ignored" not in served.get("/x?status=a").headers


def test_who_prefers_strict_handling_has_it_refused(serve: Serve, upstream: "Upstream") -> None:
    served = serve({"inputParameters": [{"name": "status", "in": "query"}]})
    answer = served.get("/x?statsu=b", Prefer="return=minimal, handling=strict")
    assert (answer.status, answer.json["type"]) == (400, "urn:problem-type:capably:invalid-input")
    assert answer.json["errors"] == [
        {"input": "statsu", "in": "query", "detail": "there is no input `statsu`: did you mean `status`?"}
    ]
    assert upstream.requests == []
    assert served.get("/x?status=b", Prefer="handling=strict").status == 200


def test_a_key_in_the_query_is_for_the_server(serve: Serve, upstream: "Upstream") -> None:
    block = {"type": "apikey", "key": "key", "value": "s", "placement": "query"}
    served = serve({}, authentication=block)
    answer = served.get("/x?key=s")
    assert (answer.status, "capably-ignored" in answer.headers) == (200, False)
