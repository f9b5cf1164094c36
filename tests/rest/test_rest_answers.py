"""What answers look like: in the media type that was asked for, with a validator, compressed, with declared headers."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import brotli
import pytest
import yaml
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from capably.plan.representations import CSV, JSON, XML, YAML
from capably.servers.preferences import coding, media_type, weights
from capably.servers.rest_answer import Offer, wanted_type
from capably.servers.rest_formats import SPELLINGS, WRITERS, NotFlatError

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.rest.conftest import Served

Serve = Callable[..., "Served"]
SHIPS = [{"imo": "IMO-1", "tons": 12.5, "idle": None}, {"imo": 'two, "2"', "active": True}]
OFFERED = (JSON, YAML, XML, CSV)


@pytest.mark.parametrize(
    ("accept", "told"),
    [
        ("application/json", JSON),
        ("application/yaml", YAML),
        ("text/*", CSV),
        ("text/csv;q=0.5, application/xml;q=0.4", CSV),
        ("application/xml, */*;q=0.1", XML),
        ("application/json;q=0.2, application/yaml;q=0.3", YAML),
        ("application/*;q=0.5, application/json;q=0", YAML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("APPLICATION/XML", XML),
        ("application/json;q=1.0;version=2", JSON),
        ("", JSON),
        ("image/png", None),
        ("application/json;q=0", None),
        ("application/json;q=high", None),
    ],
)
def test_the_best_liked_media_type_is_chosen(accept: str, told: str | None) -> None:
    assert media_type(accept, OFFERED) == told


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("*", "zstd"),
        ("*, zstd;q=0", "br"),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0", None),
        ("deflate", None),
    ],
)
def test_the_best_liked_coding_is_chosen(accept: str, chosen: str | None) -> None:
    assert coding(accept, ("zstd", "br", "gzip")) == chosen


@given(st.text())
def test_any_header_can_be_read(text: str) -> None:
    assert all(0 <= weight <= 1 for weight in weights(text).values())
    assert media_type(text, OFFERED) in {*OFFERED, None}


@given(st.lists(st.sampled_from([YAML, XML, CSV]), unique=True), st.sampled_from(["", "*/*;q=0.1", "a/b, */*"]))
def test_callers_without_wishes_get_what_those_get_who_take_anything(others: list[str], accept: str) -> None:
    kinds = (JSON, *others)
    offer = Offer(kinds, tuple(each for kind in kinds for each in SPELLINGS[kind]))
    wanted = {wanted_type(offer, sent) for sent in ({}, {b"accept": b"*/*"}, {b"accept": accept.encode()})}
    assert wanted == {JSON}


def of_xml(element: ET.Element) -> Any:
    kind = element.get("type")
    if kind == "object":
        return {child.get("key", child.tag): of_xml(child) for child in element}
    if kind == "array":
        return [of_xml(child) for child in element]
    return element.text or "" if kind is None else json.loads(element.text or "null")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_xml_and_yaml_lose_nothing(value: Any) -> None:
    assert of_xml(ET.fromstring(WRITERS[XML][1](value))) == value  # noqa: S314 -- ours
    assert yaml.safe_load(WRITERS[YAML][1](value)) == value


@given(st.text())
def test_whatever_a_text_holds_the_xml_can_be_read(text: str) -> None:
    if not any("\ud800" <= character <= "\udfff" for character in text):
        ET.fromstring(WRITERS[XML][1]({text: text}))  # noqa: S314 -- ours


def test_a_table_has_a_column_for_every_name_that_occurs() -> None:
    rows = list(csv.reader(io.StringIO(WRITERS[CSV][1](SHIPS).decode(), newline="")))
    assert rows == [["imo", "tons", "idle", "active"], ["IMO-1", "12.5", "", ""], ['two, "2"', "", "", "true"]]


@pytest.mark.parametrize("value", [{"a": 1}, [1], [{"a": [1]}], None, "x"])
def test_what_is_not_flat_is_no_table(value: Any) -> None:
    with pytest.raises(NotFlatError):
        WRITERS[CSV][1](value)


@pytest.mark.parametrize("accept", [JSON, YAML, "text/yaml", XML, "text/xml", CSV])
def test_one_answer_is_told_in_every_media_type(serve: Serve, upstream: "Upstream", accept: str) -> None:
    upstream.answer(200, SHIPS)
    answer = serve({}).get("/x", Accept=accept)
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, accept)
    assert answer.headers["vary"] == "accept"
    expected = json.dumps(SHIPS).encode() if accept == JSON else WRITERS[accept][1](SHIPS)
    assert answer.body == expected


def test_what_cannot_be_told_is_refused_before_anything_is_done(serve: Serve, upstream: "Upstream") -> None:
    answer = serve({"method": "POST"}).call("POST", "/x", headers={"Accept": "image/png"})
    assert (answer.status, answer.json["type"]) == (406, "urn:problem-type:capably:not-acceptable")
    assert answer.json["detail"] == (
        "ask for application/json or application/yaml or application/xml or text/csv in Accept"
    )
    assert upstream.requests == []


def test_what_turns_out_to_be_no_table_is_told_otherwise_or_refused(serve: Serve, upstream: "Upstream") -> None:
    served = serve({}, {"method": "POST"})
    for _ in range(3):
        upstream.answer(200, {"a": {"b": 1}})
    assert served.get("/x", Accept="text/csv, application/yaml;q=0.5").text == "a:\n  b: 1\n"
    assert served.get("/x", Accept="text/csv").status == 406
    posted = served.call("POST", "/x", headers={"Accept": "text/csv"})
    assert (posted.status, posted.json) == (200, {"a": {"b": 1}})


def test_failures_and_what_is_not_json_are_told_as_they_came(serve: Serve, upstream: "Upstream") -> None:
    served = serve({})
    upstream.answer(404, {"error": "gone"})
    assert served.get("/x", Accept=YAML).json == {"error": "gone"}
    upstream.answer(200, b"<p>", {"Content-Type": "text/html"})
    assert served.get("/x", Accept=YAML).body == b"<p>"


def test_an_answer_has_a_tag_and_is_not_sent_to_who_has_it(serve: Serve, upstream: "Upstream") -> None:
    served = serve({})
    first = served.get("/x")
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = served.get("/x", If_None_Match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert "content-type" not in again.headers
    assert served.call("HEAD", "/x", headers={"If-None-Match": tag}).status == 304
    upstream.answer(200, {"ok": False})
    changed = served.get("/x", If_None_Match=tag)
    assert (changed.status, changed.json) == (200, {"ok": False})
    assert changed.headers["etag"] != tag


def test_the_tag_and_the_date_of_the_upstream_are_kept(serve: Serve, upstream: "Upstream") -> None:
    served = serve({})
    own = {"ETag": '"v7"', "Last-Modified": "Tue, 24 Nov 2026 00:00:00 GMT", "Cache-Control": "max-age=60"}
    for _ in range(4):
        upstream.answer(200, {"a": 1}, own)
    assert served.get("/x").headers["etag"] == '"v7"'
    known = served.get("/x", If_None_Match='"v7"')
    assert (known.status, known.headers["cache-control"]) == (304, "max-age=60")
    assert served.get("/x", If_Modified_Since="Tue, 24 Nov 2026 00:00:00 GMT").status == 304
    assert served.get("/x", If_Modified_Since="Mon, 23 Nov 2026 00:00:00 GMT").status == 200


@pytest.mark.parametrize(
    ("name", "decode"), [("gzip", gzip.decompress), ("br", brotli.decompress), ("zstd", zstd.decompress)]
)
def test_large_text_is_compressed_for_who_asks(
    serve: Serve, upstream: "Upstream", name: str, decode: Callable[[bytes], bytes]
) -> None:
    large = {"text": "ships " * 1000}
    served = serve({})
    for _ in range(4):
        upstream.answer(200, large)
    plain, coded = served.get("/x"), served.get("/x", Accept_Encoding=name)
    assert decode(coded.body) == plain.body
    assert (coded.headers["content-encoding"], coded.headers["content-length"]) == (name, str(len(coded.body)))
    assert plain.headers["vary"] == coded.headers["vary"] == "accept, accept-encoding"
    assert coded.headers["etag"] == f'{plain.headers["etag"][:-1]}-{name}"'
    assert served.call("HEAD", "/x", headers={"Accept-Encoding": name}).headers["content-length"] == str(
        len(coded.body)
    )
    assert served.get("/x", Accept_Encoding=name, If_None_Match=coded.headers["etag"]).status == 304


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * 1023, {"Content-Type": "text/plain"}),
        (b"x" * 5000, {"Content-Type": "image/png"}),
        (b"x" * 5000, {"Content-Type": "text/plain", "Cache-Control": "no-transform"}),
    ],
)
def test_what_gains_nothing_or_must_stay_as_it_is_is_not_compressed(
    serve: Serve, upstream: "Upstream", body: bytes, headers: dict[str, str]
) -> None:
    upstream.answer(200, body, headers)
    answer = serve({}).get("/x", Accept_Encoding="gzip")
    assert "content-encoding" not in answer.headers
    assert answer.body == body


def test_a_cookie_and_its_page_are_not_compressed_together(serve: Serve, upstream: "Upstream") -> None:
    upstream.answer(200, {"text": "x" * 5000}, {"Set-Cookie": "a=b"})
    answer = serve({"outputParameters": [{"name": "Set-Cookie", "in": "header"}]}).get("/x", Accept_Encoding="gzip")
    assert answer.headers["set-cookie"] == "a=b"
    assert "content-encoding" not in answer.headers


def test_a_compressed_answer_has_a_weak_tag_where_the_upstream_has_one(serve: Serve, upstream: "Upstream") -> None:
    upstream.answer(200, {"text": "x" * 5000}, {"ETag": '"v7"'})
    assert serve({}).get("/x", Accept_Encoding="gzip").headers["etag"] == 'W/"v7"'


HEADERS = [
    {"name": "X-Total", "in": "header", "type": "number", "mapping": "$.total"},
    {"name": "X-Kind", "in": "header", "value": "ships"},
    {"name": "X-Tags", "in": "header", "mapping": "$.tags"},
    {"name": "X-Absent", "in": "header", "mapping": "$.nothing"},
    {"name": "X-Bad", "in": "header", "mapping": "$.bad"},
    {"name": "Link", "in": "header"},
]


def test_outputs_in_headers_are_told_beside_the_body(serve: Serve, upstream: "Upstream") -> None:
    body = {"total": "7", "tags": ["a", 2], "bad": "a\r\nSet-Cookie: b=c", "id": 1}
    upstream.answer(200, body, {"Link": "</y>; rel=next", "X-Secret": "s"})
    answer = serve({"outputParameters": [*HEADERS, {"name": "id", "mapping": "$.id"}]}).get("/x")
    assert answer.json == {"id": 1}
    told = {name: answer.headers.get(name) for name in ("x-total", "x-kind", "x-tags", "x-absent", "x-bad", "link")}
    assert told == {
        "x-total": "7",
        "x-kind": "ships",
        "x-tags": "a, 2",
        "x-absent": None,
        "x-bad": None,
        "link": "</y>; rel=next",
    }
    assert "x-secret" not in answer.headers
    assert "set-cookie" not in answer.headers


def test_headers_alone_leave_the_body_as_it_came(serve: Serve, upstream: "Upstream") -> None:
    served = serve({"outputParameters": HEADERS[:1]})
    upstream.answer(200, b'{ "total": 3 }', {"Content-Type": "application/json"})
    answer = served.get("/x")
    assert (answer.body, answer.headers["x-total"]) == (b'{ "total": 3 }', "3")
    upstream.answer(500, {"total": 3})
    assert "x-total" not in served.get("/x").headers


@pytest.mark.parametrize("name", ["Content-Length", "Content-Type", "Access-Control-Allow-Origin", "a b", "Connection"])
def test_a_header_that_is_not_the_document_s_to_say_is_left_out(told: Any, name: str) -> None:
    assert [code for code, _ in told({"outputParameters": [{"name": name, "in": "header", "value": "1"}]})] == [
        "OUT008"
    ]


def test_a_location_of_the_upstream_is_told_only_where_it_is_declared(serve: Serve, upstream: "Upstream") -> None:
    for _ in range(2):
        upstream.answer(201, {"id": 1}, {"Location": "http://internal.test/1"})
    silent, open_ = {"method": "POST"}, {"method": "POST", "path": "/y"}
    served = serve(silent, {**open_, "outputParameters": [{"name": "Location", "in": "header", "value": "/x/1"}]})
    assert "location" not in served.call("POST", "/x").headers
    assert served.call("POST", "/y").headers["location"] == "/x/1"
