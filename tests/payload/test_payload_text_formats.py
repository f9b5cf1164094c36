"""JSON, XML, YAML, CSV and text: what a body becomes, and what is said of one that cannot be read."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.payload.contract import Limits
from capably.payload.decode import FORMATS, PayloadError, as_list, compile_schema, decode_payload

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
LAUGHS = "<!DOCTYPE l [<!ENTITY a 'ha'>" + "".join(f"<!ENTITY a{i} '&a;&a;'>" for i in range(9)) + "]><l>&a;</l>"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"a": [1, 2.5, null, true, "x"]}', {"a": [1, 2.5, None, True, "x"]}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("\ufeff[1]", [1]),
        (" 7 ", 7),
        (f'"{"[" * 300}"', "[" * 300),
        (f"[{'[],' * 300}1]", [*[[]] * 300, 1]),
        ("123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_json(body: str, value: Any) -> None:
    assert decode_payload("json", body.encode()) == value


@pytest.mark.parametrize(
    ("media_type", "encoding"),
    [
        ("application/json; charset=utf-16", "utf-16"),
        ("application/json;charset=UTF-16LE", "utf-16-le"),
        ('application/json; x=y; charset="utf-32"', "utf-32"),
        ("application/json; charset=ISO-8859-1", "latin-1"),
        ("application/json; charset=utf8", "utf-8-sig"),
        ("application/json", "utf-16"),
        (None, "utf-8"),
    ],
)
def test_a_charset_is_the_media_type_s_or_the_mark_s(media_type: str | None, encoding: str) -> None:
    assert decode_payload("json", '{"é": "ü"}'.encode(encoding), media_type=media_type) == {"é": "ü"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"NaN", "the body is not JSON at byte 0: it starts with `NaN`"),
        (b"[Infinity]", "the body is not JSON at byte 1: it starts with `[Infinity]`"),
        (b'{"a": 1} x', 'the body is not JSON at byte 10: it starts with `{"a": 1} x`'),
        (b"", "the body is not JSON: it is empty"),
        (b"1e999", "the body is not JSON: it starts with `1e999`"),
        (b'"\\ud800"', 'the body is not JSON: it starts with `"\\ud800"`'),
        (b'"\xff"', 'the body is not JSON: it starts with `" "`'),
        (
            b"<!DOCTYPE html>\n<html>" + b"x" * 500,
            "the body is not JSON at byte 0: it starts with `<!DOCTYPE html> <html>xxxxxxxxxxxxxxxxxx…`",
        ),
        (b"[" * 300 + b"]" * 300, "the body is nested more than 200 levels deep"),
        (b"[" * 100_000, "the body is nested too deep"),
    ],
)
def test_json_that_cannot_be_read(body: bytes, reason: str) -> None:
    assert refusal("json", body) == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(value=JSON, charset=st.sampled_from(["utf-16", "utf-16-le", "utf-32"]), is_ascii=st.booleans())
def test_json_in_utf_8_is_read_as_it_is_in_another_charset(value: object, charset: str, *, is_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    read = decode_payload("json", text.encode(charset), media_type=f"application/json; charset={charset}")
    assert decode_payload("json", text.encode(), media_type="application/json; charset=utf-8") == read == value


@given(levels=st.integers(1, 12), others=st.integers(0, 12))
def test_json_is_too_deep_by_its_nesting_not_by_its_brackets(levels: int, others: int) -> None:
    body = "[" * levels + '"' + "{" * others + '"' + "]" * levels
    try:
        decode_payload("json", body.encode(), limits=Limits(max_depth=8))
    except PayloadError:
        assert levels > 8
    else:
        assert levels <= 8


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("<root/>", {}),
        ("<root> \n </root>", {}),
        ("<root>t</root>", {"": "t"}),
        ("<root><user>a</user><user>b</user></root>", {"user": ["a", "b"]}),
        ("<root><user>a</user></root>", {"user": "a"}),
        ("<r><a>1</a><b>2</b><a>3</a></r>", {"a": ["1", "3"], "b": "2"}),
        ("<r><a> kept </a></r>", {"a": " kept "}),
        ("<r><e/><f></f></r>", {"e": "", "f": ""}),
        ('<r x="1"><y>2</y></r>', {"x": "1", "y": "2"}),
        ('<r x="1"><x>2</x></r>', {"x": ["1", "2"]}),
        ('<r><a k="v">text</a></r>', {"a": {"k": "v", "": "text"}}),
        ("<p>one<b>two</b>three<i/></p>", {"": ["one", "three"], "b": "two", "i": ""}),
        ('<s:r xmlns:s="u" xmlns="v" s:k="1"><s:a>2</s:a><b/></s:r>', {"k": "1", "a": "2", "b": ""}),
        ("<r><a><![CDATA[<b>&]]>&lt;&#65;<!-- no -->z<?no no?></a></r>", {"a": "<b>&<Az"}),
        (f'<r {XSI}><a xsi:nil="true"/><b xsi:nil="false">c</b></r>', {"a": None, "b": "c"}),
        ('<!DOCTYPE r PUBLIC "-//X" "http://up.test/r.dtd"><r><a/></r>', {"a": ""}),
        ("<r><a>\u00a0</a></r>", {"a": "\u00a0"}),
        ('<?xml version="1.0" encoding="utf-16"?><r>é</r>', {"": "é"}),
    ],
)
def test_xml(body: str, value: Any) -> None:
    found = decode_payload("xml", body.encode())
    assert found == value
    assert list(found) == list(value)


def test_xml_names_its_own_charset_and_the_media_type_outranks_it() -> None:
    declared = '<?xml version="1.0" encoding="ISO-8859-1"?><r>é</r>'
    assert decode_payload("xml", declared.encode("latin-1")) == {"": "é"}
    assert decode_payload("xml", declared.encode(), media_type="text/xml; charset=utf-8") == {"": "é"}
    assert decode_payload("xml", declared.encode("utf-16")) == {"": "é"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (LAUGHS, "the body's document type defines entities, which are not expanded"),
        (
            '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
            "the body's document type defines entities, which are not expanded",
        ),
        (
            '<!DOCTYPE r SYSTEM "http://up.test/r.dtd"><r>&x;</r>',
            "the body uses the entity `x`, which XML does not define",
        ),
        (
            "<html><br></html>",
            "the body is not XML, mismatched tag at line 1, column 13: it starts with `<html><br></html>`",
        ),
        ("", "the body is not XML, no element found at line 1, column 1: it is empty"),
        ("<a>" * 300, "the body is nested more than 200 levels deep"),
    ],
)
def test_xml_that_cannot_be_read(body: str, reason: str) -> None:
    assert refusal("xml", body.encode()) == reason


def test_a_list_of_one_is_a_list_where_the_document_says_so() -> None:
    one = decode_payload("xml", b"<r><user>a</user></r>")
    two = decode_payload("xml", b"<r><user>a</user><user>b</user></r>")
    assert [as_list(value) for value in (one["user"], two["user"], None)] == [["a"], ["a", "b"], []]


@pytest.mark.parametrize(
    ("format", "body", "value"),
    [
        ("csv", " a , b\n1, 2 \n", [{"a": "1", "b": " 2 "}]),
        ("tsv", "a\tb\r\n1\t2\r\n", [{"a": "1", "b": "2"}]),
        ("psv", "a|b\r1|2", [{"a": "1", "b": "2"}]),
        ("csv", 'a,b\n"x ""y""\nz",2', [{"a": 'x "y"\nz', "b": "2"}]),
        ("tsv", 'a\tb\n"x\ty"\t2', [{"a": "x\ty", "b": "2"}]),
        ("csv", "\ufeffa\n1", [{"a": "1"}]),
        ("csv", "a,b\n1\n", [{"a": "1"}]),
        ("csv", "a\n1,2,3\n", [{"a": "1"}]),
        ("csv", "\na\n\n1\n  \n2\n\n", [{"a": "1"}, {"a": "2"}]),
        ("csv", 'a\n""\n', [{"a": ""}]),
        ("csv", "a,a\n1,2", [{"a": "2"}]),
        ("csv", "", []),
        ("csv", "a,b\n", []),
        ("csv", "a\n" + "x" * 200_000, [{"a": "x" * 200_000}]),
    ],
)
def test_delimited_text(format: str, body: str, value: Any) -> None:  # noqa: A002 -- the parameter's name
    assert decode_payload(format, body.encode()) == value


def test_delimited_text_in_a_charset_of_its_own() -> None:
    assert decode_payload("csv", "é\nü".encode("cp1252"), media_type="text/csv; charset=windows-1252") == [{"é": "ü"}]
    assert refusal("csv", b"\xe9tat\nx") == "the body is not utf-8 text: it starts with `tat x`"


def test_a_quoted_cell_has_an_end() -> None:
    assert refusal("csv", b'a\n"b') == "the body is not CSV at line 2: unexpected end of data"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("a: on\nb: 2015-02-01\nc: 1.0.0", {"a": "on", "b": "2015-02-01", "c": "1.0.0"}),
        ("[true, ~, 0o17, 0x1F, 1e3, 010, .5]", [True, None, 15, 31, 1000.0, 10, 0.5]),
        ("[.nan, .inf, -.inf]", [None, None, None]),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("0x" + "f" * 5000, "0x" + "f" * 5000),
        ("a: &x {b: [1]}\nc: *x", {"a": {"b": [1]}, "c": {"b": [1]}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"c": 3, "b": 1}}),
        ("'<<': 1\nx: !!str 5", {"<<": 1, "x": "5"}),
        ("a: 1\na: 2", {"a": 2}),
        ("1: a\ntrue: b\n~: c", {"1": "a", "true": "b", "~": "c"}),
        ("&k a: 1\n*k : 2", {"a": 2}),
        ("a\n---\nb: [", "a"),
        ("", None),
        ("# only this", None),
    ],
)
def test_yaml(body: str, value: Any) -> None:
    assert decode_payload("yaml", body.encode()) == value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("a: [", "the body is not YAML at line 2, column 1: did not find expected node content"),
        ("a: *b", "the body is not YAML: the alias `*b` has no anchor before it"),
        ("? [a]\n: b", "the body has a key that is a list or a mapping, which JSON cannot say"),
        ("[" * 300, "the body is nested more than 200 levels deep"),
        (
            "a: &a [1, 1]\n"
            + "\n".join(
                f"{y}: &{y} [*{x}, *{x}]"
                for x, y in zip("abcdefghijklmnopqrstuv", "bcdefghijklmnopqrstuvw", strict=True)
            ),
            "the body holds more than 2,000,000 values",
        ),
        ("!%ed%a0%80 a", "the body is not YAML: it has an escape that is not UTF-8"),
    ],
)
def test_yaml_that_cannot_be_read(body: str, reason: str) -> None:
    assert refusal("yaml", body.encode()) == reason


def test_text_and_bytes() -> None:
    assert decode_payload("text", b"\xef\xbb\xbfh\xc3\xa9") == "hé"
    assert decode_payload("TEXT", b"h\xe9", media_type="text/plain; charset=latin1") == "hé"
    assert decode_payload("binary", b"\xff\x00") == "/wA="


@pytest.mark.parametrize(
    "charset", ["punycode", "rot13", "zlib", "unicode-escape", "idna", "../x", "utf-7", "", "\u00e9"]
)
def test_a_charset_that_is_none(charset: str) -> None:
    if charset:
        said = refusal("text", b"a", media_type=f"text/plain; charset={charset}")
        assert said == f"the body's charset `{charset}` is not known"
    else:
        assert decode_payload("text", b"a", media_type="text/plain; charset=") == "a"


def test_the_formats_are_named_in_any_case() -> None:
    assert decode_payload("Json", b"1") == decode_payload("YAML", b"1") == 1
    assert refusal("toml", b"") == f"the format `toml` is not known; the formats are {', '.join(FORMATS)}"


def test_a_body_has_a_size_limit() -> None:
    assert refusal("json", b"[1, 2]", limits=Limits(max_bytes=5)).startswith("the body is larger than 5 bytes")
    too_long = "the body is larger than 1 MiB, which is the most that is read of markdown"
    assert refusal("markdown", b"a" * (1024 * 1024 + 1)) == too_long


@pytest.mark.parametrize("format", ["csv", "xml", "yaml"])
def test_a_body_has_a_limit_of_values(format: str) -> None:  # noqa: A002 -- the parameter's name
    body = {"csv": "a\n1\n2\n3\n", "xml": "<r><a/><a/><a/></r>", "yaml": "[1, 2, 3]"}[format]
    assert refusal(format, body.encode(), limits=Limits(max_values=3)) == "the body holds more than 3 values"


def test_only_four_formats_take_a_schema() -> None:
    with pytest.raises(PayloadError) as told:
        compile_schema("csv", "x")
    assert str(told.value) == "the format `csv` takes no schema; `avro`, `protobuf`, `html`, `markdown` do"
    selector = compile_schema("html", "table")
    with pytest.raises(PayloadError, match="a schema of the format `html` cannot be used to read markdown"):
        decode_payload("markdown", b"", schema=selector)


def test_a_schema_is_text() -> None:
    with pytest.raises(PayloadError, match="the schema is not UTF-8 text"):
        compile_schema("avro", b"\xff")
    with pytest.raises(PayloadError, match="the schema is nested too deep"):
        compile_schema("avro", "[" * 100_000)


def test_formats_cost_nothing_until_they_are_used() -> None:
    code = "import sys, capably.payload.decode; print(sorted(m for m in sys.modules if 'payload.' in m))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['capably.payload.contract', 'capably.payload.decode']"


@pytest.mark.parametrize(
    ("format", "library"), [("html", "turbohtml"), ("markdown", "markdown_it"), ("protobuf", "google.protobuf")]
)
def test_a_format_that_is_not_installed_says_how_to(format: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: A002 -- the parameter's name
    for name in [name for name in sys.modules if name.startswith("capably.payload.") and ".contract" not in name]:
        if name != "capably.payload.decode":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    assert refusal(format, b"") == f"to read {format}, install what it needs: pip install 'capably[{format}]'"


def refusal(format: str, body: bytes, **options: Any) -> str:  # noqa: A002 -- the parameter's name
    with pytest.raises(PayloadError) as told:
        decode_payload(format, body, **options)
    return str(told.value)
