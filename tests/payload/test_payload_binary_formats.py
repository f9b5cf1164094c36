"""Avro and Protobuf: bodies are read by a schema; another implementation writes what we read."""

import datetime as dt
import decimal
import io
import json
import uuid
from typing import Any

import fastavro
import pytest
from google.protobuf import message_factory
from hypothesis import given
from hypothesis import strategies as st

from capably.payload.contract import Limits
from capably.payload.decode import PayloadError, Schema, compile_schema, decode_payload

UTC = dt.UTC


def record(*fields: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": "R",
        "fields": [{"name": f"f{number}", "type": kind} for number, kind in enumerate(fields)],
        **more,
    }


def packed(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def logical(kind: str, meaning: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": meaning, **more}


FIXED = {"type": "fixed", "name": "F", "size": 2}
MOMENT = dt.datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "written", "read"),
    [
        ("null", None, None),
        ("boolean", True, True),
        ("int", -7, -7),
        ("long", -(2**63), -(2**63)),
        ("long", 2**63 - 1, 2**63 - 1),
        ("float", 0.1, 0.1),
        ("float", 3.4028234663852886e38, 3.4028235e38),
        ("double", 0.1, 0.1),
        ("double", float("nan"), None),
        ("float", float("-inf"), None),
        ("string", "é", "é"),
        ("bytes", b"\xff\x00", "/wA="),
        (FIXED, b"\x01\x02", "AQI="),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
        ({"type": "array", "items": "int"}, [1, 2], [1, 2]),
        ({"type": "map", "values": ["null", "int"]}, {"a": 1, "b": None}, {"a": 1, "b": None}),
        (["null", "string"], "x", "x"),
        (logical("int", "date"), dt.date(2026, 3, 4), "2026-03-04"),
        (logical("int", "time-millis"), dt.time(5, 6, 7, 890_000), "05:06:07.890"),
        (logical("long", "time-micros"), dt.time(5, 6, 7), "05:06:07"),
        (logical("long", "timestamp-millis"), MOMENT, "2026-03-04T05:06:07.890Z"),
        (logical("long", "timestamp-micros"), MOMENT, "2026-03-04T05:06:07.890000Z"),
        (logical("long", "timestamp-millis"), dt.datetime(1969, 12, 31, tzinfo=UTC), "1969-12-31T00:00:00Z"),
        (logical("long", "local-timestamp-millis"), MOMENT.replace(tzinfo=None), "2026-03-04T05:06:07.890"),
        (logical("bytes", "decimal", precision=4, scale=2), decimal.Decimal("-12.50"), -12.5),
        (logical("bytes", "decimal", precision=4), decimal.Decimal(1234), 1234),
        (
            logical("bytes", "decimal", precision=25, scale=2),
            decimal.Decimal("12345678901234567890123.45"),
            "12345678901234567890123.45",
        ),
        (logical("fixed", "decimal", name="D", size=4, precision=4, scale=1), decimal.Decimal("1.5"), 1.5),
        (logical("string", "uuid"), uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (logical("string", "nonsense"), "x", "x"),
    ],
)
def test_avro(kind: Any, written: Any, read: Any) -> None:
    schema = record(kind)
    body = packed(schema, {"f0": written})
    assert decode_payload("avro", body, schema=compile_schema("avro", json.dumps(schema))) == {"f0": read}


def test_avro_types_may_be_wrapped() -> None:
    schema = compile_schema("avro", '{"type": {"type": {"type": "string"}}}')
    assert decode_payload("avro", b"\x02x", schema=schema) == "x"


def test_avro_types_have_names_and_namespaces() -> None:
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "next", "type": ["null", "Inner"]}]}
    schema = record(inner, "Inner", "a.b.Inner", namespace="a.b")
    value = {"f0": {"next": {"next": None}}, "f1": {"next": None}, "f2": {"next": None}}
    compiled = compile_schema("avro", json.dumps(schema).encode())
    assert decode_payload("avro", packed(schema, value), schema=compiled) == value


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_an_avro_file_brings_its_schema(codec: str) -> None:
    records = [{"f0": number, "f1": "x" * number} for number in range(300)]
    assert decode_payload("avro", avro_file(record("int", "string"), records, codec)) == records


