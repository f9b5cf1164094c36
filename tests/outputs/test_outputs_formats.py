"""The upstream's format says how its answers are read; binary ones are never read, and capped."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from capably.diagnostics import Span
from capably.load import read_beside
from capably.plan.consumed import Consumed
from capably.plan.formats import DEFAULT_MAX_BYTES
from capably.plan.raw_format import RawFormat
from capably.plan.read_file import read_nothing

if TYPE_CHECKING:
    from tests.conftest import Upstream

VESSELS = [
    {
        "type": "array",
        "mapping": "$.vessel",
        "items": {"properties": {"code": {"mapping": "$.vesselCode"}, "year": {"type": "number", "mapping": "$.year"}}},
    }
]
OLD = b"<vessels><vessel><vesselCode>LEGACY-4012</vesselCode><year>1998</year><pin>1</pin></vessel></vessels>"
TWO = OLD.replace(b"</vessels>", b"<vessel><vesselCode>L2</vesselCode></vessel></vessels>")
RECORD = '{"type": "record", "name": "Ship", "fields": [{"name": "imo", "type": "string"}]}'


def raw_format(document: Any, kind: str = "mcp") -> RawFormat:
    work = document.operations[kind].work
    assert isinstance(work, Consumed)
    return work.raw_format


@pytest.mark.parametrize(
    ("form", "body", "outputs", "expected"),
    [
        ("xml", OLD, VESSELS, [{"code": "LEGACY-4012", "year": 1998}]),
        ("XML", TWO, VESSELS, [{"code": "LEGACY-4012", "year": 1998}, {"code": "L2", "year": None}]),
        ("xml", b"<vessels/>", VESSELS, []),
        ("xml", b"<a><b>1</b></a>", [{"type": "object", "mapping": "$."}], {"b": "1"}),
        ("yaml", b"a: [1, 2]", [{"name": "a", "type": "array"}], {"a": [1, 2]}),
        (
            "csv",
            b"id,n\n1,x\n",
            [{"type": "array", "mapping": "$", "items": {"properties": {"id": {"type": "integer"}}}}],
            [{"id": 1}],
        ),
        ("tsv", b"id\tn\n1\tx\n", [{"mapping": "$[0].n"}], "x"),
        ("text", b"hello", [{"name": "said", "type": "string", "mapping": "$"}], {"said": "hello"}),
        ("json", b'\xef\xbb\xbf{"a": 1}', [{"mapping": "$.a"}], 1),
    ],
)
def test_an_answer_is_read_in_its_format(read: Any, form: str, body: bytes, outputs: Any, expected: Any) -> None:
    document = read(outputs, consumed={"outputRawFormat": form})
    assert [told for told in document.told if told[0] != "OUT001"] == []
    assert document.answer(body, "application/octet-stream") == expected


@pytest.mark.parametrize("form", ["xml", "csv", "avro", "json"])
def test_without_outputs_an_answer_passes_as_it_came(serve: Any, upstream: "Upstream", form: str) -> None:
    served = serve(None, consumed={"outputRawFormat": form})
    for _ in range(2):
        upstream.answer(200, OLD, {"Content-Type": "application/xml"})
    said = served.rest("/op")
    assert (said.media_type, said.body) == ("application/xml", OLD)
    assert served.tool()["content"] == [{"type": "text", "text": OLD.decode()}]


def test_an_answer_that_is_not_of_its_format_is_a_fault(serve: Any, upstream: "Upstream") -> None:
    upstream.answer(200, b"{}", {"Content-Type": "application/json"})
    said = serve(VESSELS, consumed={"outputRawFormat": "xml"}).rest("/op")
    assert said.status == 502
    assert said.json["detail"].startswith("`up` answered 200, but the body is not XML")


def test_a_format_that_is_none_is_told_with_the_nearest_one(read: Any) -> None:
    document = read(consumed={"outputRawFormat": "jsn"})
    findings = [item for item in document.examined.diagnostics if item.code == "OUT005"]
    assert {(item.message, item.help) for item in findings} == {
        ("`jsn` is no format of answers", ("did you mean `json`?",))
    }


def test_a_schema_file_stands_beside_the_document(read: Any, tmp_path: Path) -> None:
    (tmp_path / "ship.avsc").write_text(RECORD)
    document = read([{"mapping": "$.imo"}], consumed={"outputRawFormat": "avro", "outputSchema": "./ship.avsc"})
    assert document.told == []
    assert document.answer(b"\x0aIMO-1", "avro/binary") == "IMO-1"


@pytest.mark.parametrize(
    ("consumed", "severity", "message"),
    [
        ({"outputRawFormat": "avro", "outputSchema": "none.avsc"}, "error", "the schema cannot be read: "),
        (
            {"outputRawFormat": "avro", "outputSchema": "https://up.test/s"},
            "error",
            "the schema cannot be read: `https://up.test/s` is no local file",
        ),
        ({"outputRawFormat": "avro", "outputSchema": "document.json"}, "error", "the schema cannot be used: "),
        ({"outputRawFormat": "avro"}, "warning", "avro cannot be read without its schema"),
        (
            {"outputRawFormat": "csv", "outputSchema": "x"},
            "warning",
            "`outputSchema` says nothing about csv: it is ignored",
        ),
    ],
)
def test_a_schema_that_cannot_be_used_is_told(read: Any, consumed: Any, severity: str, message: str) -> None:
    findings = [
        item for item in read([{"mapping": "$"}], consumed=consumed).examined.diagnostics if item.code == "OUT006"
    ]
    assert findings
    assert all(item.severity.value == severity and item.message.startswith(message) for item in findings)


def test_a_plan_made_where_there_are_no_files_reads_none() -> None:
    with pytest.raises(OSError, match=r"`ship\.avsc` is not read here"):
        read_nothing("ship.avsc", Span("a.yaml", 1, 1, 1, 1))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capably.document.MAX_BYTES", 3)
    (tmp_path / "s.proto").write_text("1234")
    with pytest.raises(OSError, match="is larger than 3 bytes"):
        read_beside("s.proto", Span(str(tmp_path / "a.yaml"), 1, 1, 1, 1))


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("5MiB", 5 * 2**20),
        ("512KiB", 2**19),
        ("1.5 KiB", 1536),
        ("100", 100),
        ("100B", 100),
        ("1GiB", 2**30),
        (None, DEFAULT_MAX_BYTES),
    ],
)
def test_a_binary_answer_is_capped_as_the_operation_says(read: Any, written: Any, size: int) -> None:
    consumed = {"outputRawFormat": "binary"} | ({"maxBinarySize": written} if written else {})
    document = read(consumed=consumed)
    assert document.told == []
    assert raw_format(document).max_bytes == size


def test_the_server_caps_binary_answers_where_the_operation_does_not(read: Any) -> None:
    consumed = {"outputRawFormat": "binary"}
    assert raw_format(read(consumed=consumed, server={"maxBinarySize": "1KiB"})).max_bytes == 1024
    consumed["maxBinarySize"] = "2KiB"
    assert raw_format(read(consumed=consumed, server={"maxBinarySize": "1KiB"})).max_bytes == 2048


@pytest.mark.parametrize("written", ["ten", "10 MB", "0", "-1", "0.1B", "1" * 16])
def test_a_size_that_is_none_is_told(read: Any, written: str) -> None:
    document = read(consumed={"outputRawFormat": "binary", "maxBinarySize": written})
    assert {(code, text) for code, _line, text in document.told} == {("OUT007", f"`{written}` is no size")}


NOT_BINARY = {"200": {"content": {"image/png": {"binary": False}}}}
BINARY = {"200": {"content": {"text/html": {}, "image/png": {"binary": True}}}}


@pytest.mark.parametrize(
    ("consumed", "exposed", "upstream_type", "told"),
    [
        ({}, {}, "image/gif", {"rest": "image/gif", "mcp": "image/gif"}),
        ({}, {}, "", {"rest": "application/octet-stream", "mcp": "application/octet-stream"}),
        ({}, {"responseBinary": {"mediaType": "image/webp"}}, "image/gif", {"rest": "image/webp", "mcp": "image/gif"}),
        ({}, {"responses": BINARY}, "image/gif", {"rest": "image/png", "mcp": "image/gif"}),
        ({}, {"responses": NOT_BINARY}, "image/gif", {"rest": "image/gif", "mcp": "image/gif"}),
        (
            {"outputMediaType": "image/jpeg"},
            {"responses": BINARY},
            "image/gif",
            {"rest": "image/jpeg", "mcp": "image/jpeg"},
        ),
    ],
)
def test_the_media_type_of_a_binary_answer_is_the_most_certain_one(
    read: Any, consumed: Any, exposed: Any, upstream_type: str, told: dict[str, str]
) -> None:
    document = read([{"mapping": "$.ignored"}], consumed={"outputRawFormat": "binary", **consumed}, exposed=exposed)
    for kind, media_type in told.items():
        outcome = document.outcome(b"\x89PNG", upstream_type, kind=kind)
        assert (outcome.media_type, outcome.body) == (media_type, b"\x89PNG")


@pytest.mark.parametrize("with_length", [True, False])
def test_a_binary_answer_over_its_cap_is_refused(serve: Any, upstream: "Upstream", with_length: bool) -> None:  # noqa: FBT001
    served = serve(consumed={"outputRawFormat": "binary", "maxBinarySize": "1KiB", "outputMediaType": "image/png"})
    body = b"x" * 1025
    for _ in range(2):
        if with_length:
            upstream.answer(200, body)
        else:
            upstream.play(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n" + body + b"\r\n0\r\n\r\n")
    told = "`up` gave no usable answer: it holds more than the 1,024 bytes that `maxBinarySize` allows"
    said = served.rest("/op")
    assert (said.status, said.json["detail"]) == (502, told)
    result = served.tool()
    assert result["isError"]
    assert told in result["content"][0]["text"]


def test_a_binary_answer_within_its_cap_is_an_image_for_models(serve: Any, upstream: "Upstream") -> None:
    served = serve(consumed={"outputRawFormat": "binary", "maxBinarySize": "1KiB", "outputMediaType": "image/png"})
    for _ in range(2):
        upstream.answer(200, b"x" * 1024)
    assert len(served.rest("/op").body) == 1024
    (content,) = served.tool()["content"]
    assert (content["type"], content["mimeType"]) == ("image", "image/png")


def test_a_failure_of_a_binary_operation_is_told_as_it_is(serve: Any, upstream: "Upstream") -> None:
    upstream.answer(404, {"error": "gone"})
    said = serve(consumed={"outputRawFormat": "binary", "outputMediaType": "image/png"}).rest("/op")
    assert (said.status, said.media_type, json.loads(said.body)) == (404, "application/json", {"error": "gone"})
