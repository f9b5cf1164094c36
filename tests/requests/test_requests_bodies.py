"""Declared bodies: every type and spelling, values encoded for where they stand, absent ones left out."""

import base64
import json
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from capably.document import parse_document, plain
from capably.expr.source import Constant, Fields, FromInput, Text
from capably.upstream.escapes import in_sparql
from capably.upstream.request import BodyKind, BodyTemplate, RequestError, RequestTemplate, build_request
from capably.upstream.yaml_text import to_yaml

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
PNG64 = base64.b64encode(PNG).decode("ascii")
TEXT = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)
X = FromInput("x")


def sent(kind: BodyKind, source: Any, value: Any) -> bytes:
    body = build_request(
        RequestTemplate("POST", "http://up.test", ("/",), body=BodyTemplate(kind, source)), {"x": value}
    ).body
    assert body is not None
    return body


def post(body: Any, *headers: dict[str, Any]) -> dict[str, Any]:
    return {"method": "POST", "body": body, "inputParameters": [{"in": "header", **one} for one in headers]}


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        ("json", "application/json", b'"v&"'),
        ("JSON", "application/json", b'"v&"'),
        ("form", "application/x-www-form-urlencoded", b"v&"),
        ("formUrlEncoded", "application/x-www-form-urlencoded", b"v&"),
        ("form-url-encoded", "application/x-www-form-urlencoded", b"v&"),
        ("x-www-form-urlencoded", "application/x-www-form-urlencoded", b"v&"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded", b"v&"),
        ("text", "text/plain; charset=utf-8", b"v&"),
        ("raw", "text/plain; charset=utf-8", b"v&"),
        ("plain", "text/plain; charset=utf-8", b"v&"),
        ("text/csv", "text/csv", b"v&"),
        ("xml", "application/xml", b"v&"),
        ("text/xml", "text/xml", b"v&"),
        ("application/soap+xml", "application/soap+xml", b"v&"),
        ("sparql", "application/sparql-query", b"v&"),
        ("sparqlQuery", "application/sparql-query", b"v&"),
        ("yaml", "application/yaml", b"v&\n"),
        ("yml", "application/yaml", b"v&\n"),
        ("binary", "application/octet-stream", b"v&"),
        ("octet-stream", "application/octet-stream", b"v&"),
        ("file", "application/octet-stream", b"v&"),
        ("application/pdf", "application/pdf", b"v&"),
        ("application/vnd.ships+json", "application/vnd.ships+json", b'"v&"'),
        ("graphql", "application/json", b'{"query":"v&"}'),
    ],
)
def test_every_spelling_of_a_type_is_known(compiled: Any, name: str, media_type: str, content: bytes) -> None:
    found = compiled(post({"type": name, "data": "{{x}}"}))
    assert found.told == []
    request = found.request(x="v&")
    assert (dict(request.headers), request.body) == ({"Content-Type": media_type}, content)


@pytest.mark.parametrize(
    ("name", "advice"), [("jsn", "json"), ("multipartFrom", "multipartForm"), ("grapql", "graphql")]
)
def test_an_unknown_type_is_told_with_the_nearest(compiled: Any, name: str, advice: str) -> None:
    found = compiled(post({"type": name, "data": 1}))
    (finding,) = [item for item in found.examined.diagnostics if item.code == "BOD001"]
    assert finding.help == (f"did you mean `{advice}`?",)


@pytest.mark.parametrize("key", ["contentType", "mediaType"])
def test_a_body_states_its_media_type(compiled: Any, key: str) -> None:
    typed = compiled(post({"type": "json", key: "application/{{kind}}+json", "data": {"a": 1}}))
    request = typed.request(kind="ld")
    assert (dict(request.headers), request.body) == ({"Content-Type": "application/ld+json"}, b'{"a":1}')
    alone = compiled(post({key: "text/csv", "data": "a,{{x}}"}))
    assert alone.request(x="b").body == b"a,b"