def avro_file(schema: Any, records: list[Any], codec: str = "null") -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(schema), records, codec=codec, sync_interval=400)
    return out.getvalue()


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("{", "the Avro schema is not JSON: Input data was truncated"),
        ('{"type": "Unknown"}', "this is not an Avro schema: the type `Unknown` is not defined before it is used"),
        ('{"name": "x"}', "this is not an Avro schema: `{'name': 'x'}` is not a type"),
        ('{"type": "record", "name": "R"}', "this is not an Avro schema: the record `R` has no list of fields"),
        (
            '{"type": "record", "name": "R", "fields": [{"name": "a"}]}',
            "this is not an Avro schema: a field of the record `R` has no name or no type",
        ),
        (
            json.dumps([FIXED, FIXED]),
            "this is not an Avro schema: the type `F` is defined twice",
        ),
        ('{"type": "fixed", "name": "F"}', "this is not an Avro schema: the fixed type `F` has no size"),
        ('{"type": "enum", "name": "9"}', "this is not an Avro schema: `9` cannot be a type's name"),
        ('{"type": "enum", "name": "E"}', "this is not an Avro schema: the enum `E` has no list of symbols"),
    ],
)
def test_an_avro_schema_that_is_none(schema: str, reason: str) -> None:
    with pytest.raises(PayloadError) as told:
        compile_schema("avro", schema)
    assert str(told.value) == reason


NODE = {"type": "record", "name": "R", "fields": [{"name": "f0", "type": ["null", "R"]}]}
NULLS = record({"type": "array", "items": "null"})


