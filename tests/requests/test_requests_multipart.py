"""Multipart forms, read by two parsers that know nothing of us: Python's `email` and `python-multipart`."""

import base64
import io
import json
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import Field, File, parse_form

from capably.expr.source import Constant, FromInput
from capably.upstream import multipart
from capably.upstream.request import BodyKind, BodyTemplate, PartTemplate, RequestError, RequestTemplate, build_request

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
PNG64 = base64.b64encode(PNG).decode("ascii")
Read = list[tuple[str, str | None, str | None, bytes]]


def read(headers: dict[str, str], body: bytes) -> Read:
    """Name, file name, media type and content of each part, as `email` reads them."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + body, policy=policy.HTTP)
    parts = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(content, bytes)
        media_type = part.get_content_type() if "Content-Type" in part else None
        parts.append((name, part.get_filename(), media_type, content))
    return parts


def read_streaming(headers: dict[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of each part, as `python-multipart` reads them."""
    parts: list[tuple[bytes, bytes]] = []

    def on_field(item: Any) -> None:
        assert isinstance(item, Field)
        parts.append((item.field_name or b"", item.value or b""))

    def on_file(item: Any) -> None:
        assert isinstance(item, File)
        item.file_object.seek(0)
        parts.append((item.field_name or b"", item.file_object.read()))

    raw: Any = {"Content-Type": headers["Content-Type"].encode(), "Content-Length": str(len(body)).encode()}
    parse_form(raw, io.BytesIO(body), on_field, on_file)
    return parts


def post(data: Any, kind: str = "multipartForm") -> dict[str, Any]:
    return {"method": "POST", "body": {"type": kind, "data": data}}


def parts_of(compiled: Any, data: Any, **inputs: Any) -> Read:
    found = compiled(post(data))
    assert found.told == []
    request = found.request(**inputs)
    return read(dict(request.headers), request.body)


def test_listed_parts_are_sent_in_their_order(compiled: Any) -> None:
    data = [
        {"name": "note", "value": "say {{x}}"},
        {"name": "photo", "value": "{{photo}}", "filename": "{{x}}.png", "contentType": "image/png"},
        {"name": "sheet", "value": "a,{{x}}", "filename": "a.csv"},
        {"name": "meta", "value": {"a": "{{x}}"}},
        {"name": "count", "value": 3, "mediaType": "text/x-number"},
    ]
    assert parts_of(compiled, data, x="v", photo=PNG64) == [
        ("note", None, None, b"say v"),
        ("photo", "v.png", "image/png", PNG),
        ("sheet", "a.csv", "text/csv", b"a,v"),
        ("meta", None, "application/json", b'{"a":"v"}'),
        ("count", None, "text/x-number", b"3"),
    ]


@pytest.mark.parametrize("kind", ["multipart", "multipartForm", "multipart-form", "form-data", "multipart/form-data"])
def test_a_mapping_is_a_form_too(compiled: Any, kind: str) -> None:
    found = compiled(post({"file": "{{file}}", "category": "{{category}}", "tags": ["a", "b"]}, kind))
    assert found.told == []
    request = found.request(file=f"data:image/png;base64,{PNG64}", category="hull")
    assert dict(request.headers)["Content-Type"].startswith("multipart/form-data; boundary=")
    assert read(dict(request.headers), request.body) == [
        ("file", "file", "image/png", PNG),
        ("category", None, None, b"hull"),
        ("tags", None, None, b"a"),
        ("tags", None, None, b"b"),
    ]


def test_text_that_looks_like_base64_stays_text_where_text_is_due(compiled: Any) -> None:
    data = [
        {"name": "a", "value": "{{x}}"},
        {"name": "b", "value": "{{x}}", "contentType": "application/json"},
        {"name": "c", "value": "{{x}}", "filename": "a.txt"},
        {"name": "d", "value": "{{x}}", "filename": "a.bin"},
    ]
    assert [content for *_, content in parts_of(compiled, data, x="aGk=")] == [b"aGk=", b"aGk=", b"aGk=", b"hi"]


