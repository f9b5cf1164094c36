"""Lists and objects in paths, queries, headers and cookies: the table of OpenAPI 3.1, and nothing lost on the way."""

from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.expr.source import FromInput
from capably.upstream.request import Layout, PathValue, Request, RequestTemplate, Style, build_request

COLOURS = ["blue", "black", "brown"]
RGB = {"R": 100, "G": 200, "B": 150}
TEXT = st.text(st.characters(codec="utf-8"))
NAMES = st.text(st.characters(codec="utf-8"), min_size=1)
X = FromInput("color")


def build(place: str, value: Any, style: str, *, explode: bool) -> Request:
    layout = Layout(Style(style), explode)
    parts: dict[str, Any] = {"path": ("/", PathValue("color", X, layout))} if place == "path" else {"path": ("",)}
    if place != "path":
        field = {"query": "query", "header": "headers", "cookie": "cookies"}[place]
        parts |= {field: (("color", X),), "layouts": {(place, "color"): layout}}
    return build_request(RequestTemplate("GET", "http://up.test", **parts), {"color": value})


@pytest.mark.parametrize(
    ("style", "explode", "array", "mapping"),
    [
        ("form", True, "color=blue&color=black&color=brown", "R=100&G=200&B=150"),
        ("form", False, "color=blue,black,brown", "color=R,100,G,200,B,150"),
        ("spaceDelimited", False, "color=blue%20black%20brown", "color=R%20100%20G%20200%20B%20150"),
        ("spaceDelimited", True, "color=blue&color=black&color=brown", "R=100&G=200&B=150"),
        ("pipeDelimited", False, "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200%7CB%7C150"),
        (
            "deepObject",
            True,
            "color=blue&color=black&color=brown",
            "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150",
        ),
    ],
)
def test_the_styles_of_a_query(style: str, explode: bool, array: str, mapping: str) -> None:  # noqa: FBT001 -- a table
    assert build("query", COLOURS, style, explode=explode).url == f"http://up.test?{array}"
    assert build("query", RGB, style, explode=explode).url == f"http://up.test?{mapping}"
    assert build("query", "blue", style, explode=explode).url == "http://up.test?color=blue"


@pytest.mark.parametrize(
    ("style", "explode", "single", "array", "mapping"),
    [
        ("simple", False, "blue", "blue,black,brown", "R,100,G,200,B,150"),
        ("simple", True, "blue", "blue,black,brown", "R=100,G=200,B=150"),
        ("label", False, ".blue", ".blue,black,brown", ".R,100,G,200,B,150"),
        ("label", True, ".blue", ".blue.black.brown", ".R=100.G=200.B=150"),
        ("matrix", False, ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150"),
        ("matrix", True, ";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150"),
    ],
)
def test_the_styles_of_a_path(style: str, explode: bool, single: str, array: str, mapping: str) -> None:  # noqa: FBT001
    for value, expected in (("blue", single), (COLOURS, array), (RGB, mapping)):
        assert build("path", value, style, explode=explode).url == f"http://up.test/{expected}"


def test_the_style_of_a_header() -> None:
    assert build("header", COLOURS, "simple", explode=False).headers == (("color", "blue,black,brown"),)
    assert build("header", RGB, "simple", explode=True).headers == (("color", "R=100,G=200,B=150"),)


def test_the_style_of_a_cookie() -> None:
    assert build("cookie", COLOURS, "form", explode=False).headers == (("Cookie", "color=blue,black,brown"),)


@given(st.lists(TEXT, min_size=2))
def test_lists_arrive_item_by_item(values: list[str]) -> None:
    together = build("query", values, "form", explode=False).url.partition("?color=")[2]
    assert [unquote(part) for part in together.split(",")] == values
    apart = build("query", values, "form", explode=True).url.partition("?")[2]
    assert parse_qsl(apart, keep_blank_values=True) == [("color", value) for value in values]


@given(st.dictionaries(NAMES, TEXT, min_size=1))
def test_objects_arrive_field_by_field(value: dict[str, str]) -> None:
    deep = build("query", value, "deepObject", explode=True).url.partition("?")[2]
    assert parse_qsl(deep, keep_blank_values=True) == [(f"color[{name}]", text) for name, text in value.items()]
    form = build("query", value, "form", explode=True).url.partition("?")[2]
    assert parse_qsl(form, keep_blank_values=True) == list(value.items())


def test_deep_objects_go_as_deep_as_they_are() -> None:
    url = build("query", {"a": {"b": [1, {"c": True}]}, "d": None}, "deepObject", explode=True).url
    assert parse_qsl(url.partition("?")[2], keep_blank_values=True) == [
        ("color[a][b]", "1"),
        ("color[a][b]", '{"c":true}'),
        ("color[d]", ""),
    ]


@pytest.mark.parametrize(
    ("stated", "value", "url"),
    [
        ({}, ["a", "b"], "/x?q=a&q=b"),
        ({"explode": False}, ["a", "b"], "/x?q=a,b"),
        ({"style": "pipeDelimited"}, ["a", "b"], "/x?q=a%7Cb"),
        ({"style": "PIPEDELIMITED"}, ["a", "b"], "/x?q=a%7Cb"),
        ({"collectionFormat": "csv"}, ["a", "b"], "/x?q=a,b"),
        ({"collectionFormat": "ssv"}, ["a", "b"], "/x?q=a%20b"),
        ({"collectionFormat": "tsv"}, ["a", "b"], "/x?q=a%09b"),
        ({"collectionFormat": "pipes"}, ["a", "b"], "/x?q=a%7Cb"),
        ({"collectionFormat": "multi"}, ["a", "b"], "/x?q=a&q=b"),
        ({"type": "object"}, {"a": 1}, "/x?q=%7B%22a%22%3A1%7D"),
        ({"type": "object", "style": "form"}, {"a": 1}, "/x?a=1"),
        ({"type": "object", "style": "deepObject"}, {"a": 1}, "/x?q%5Ba%5D=1"),
    ],
)
def test_a_document_says_how_lists_and_objects_are_written(compiled: Any, stated: Any, value: Any, url: str) -> None:
    parameter = {"name": "q", "in": "query", "type": "array", **stated}
    found = compiled({"inputParameters": [parameter]})
    assert found.told == []
    assert found.url(q=value) == url


def test_a_path_parameter_has_a_style_too(compiled: Any) -> None:
    parameter = {"name": "Q", "in": "path", "type": "array", "style": "label", "explode": True}
    assert compiled({"inputParameters": [parameter]}, "/x{q}").url(Q=["a", "b/c"]) == "/x.a.b%2Fc"
    plain = {"name": "q", "in": "path", "type": "array", "collectionFormat": "csv"}
    assert compiled({"inputParameters": [plain]}, "/x/{q}").url(q=["a", "b"]) == "/x/a,b"


def test_a_style_nobody_knows_is_told(compiled: Any) -> None:
    found = compiled({"inputParameters": [{"name": "q", "in": "query", "style": "deepObjects"}]})
    assert [code for code, _message in found.told] == ["DOC010"]