@pytest.mark.parametrize(
    ("schema", "body", "reason"),
    [
        (record("string"), b"\x0aab", "the body is not Avro of this schema: it ends in the middle of a value"),
        (record("string"), b"\x02\xff", "the body is not Avro of this schema: a string is not UTF-8"),
        (record("string"), b"\x01", "the body is not Avro of this schema: it ends in the middle of a value"),
        (record("long"), b"\xff" * 11, "the body is not Avro of this schema: a number has no end"),
        (record("boolean"), b"\x02", "the body is not Avro of this schema: a boolean is neither true nor false"),
        (
            record(["null"]),
            b"\x02",
            "the body is not Avro of this schema: it names a branch of a union that the schema does not have",
        ),
        (record("int"), b"\x02\x02", "the body is not Avro of this schema: 1 bytes are left behind the record"),
        (
            record(logical("int", "date")),
            b"\xfe\xff\xff\xff\x0f",
            "the body holds a date that is out of range: 2147483647",
        ),
        (logical("int", "time-millis"), b"\x01", "the body holds a time-millis that is out of range: -1"),
        (logical("bytes", "decimal", precision=1), b"\x02\x0a", "the body holds a decimal of more than 1 digits"),
        (
            record("int", "int") | {"fields": [{"name": "a", "type": "int"}] * 2},
            b"",
            "this is not an Avro schema: the record `R` has two fields of one name",
        ),
        (NODE, b"\x02" * 1_000_000, "the body is nested more than 200 levels deep"),
        (NULLS, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "the body holds more than 2,000,000 values"),
    ],
)
def test_avro_that_cannot_be_read(schema: Any, body: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as told:
        decode_payload("avro", body, schema=compile_schema("avro", json.dumps(schema)))
    assert str(told.value) == reason


@pytest.mark.parametrize(
    ("schema", "body", "value"),
    [
        ({"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}, b"\0" * 15 + b"\1", str(uuid.UUID(int=1))),
        (logical("bytes", "decimal", precision=1, scale=2), b"\x02\x01", "AQ=="),
        (logical("long", "timestamp-nanos"), b"\x02", "1970-01-01T00:00:00.000000001Z"),
        ({"type": "array", "items": "boolean"}, b"\x01\x02\x01\x00", [True]),
    ],
)
def test_avro_that_others_do_not_write(schema: Any, body: bytes, value: Any) -> None:
    assert decode_payload("avro", body, schema=compile_schema("avro", json.dumps(schema))) == value


def test_avro_needs_a_schema() -> None:
    with pytest.raises(PayloadError, match="name the schema's file in `outputSchema`"):
        decode_payload("avro", b"\x00")


def test_an_avro_file_is_a_bomb_only_to_others() -> None:
    bomb = avro_file(record("string"), [{"f0": "x" * 2_000_000}], "deflate")
    assert len(bomb) < 5_000
    with pytest.raises(PayloadError, match="an Avro file that unpacks to more than is read"):
        decode_payload("avro", bomb, limits=Limits(max_bytes=1_000_000))
    wide = record(*["null"] * 1000)
    with pytest.raises(PayloadError, match="more than 2,000,000 values"):
        decode_payload("avro", avro_file(wide, [{f"f{number}": None for number in range(1000)}] * 2001))


def test_a_damaged_avro_file_is_told() -> None:
    body = avro_file(record("string"), [{"f0": "x" * 50}], "deflate")
    for damaged in (body[:-1], body[:-1] + b"\0", body.replace(body[-20:-16], b"\xff" * 4)):
        with pytest.raises(PayloadError, match=r"a damaged Avro file|not Avro of this schema"):
            decode_payload("avro", damaged)


def test_an_avro_file_of_a_codec_that_is_not_read() -> None:
    body = avro_file(record("int"), [{"f0": 1}]).replace(b"\x08null", b"\x08nill")
    with pytest.raises(PayloadError, match="packed with `nill`, which is not read; null, deflate, bzip2, xz are"):
        decode_payload("avro", body)


PROTO = """
/* what the upstream says */
syntax = "proto3";  // of 2016
package up.v1;
import "google/protobuf/timestamp.proto";
import 'google/protobuf/struct.proto';
import "google/protobuf/wrappers.proto";
option java_package = "up.v1";

message Ships {
  option deprecated = true;
  reserved 90, 91 to 99; reserved "old";
  repeated Ship ships = 1;
  int64 total = 2 [json_name = "sum", (up.note) = { a: 1, b: [2, 3] }];
  map<string, Kind> kinds = 3;
  map<int32, .up.v1.Ships.Ship> by_id = 4;
  google.protobuf.Timestamp at = 5;
  google.protobuf.Struct extra = 6;
  google.protobuf.Int64Value maybe = 7;
  optional bool sure = 8;
  oneof size { float metres = 9; bytes raw = 0xA; }
  repeated sint32 deltas = 013;
  double ratio = 12;
  message Ship { string name = 1; Kind kind = 2; Ship tows = 3; }
}
enum Kind { option allow_alias = true; UNKNOWN = 0; TUG = 1; PULLER = 1; reserved 5; LOST = -1 [deprecated = true]; }
service Fleet { rpc List(Ships) returns (Ships) { option (http) = { get: "/ships" }; } }
"""


def schema_and_message(text: str) -> tuple[Schema, Any]:
    schema = compile_schema("protobuf", text)
    return schema, message_factory.GetMessageClass(schema.compiled)()


def test_protobuf() -> None:
    schema, message = schema_and_message(PROTO)
    ship = message.ships.add(name="Argo", kind=1)
    ship.tows.name = "Dinghy"
    message.total = 2**62
    message.kinds["a"] = -1
    message.kinds["b"] = 77
    message.by_id[3].name = "Third"
    message.at.FromJsonString("2026-03-04T05:06:07.5Z")
    message.extra.update({"k": [1, None, "x"]})
    message.maybe.value = 0
    message.sure = False
    message.metres = 0.1
    message.deltas.extend([-1, 2])
    message.ratio = float("nan")
    nothing = {"kind": "UNKNOWN"}
    assert decode_payload("protobuf", message.SerializeToString(), schema=schema) == {
        "ships": [{"name": "Argo", "kind": "TUG", "tows": {"name": "Dinghy", **nothing}}],
        "total": 2**62,
        "kinds": {"a": "LOST", "b": 77},
        "by_id": {"3": {"name": "Third", **nothing}},
        "at": "2026-03-04T05:06:07.500Z",
        "extra": {"k": [1, None, "x"]},
        "maybe": 0,
        "sure": False,
        "metres": 0.1,
        "deltas": [-1, 2],
        "ratio": None,
    }


def test_protobuf_fields_whose_presence_is_not_tracked_are_always_there() -> None:
    schema, _ = schema_and_message(PROTO)
    nothing = {"ships": [], "total": 0, "kinds": {}, "by_id": {}, "deltas": [], "ratio": 0.0}
    assert decode_payload("protobuf", b"", schema=schema) == nothing


def test_protobuf_of_the_second_syntax() -> None:
    text = """message Old { required string name = 1; optional int32 n = 2 [default = 5];
      repeated group Item = 3 { optional bytes data = 1; extensions 100 to max; }
      extend Old { optional int32 more = 100; } extensions 100 to 199 [verification = UNVERIFIED]; }"""
    schema, message = schema_and_message(text)
    message.name = "x"
    message.item.add(data=b"\xff")
    body = message.SerializeToString()
    assert decode_payload("protobuf", body, schema=schema) == {"name": "x", "item": [{"data": "/w=="}]}


def test_protobuf_of_an_edition() -> None:
    text = """edition = "2023"; option features.field_presence = IMPLICIT;
      message New { int32 a = 1; int32 b = 2 [features.field_presence = EXPLICIT]; }"""
    schema, _ = schema_and_message(text)
    assert decode_payload("protobuf", b"", schema=schema) == {"a": 0}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the .proto file defines no message"),
        ("message M {", "this is not a .proto file, at line 1: a name is expected before the end"),
        ("\nmessage M { int32 a 1; }", "this is not a .proto file, at line 2: `=` is expected before `1`"),
        ("message M { int32 a = x; }", "this is not a .proto file, at line 1: a whole number is expected before `x`"),
        ("<html>", "this is not a .proto file, at line 1: `<` cannot stand here"),
        ('syntax = "proto9";', "this is not a .proto file, at line 1: the syntax `proto9` is not known"),
        ("syntax = 3;", "this is not a .proto file, at line 1: a string is expected before `3`"),
        ('edition = "1999";', "this is not a .proto file, at line 1: the edition `1999` is not known"),
        ("message M { Gone g = 1; }", "the .proto file is not right: couldn't resolve name 'Gone'"),
        ("message M { int32 a = 1; int32 b = 1; }", "the .proto file is not right: duplicate field number (1)"),
        ("message M { int32 a = 4294967296; }", "this is not a .proto file, at line 1: the number is too large"),
        (
            'import "other.proto"; message M {}',
            "the .proto file imports `other.proto`: only google/protobuf/*.proto can be imported, so copy its types in",
        ),
        ("message M {" * 40, "this is not a .proto file, at line 1: messages are nested too deep"),
    ],
)
def test_a_proto_file_that_is_none(text: str, reason: str) -> None:
    with pytest.raises(PayloadError) as told:
        compile_schema("protobuf", text)
    assert str(told.value).splitlines()[0] == reason


def test_protobuf_that_cannot_be_read() -> None:
    schema, _ = schema_and_message(PROTO)
    for body in (b"\xff", b"\x0a\x05ab", b"\x0a\x03\x0a\x01\xff", b"\x0a\x00" * 1_100_000):
        with pytest.raises(PayloadError):
            decode_payload("protobuf", body, schema=schema)
    with pytest.raises(PayloadError, match=r"name the \.proto file in `outputSchema`"):
        decode_payload("protobuf", b"")


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_schema_compiles_or_is_told(text: bytes) -> None:
    for name in ("avro", "protobuf", "html", "markdown"):
        said = ""
        try:
            compile_schema(name, text)
        except PayloadError as problem:
            said = str(problem)
        assert len(said) < 400
