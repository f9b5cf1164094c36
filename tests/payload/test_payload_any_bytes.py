"""Any bytes in any format give a value that JSON can say, or one clear sentence, in bounded time."""

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from capably.payload.decode import FORMATS, PayloadError, compile_schema, decode_payload
from capably.payload.encode import encode_yaml

AVRO = """{"type": "record", "name": "R", "fields": [
  {"name": "a", "type": {"type": "array", "items": ["null", "R", "string", "double"]}},
  {"name": "m", "type": {"type": "map", "values": {"type": "bytes", "logicalType": "decimal", "precision": 9}}},
  {"name": "d", "type": {"type": "int", "logicalType": "date"}},
  {"name": "t", "type": {"type": "long", "logicalType": "timestamp-nanos"}}, {"name": "f", "type": "float"}]}"""
PROTO = """syntax = "proto3"; import "google/protobuf/struct.proto"; import "google/protobuf/timestamp.proto";
message M { repeated M m = 1; string s = 2; double d = 3; map<string, float> f = 4; google.protobuf.Struct x = 5;
  google.protobuf.Timestamp t = 6; bytes b = 7; repeated int32 n = 8; uint64 u = 9; }"""
SCHEMAS = {
    name: compile_schema(name, text) for name, text in (("avro", AVRO), ("protobuf", PROTO), ("html", "div, table"))
}
NAMES = sorted(FORMATS)
PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        '"',
        "'",
        "\\",
        "\n",
        "\r\n",
        " ",
        "\t",
        "|",
        "-",
        "#",
        "&a",
        "*a",
        "<<: ",
        "---\n",
    ),
    *(
        "<a>",
        "</a>",
        "<a/>",
        "<!DOCTYPE a [",
        "]>",
        "<![CDATA[",
        "&amp;",
        "&#0;",
        "<?xml?>",
        "<!--",
        "-->",
        "xsi:nil='1'",
    ),
    *("<table>", "<tr>", "<th>h", "<td>c", "</table>", "<thead>", "<svg>", "<select>", "<template>", "</p>", "<div>"),
    *(
        "# h\n",
        "| a |\n|---|\n",
        "```\n",
        "> ",
        "- ",
        "**",
        "[x](y)",
        "![",
        "`",
        "1e999",
        "-0",
        "0x",
        "NaN",
        ".inf",
        "~",
    ),
    *("\ud7ff", "\x00", "\ufeff", "é", "!!int ", "!!float x", "? ", "9" * 5000, "\\ud800", '"\\udfff"'),
]
MEDIA_TYPES = st.sampled_from(
    [None, "text/x; charset=utf-16", "x/y;charset=latin1", "a/b; charset=utf-32", "a; charset=x"]
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=60).map(b"Obj\x01".__add__),
    st.lists(st.sampled_from(PIECES), max_size=40).map(lambda pieces: "".join(pieces).encode()),
)


def read(name: str, body: bytes, media_type: str | None = None) -> None:
    try:
        value = decode_payload(name, body, media_type=media_type, schema=SCHEMAS.get(name))
    except PayloadError as problem:
        value = str(problem)
        is_sentence = 10 < len(value) < 400 and "\n" not in value
    else:
        is_sentence = True
    assert is_sentence, value
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@given(BODIES, MEDIA_TYPES)
@settings(max_examples=600, deadline=1000)
def test_any_bytes_in_any_format(body: bytes, media_type: str | None) -> None:
    for name in NAMES:
        read(name, body, media_type)


def avro_header(schema: str) -> bytes:
    size = len(schema) * 2
    return (
        b"Obj\x01\x02\x16avro.schema" + bytes([size & 0x7F | 0x80, size >> 7]) + schema.encode() + b"\x00" + b"s" * 16
    )


