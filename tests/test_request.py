"""Whatever a caller sends arrives upstream as the value it was, and as nothing else."""

import json
import string
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from capably.expr.source import (
    ABSENT,
    Constant,
    Fields,
    FromInput,
    Items,
    Source,
    Text,
    as_text,
    evaluate,
)
from capably.upstream.request import (
    BodyKind,
    BodyTemplate,
    PathValue,
    Request,
    RequestError,
    RequestTemplate,
    build_request,
)

BASE = "https://ships.example/v1"
X = FromInput("x")
BODY_X = FromInput("body", ("customer", "x"))
FORBIDDEN_IN_HEADERS = [chr(code) for code in [*range(9), *range(10, 32), 127]]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
SCALARS = st.booleans() | st.integers() | st.text()


def build(inputs: dict[str, Any], path: tuple[str | PathValue, ...] = ("/ships",), **parts: Any) -> Request:
    return build_request(RequestTemplate("GET", BASE, path, **parts), inputs)


def build_path(value: Any, before: str = "/ships/", after: str = "/crew") -> Request:
    return build({"x": value}, (before, PathValue("x", X), after))


def sent_body(kind: BodyKind, source: Source, inputs: dict[str, Any]) -> bytes | None:
    return build(inputs, body=BodyTemplate(kind, source)).body


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("a?b=c", "a%3Fb%3Dc"),
        ("a#b", "a%23b"),
        ("50%", "50%25"),
        ("%2e%2e", "%252e%252e"),
        ("""it's "it\"""", "it%27s%20%22it%22"),
        ("{x}", "%7Bx%7D"),
        ("{{x}}", "%7B%7Bx%7D%7D"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("a\\b", "a%5Cb"),
        ("a\r\nHost: b", "a%0D%0AHost%3A%20b"),
        ("...", "..."),
        (9321483, "9321483"),
        (True, "true"),
        (["a,b", 1], "a%2Cb,1"),
        ({"a": 1}, "%7B%22a%22%3A1%7D"),
    ],
)
def test_an_identifier_arrives_as_one_segment(value: object, segment: str) -> None:
    assert build_path(value).url == f"{BASE}/ships/{segment}/crew"


@given(SCALARS.filter(lambda value: value not in {"", ".", ".."}))
def test_any_path_value_survives_the_trip(value: object) -> None:
    parts = urlsplit(build_path(value).url)
    assert (parts.query, parts.fragment) == ("", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "v1", "ships", as_text(value), "crew"]


@given(st.text(string.ascii_letters + "0-._~%/+ é", min_size=1).filter(lambda value: value not in {".", ".."}))
def test_a_value_that_needs_no_encoding_is_sent_as_encoding_it_gives(value: str) -> None:
    assert build_path(value).url == f"{BASE}/ships/{quote(value, safe='')}/crew"


@given(st.text(st.characters(categories=["Cs", "Lu", "Lo"]), min_size=1))
def test_a_text_is_sent_unless_it_holds_half_of_a_character(value: str) -> None:
    if value.encode(errors="ignore").decode() == value:
        assert build_path(value).url == f"{BASE}/ships/{quote(value, safe='')}/crew"
    else:
        with pytest.raises(RequestError, match="half of a character"):
            build_path(value)


DOTS = st.sampled_from([".", "..", "...", "a", "%2e"])


@given(st.lists(st.sampled_from(["/", "/a", ".", "-", "x", "y"]), max_size=6), DOTS, DOTS)
def test_a_path_is_refused_exactly_when_its_values_make_a_segment_of_dots(parts: list[str], x: str, y: str) -> None:
    def climbs(**values: str) -> bool:
        return not {".", ".."}.isdisjoint("".join(values.get(part, part) for part in parts).split("/"))

    assume(not climbs(x="a", y="a"))
    path = ("/a/", *(PathValue(part, FromInput(part)) if part in "xy" else part for part in parts))
    if climbs(x=x, y=y):
        with pytest.raises(RequestError, match="it would change the path"):
            build({"x": x, "y": y}, path)
    else:
        build({"x": x, "y": y}, path)


@given(st.text())
def test_any_query_value_survives_the_trip(value: str) -> None:
    parts = urlsplit(build({"x": value}, query=(("q", X), ("é &", Constant("1")))).url)
    assert parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) == [("q", value), ("é &", "1")]
    assert (parts.path, parts.fragment) == ("/v1/ships", "")


@given(st.text(st.characters(codec="utf-8", exclude_characters=FORBIDDEN_IN_HEADERS)))
def test_any_header_value_survives_the_trip_but_for_the_blanks_around_it(value: str) -> None:
    assert build({"x": value}, headers=(("X-Name", X),)).headers == (("X-Name", value.strip(" \t")),)


@given(st.text())
def test_any_cookie_value_survives_the_trip(value: str) -> None:
    ((name, cookie),) = build({"x": value}, cookies=(("id", X), ("b", Constant(1)))).headers
    assert name == "Cookie"
    first, second = cookie.split("; ")
    assert (unquote(first.removeprefix("id=")), second) == (value, "b=1")
    assert set(cookie) <= set(string.printable) - set(string.whitespace.replace(" ", ""))