@pytest.mark.parametrize(
    "body",
    [
        {"type": "text", "text": "{{x}}"},
        {"type": "message", "data": {"a": "{{x}}"}, "attributes": {}},
        {"data": {"type": "ships", "id": "{{x}}"}, "meta": {}},
        {"type": {"a": 1}, "data": "{{x}}"},
    ],
)
def test_an_object_that_only_looks_typed_is_json_itself(compiled: Any, body: Any) -> None:
    found = compiled(post(body))
    assert found.told == []
    assert json.loads(found.request(x="v").body) == json.loads(json.dumps(body).replace("{{x}}", "v"))


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/json", b'{"a":"v w","b":["x","y"]}'),
        ("application/x-www-form-urlencoded", b"a=v+w&b=x&b=y"),
        ("application/x-yaml", b"a: v w\nb:\n- x\n- y\n"),
    ],
)
def test_a_content_type_header_decides_how_an_untyped_body_is_written(
    compiled: Any, media_type: str, content: bytes
) -> None:
    fields = [{"name": "a", "in": "body", "type": "string"}, {"name": "b", "in": "body", "type": "array"}]
    stated = {"name": "Content-Type", "in": "header", "value": media_type}
    operation = {"method": "POST", "inputParameters": [*fields, stated]}
    request = compiled(operation).request(a="v w", b=["x", "y"])
    assert (request.headers, request.body) == ((("Content-Type", media_type),), content)


def test_the_caller_may_decide_the_content_type(compiled: Any) -> None:
    header = {"name": "Content-Type", "in": "header"}
    operation = {"method": "POST", "inputParameters": [{"name": "body", "in": "body", "type": "object"}, header]}
    form = compiled(operation).request(body={"a": "&"}, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert form.body == b"a=%26"
    assert compiled(operation).request(body={"a": "&"}).body == b'{"a":"&"}'


def test_several_parameters_form_one_object_without_those_that_are_absent(compiled: Any) -> None:
    fields = [{"name": name, "in": "body", "type": kind} for name, kind in (("a", "integer"), ("b", "object"))]
    operation = {"method": "PUT", "inputParameters": [*fields, {"name": "c", "in": "body", "type": "string"}]}
    assert compiled(operation).request(a=1, b={"d": None}).body == b'{"a":1,"b":{"d":null}}'


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ('[{"a": 1}]', b'[{"a":1}]'),
        ('{"a": 1.50}', b'{"a":1.5}'),
        ("7", b'"7"'),
        ("[1", b'"[1"'),
        ("say [1]", b'"say [1]"'),
        ("[" * 100_000, b'"' + b"[" * 100_000 + b'"'),
    ],
)
def test_a_text_that_is_the_whole_of_a_json_body_may_be_json_itself(compiled: Any, value: str, content: bytes) -> None:
    assert compiled(post({"type": "json", "data": "{{x}}"})).request(x=value).body == content


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
def test_any_method_has_a_body_when_one_is_declared(compiled: Any, method: str) -> None:
    assert compiled({"method": method, "body": {"a": "{{x}}"}}).request(x="1").body == b'{"a":"1"}'


@pytest.mark.parametrize("kind", ["text", "binary", "octet-stream"])
def test_text_and_bytes_have_no_names_so_an_only_field_is_the_body(compiled: Any, kind: str) -> None:
    assert compiled(post({"type": kind, "data": {"file": "{{x}}"}})).request(x="v w").body == b"v w"


def test_values_in_a_form_that_is_text_are_encoded(compiled: Any) -> None:
    found = compiled(post({"type": "form", "data": "a=1&b={{x}}&c={{y}}"}))
    assert parse_qsl(found.request(x="&=+ é", y="2").body.decode()) == [("a", "1"), ("b", "&=+ é"), ("c", "2")]


@pytest.mark.parametrize(
    ("given_text", "content", "media_type"),
    [
        (PNG64, PNG, "application/octet-stream"),
        (f"data:image/png;base64,{PNG64}", PNG, "image/png"),
        ("data:text/plain;charset=utf-8,a%20b", b"a b", "text/plain;charset=utf-8"),
        ("data:;base64,", b"", "application/octet-stream"),
        ("no base64!", b"no base64!", "application/octet-stream"),
        ("abc", b"abc", "application/octet-stream"),
        (base64.urlsafe_b64encode(b"\xfb\xff\xfe").decode(), b"\xfb\xff\xfe", "application/octet-stream"),
        (f"{PNG64[:8]}\r\n{PNG64[8:]}", PNG, "application/octet-stream"),
        ("data:image/png;base64,%%%", b"data:image/png;base64,%%%", "application/octet-stream"),
    ],
)
def test_bytes_are_given_as_text(compiled: Any, given_text: str, content: bytes, media_type: str) -> None:
    request = compiled(post({"type": "binary", "data": "{{x}}"})).request(x=given_text)
    assert (request.body, dict(request.headers)["Content-Type"]) == (content, media_type)