DEEP = 50_000
HOSTILE = {
    "nested lists": b"[" * DEEP,
    "nested and closed lists": b"[" * DEEP + b"]" * DEEP,
    "nested objects": b'{"a":' * DEEP,
    "nested YAML": b"".join(b" " * level + b"a:\n" for level in range(500)),
    "nested dashes": b"- " * DEEP,
    "nested elements": b"<a>" * DEEP,
    "nested divs": b"<div>" * DEEP,
    "nested tables": b"<table><tr><th>x<tr><td>y" * (DEEP // 10),
    "nested formatting": b"<table><tr><th><b><i><a>" * (DEEP // 20),
    "many attributes": b"<a " + b" ".join(b"a%d=''" % number for number in range(DEEP // 4)) + b"/>",
    "many rows of many headings": b"<table><tr>" + b"<th>x" * 2000 + b"<tr><td>y" * 2000,
    "nested quotes": b"> " * 2000 + b"x\n",
    "emphasis": b"*a **b" * 3000,
    "brackets": b"[" * 5000 + b"![](" * 5000,
    "ticks": b"".join(b"`" * number + b" " for number in range(300)),
    "a wide Markdown table": b"|a" * 1000 + b"\n" + b"|-" * 1000 + b"\n" + b"|\n" * 1000,
    "laughs": b"a: &a [x, x]\n" + b"".join(b"%d: &a [*a, *a, *a, *a]\n" % number for number in range(30)),
    "entities": b"<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><a>&b;</a>",
    "default attributes": b"<!DOCTYPE a [<!ATTLIST b c CDATA '" + b"x" * DEEP + b"'>]><a>" + b"<b/>" * DEEP + b"</a>",
    "a huge number": b"9" * 1_000_000,
    "a huge hexadecimal number": b"0x" + b"f" * 1_000_000,
    "a huge fraction": b"0." + b"9" * 1_000_000 + b"e-5",
    "a quote without end": b'"' + b"a,\n" * DEEP,
    "not UTF-8": b"\xff\xfe\xfd" * 1000,
    "zeros": b"\x00" * DEEP,
    "twos": b"\x02" * DEEP,
    "Avro nulls without end": avro_header('{"type":"array","items":"null"}')
    + b"\x02\x12"
    + b"\xfe" * 8
    + b"\x01"
    + b"s" * 16,
    "Avro within itself": avro_header('{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}')
    + b"\x02\xc0\xb8\x02"
    + b"\x02" * 20_000,
    "groups within groups": b"\x0b" * DEEP,
    "messages within messages": b"\x0a\x7e" * 64,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_take_bounded_time(body: bytes) -> None:
    for name in NAMES:
        start = time.process_time()
        read(name, body)
        assert time.process_time() - start < 5, name


TRUNCATED = {
    "avro": bytes.fromhex("020602780002026b04007b00d00f80e8d5a7f3e2e8b7360000c03f"),
    "protobuf": bytes.fromhex("0a0312016112026869220a0a016b1500000040320208052a00"),
}


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_messages_are_told(name: str) -> None:
    body = TRUNCATED[name]
    for end in range(len(body)):
        read(name, body[:end])
        read(name, body[:end] + b"\xff" + body[end:])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TRICKY = [
    "on",
    "yes",
    "0o17",
    "1e3",
    "2015-02-01",
    "~",
    "",
    "010",
    "0x1F",
    ".inf",
    "1_000",
    "12:30",
    "<<",
    "- a",
    "a: b",
    "=",
]


@given(VALUES | st.sampled_from(TRICKY))
def test_yaml_says_any_value(value: Any) -> None:
    body = encode_yaml(value)
    assert decode_payload("yaml", body) == value


@pytest.mark.parametrize("text", TRICKY)
def test_yaml_means_the_same_to_readers_of_the_older_version(text: str) -> None:
    assert yaml.safe_load(encode_yaml({"k": text})) == {"k": text}


def test_yaml_is_written_for_people() -> None:
    shared = {"é": [1, 2]}
    assert encode_yaml({"b": shared, "a": shared}).decode() == "b:\n  é:\n  - 1\n  - 2\na:\n  é:\n  - 1\n  - 2\n"


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("value", [object(), "\ud800", deep(5000)])
def test_yaml_cannot_say_everything(value: Any) -> None:
    with pytest.raises(PayloadError, match="the value cannot be written as YAML"):
        encode_yaml(value)