@given(JSON)
def test_any_json_value_survives_the_trip(value: object) -> None:
    body = sent_body(BodyKind.JSON, Fields((("note", X), ("fixed", Constant([None])))), {"x": value})
    assert body is not None
    assert json.loads(body) == {"note": value, "fixed": [None]}


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text(), min_size=1)))
def test_any_form_survives_the_trip(value: dict[str, str | list[str]]) -> None:
    body = sent_body(BodyKind.FORM, X, {"x": value})
    assert body is not None
    expected = [(name, text) for name, item in value.items() for text in ([item] if isinstance(item, str) else item)]
    assert parse_qsl(body.decode("ascii"), keep_blank_values=True) == expected


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"])))
def test_any_value_stays_character_data_in_xml(value: str) -> None:
    source = Text(("<a b='", X, "'>", X, "</a>"))
    body = sent_body(BodyKind.XML, source, {"x": value})
    assert body is not None
    parsed = ET.fromstring(body)  # noqa: S314 -- our own bytes
    assert (parsed.get("b"), parsed.text or "", list(parsed)) == (value, value, [])


def test_xml_that_is_the_whole_body_is_sent_as_it_is() -> None:
    assert sent_body(BodyKind.XML, X, {"x": "<a/>"}) == b"<a/>"


@pytest.mark.parametrize("character", FORBIDDEN_IN_HEADERS)
def test_a_header_refuses_line_breaks_and_control_characters(character: str) -> None:
    with pytest.raises(RequestError, match="`X-Name` is sent as a header") as refused:
        build({"x": f"a{character}b"}, headers=(("X-Name", X),))
    assert refused.value.input == "X-Name"


@pytest.mark.parametrize("inputs", [{}, {"x": ""}, {"x": None}])
def test_a_path_refuses_a_hole(inputs: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="`x` is part of the path and must not be empty"):
        build(inputs, ("/ships/", PathValue("x", X)))


@pytest.mark.parametrize(
    ("value", "before", "after"),
    [(".", "/", ""), ("..", "/", ""), ("..", "/", "/crew"), (".", "/.", "/crew"), ("..", "/", "?a=b")],
)
def test_a_path_refuses_what_would_change_it(value: str, before: str, after: str) -> None:
    with pytest.raises(RequestError, match=rf"`x` must not be `{value}`: it would change the path"):
        build_path(value, before, after)


def test_a_path_refuses_dots_that_change_it_together() -> None:
    with pytest.raises(RequestError, match="it would change the path"):
        build({"x": ".", "y": "."}, ("/", PathValue("x", X), PathValue("y", FromInput("y"))))


def test_dots_beside_other_text_are_just_dots() -> None:
    assert build_path("..", before="/v1").url == f"{BASE}/v1../crew"


@pytest.mark.parametrize(
    "parts",
    [
        {"path": ("/", PathValue("x", X))},
        {"query": (("x", X),)},
        {"headers": (("x", X),)},
        {"cookies": (("x", X),)},
        {"body": BodyTemplate(BodyKind.JSON, X)},
        {"body": BodyTemplate(BodyKind.FORM, Fields((("x", X),)))},
        {"body": BodyTemplate(BodyKind.TEXT, X)},
    ],
)
def test_half_a_character_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="half of a character"):
        build({"x": "a\ud800"}, **parts)


def test_absent_optionals_are_left_out() -> None:
    request = build(
        {"null": None},
        query=(("a", X), ("b", FromInput("null")), ("c", Text(("v-", X)))),
        headers=(("A", X),),
        cookies=(("a", X),),
        body=BodyTemplate(BodyKind.JSON, X),
    )
    assert request == Request("GET", f"{BASE}/ships", (), None)


def test_absent_leaves_are_left_out_of_a_body() -> None:
    source = Fields((("a", X), ("b", Items((X, Constant(1)))), ("c", BODY_X), ("d", Fields((("e", X),)))))
    assert sent_body(BodyKind.JSON, source, {"body": {"customer": {}}}) == b'{"b":[1],"d":{}}'


def test_lists_are_repeated_in_a_query() -> None:
    assert build({"x": ["a", 2, True]}, query=(("q", X),)).url == f"{BASE}/ships?q=a&q=2&q=true"


def test_a_query_follows_one_that_the_path_holds() -> None:
    assert build({"x": "b"}, ("/ships?a=1",), query=(("q", X),)).url == f"{BASE}/ships?a=1&q=b"


@pytest.mark.parametrize("kind", [kind for kind in BodyKind if kind is not BodyKind.MULTIPART])
def test_a_body_says_what_it_is(kind: BodyKind) -> None:
    body = BodyTemplate(kind, Constant("x"))
    assert build({}, body=body).headers == (("Content-Type", kind.value),)
    stated = build({}, headers=(("content-type", Constant("application/vnd.ships")),), body=body)
    assert stated.headers == (("content-type", "application/vnd.ships"),)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Constant({"a": 1}), {"a": 1}),
        (X, "{{y}}"),
        (FromInput("none"), ABSENT),
        (BODY_X, 7),
        (FromInput("body", ("customer", "x", "deeper")), ABSENT),
        (Text(("a-", X, "-", BODY_X)), "a-{{y}}-7"),
        (Text(("a-", FromInput("none"))), ABSENT),
        (Text((FromInput("null"),)), ""),
        (Items((X, FromInput("none"))), ["{{y}}"]),
    ],
)
def test_a_source_has_a_value_or_none(source: Source, expected: object) -> None:
    assert evaluate(source, {"x": "{{y}}", "y": "z", "null": None, "body": {"customer": {"x": 7}}}) == expected