def test_absent_parts_are_left_out_and_lists_are_repeated(compiled: Any) -> None:
    data = [{"name": "a", "value": "{{x}}"}, {"name": "b", "value": "{{y}}"}]
    tool = {
        "inputParameters": [{"name": "x", "required": False}, {"name": "y", "type": "array", "required": False}],
    }
    request = compiled(post(data), tool=tool).request(y=["1", 2])
    assert [(name, content) for name, *_, content in read(dict(request.headers), request.body)] == [
        ("b", b"1"),
        ("b", b"2"),
    ]


def test_a_content_type_header_makes_a_form_of_body_parameters(compiled: Any) -> None:
    fields = [{"name": "a", "in": "body", "type": "string"}, {"name": "b", "in": "body", "type": "object"}]
    header = {"name": "Content-Type", "in": "header", "value": "multipart/form-data"}
    request = compiled({"method": "POST", "inputParameters": [*fields, header]}).request(a="v", b={"c": 1})
    assert [name for name, _value in request.headers] == ["Content-Type"]
    assert read(dict(request.headers), request.body) == [
        ("a", None, None, b"v"),
        ("b", None, "application/json", json.dumps({"c": 1}, separators=(",", ":")).encode()),
    ]


def build(parts: tuple[PartTemplate, ...], inputs: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    body = BodyTemplate(BodyKind.MULTIPART, Constant({}), parts=parts)
    request = build_request(RequestTemplate("POST", "http://up.test", ("/",), body=body), inputs)
    assert request.body is not None
    return dict(request.headers), request.body


TEXT = st.text(st.characters(codec="utf-8"))
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters='"\\;'), min_size=1)


@given(NAMES, TEXT.filter(lambda text: not text.startswith("data:")), st.binary())
def test_any_value_survives_the_trip(name: str, text: str, content: bytes) -> None:
    inputs = {"name": name, "text": text, "file": f"data:;base64,{base64.b64encode(content).decode()}"}
    parts = (
        PartTemplate(FromInput("name"), FromInput("text")),
        PartTemplate(Constant("f"), FromInput("file"), Constant("f.bin")),
    )
    headers, body = build(parts, inputs)
    assert read_streaming(headers, body) == [(name.encode(), text.encode()), (b"f", content)]


def test_names_are_written_as_browsers_do(compiled: Any) -> None:
    data = [{"name": 'a"b', "value": "1", "filename": "{{x}}", "contentType": "text/plain"}]
    request = compiled(post(data)).request(x='é"\r\nX-Evil: 1\n.txt')
    assert 'name="a%22b"; filename="é%22%0D%0AX-Evil: 1%0D%0A.txt"'.encode() in request.body


@pytest.mark.parametrize("inputs", [{"x": "a\x00b"}, {"t": "text/plain\r\nX-Evil: 1"}])
def test_what_could_end_a_header_is_refused(inputs: dict[str, str]) -> None:
    part = PartTemplate(Constant("a"), Constant("1"), FromInput("x"), FromInput("t"))
    with pytest.raises(RequestError):
        build((part,), {"x": "f", "t": "text/plain", **inputs})


def test_the_boundary_never_occurs_in_the_content() -> None:
    """A boundary is made from the content; content that holds the one made from it gets another."""
    part = multipart.Part("a", b"x")
    _body, first = multipart.encode([part])
    assert multipart.encode([part])[1] == first  # the same form, the same bytes
    _body, second = multipart.encode([multipart.Part("a", b"x" + first.encode())])
    assert first != second


def test_a_boundary_that_occurs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = iter(["0" * 64, "1" * 64])

    class Digest:
        def update(self, _data: bytes) -> None:
            pass

        def hexdigest(self) -> str:
            return next(digests)

    monkeypatch.setattr("capably.upstream.multipart.hashlib.sha256", Digest)
    _body, boundary = multipart.encode([multipart.Part("a", b"capably-" + b"0" * 40)])
    assert boundary == "capably-" + "1" * 40


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"name": "a"}, "a part of a multipart body needs `name` and `value`"),
        ("text", "a part of a multipart body needs `name` and `value`"),
        ({"name": "a", "value": "b", "fileName": "c"}, "`fileName` is not a key of a multipart part"),
    ],
)
def test_a_part_that_is_not_complete_is_told(compiled: Any, part: Any, message: str) -> None:
    assert compiled(post([part])).told[0] == ("BOD003", message)