def test_a_stated_media_type_is_kept_for_bytes(compiled: Any) -> None:
    found = compiled(post({"type": "binary", "contentType": "image/webp", "data": "{{x}}"}))
    request = found.request(x=f"data:image/png;base64,{PNG64}")
    assert (request.body, dict(request.headers)["Content-Type"]) == (PNG, "image/webp")


@given(st.binary())
def test_any_bytes_survive_the_trip(value: bytes) -> None:
    assert sent(BodyKind.BINARY, X, f"data:;base64,{base64.b64encode(value).decode()}") == value


@given(JSON)
def test_any_value_survives_the_trip_into_json_and_yaml(value: Any) -> None:
    source = Fields((("a", X), ("b", Constant([None]))))
    expected = {"a": value, "b": [None]}
    assert json.loads(sent(BodyKind.JSON, source, value)) == expected
    text = sent(BodyKind.YAML, source, value)
    assert yaml.safe_load(text) == expected
    document, problems = parse_document("", text)
    assert not problems
    assert document is not None
    assert document.root is not None
    assert plain(document.root) == expected


@pytest.mark.parametrize(
    "text", ["on", "0o17", "1e3", "12:30", "2015-02-01", "~", "", "a: b", "- a", "\x85", "0x1F", "="]
)
def test_no_text_is_something_else_in_yaml(text: str) -> None:
    assert yaml.safe_load(to_yaml({text: text})) == {text: text}


def test_a_yaml_text_is_read_and_its_leaves_keep_their_types(compiled: Any) -> None:
    found = compiled(post({"type": "yaml", "data": "a: {{x}}\nb: [1, 'say {{x}}']\n"}))
    assert yaml.safe_load(found.request(x="- {no: list}").body) == {"a": "- {no: list}", "b": [1, "say - {no: list}"]}


@given(st.dictionaries(TEXT, TEXT | st.lists(TEXT, min_size=1)))
def test_any_value_survives_the_trip_into_a_form(value: dict[str, Any]) -> None:
    pairs = parse_qsl(sent(BodyKind.FORM, X, value).decode("ascii"), keep_blank_values=True)
    assert pairs == [
        (name, text) for name, item in value.items() for text in ([item] if isinstance(item, str) else item)
    ]


XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


@given(st.text(st.sampled_from("\t\r\n ]>&<'\"a")) | XML_TEXT)
def test_any_value_survives_the_trip_into_xml(value: str) -> None:
    source = Text(("<a b='", X, "' c=\"", X, '"><d>', X, "</d><e><![CDATA[", X, "]]></e><f>", X, "</f></a>"))
    parsed = ET.fromstring(sent(BodyKind.XML, source, value))  # noqa: S314 -- our own bytes
    found = [parsed.get("b"), parsed.get("c"), *(item.text or "" for item in parsed)]
    plain_end = value.replace("\r\n", "\n").replace("\r", "\n")  # a CDATA section has no way to keep them
    assert found == [value, value, value, plain_end, value]


def test_what_xml_cannot_say_is_refused() -> None:
    with pytest.raises(RequestError, match="XML, which has no way to write"):
        sent(BodyKind.XML, Text(("<a>", X, "</a>")), "\x00")


@pytest.mark.parametrize(
    ("before", "value", "escaped"),
    [
        ('SELECT * { ?s ?p "', 'a"} DROP ALL #\\', 'a\\"} DROP ALL #\\\\'),
        ("FILTER(?a = '", "it's\n", "it\\'s\\n"),
        ('SELECT """ " ', '"""', '\\"\\"\\"'),
        ('SELECT "done" ', "?x", "?x"),
        ('PREFIX a: <http://a.test/#> SELECT "', '"', '\\"'),
        ("GRAPH <http://a.test/", "> { } #", "%3E%20%7B%20%7D%20#"),
        ("# it's\nLIMIT ", "10", "10"),
        ("FILTER(?n < ", "5", "5"),
    ],
)
def test_values_in_sparql_stay_inside_strings_and_iris(before: str, value: str, escaped: str) -> None:
    assert in_sparql(value, before) == escaped


def test_an_absent_value_leaves_out_the_text_it_is_in(compiled: Any) -> None:
    optional = [{"name": "x", "in": "query"}]
    operation = {"method": "POST", "inputParameters": optional, "body": {"type": "xml", "data": "<a>{{x}}</a>"}}
    assert compiled(operation, tool={"inputParameters": [{"name": "x", "required": False}]}).request().body is None
