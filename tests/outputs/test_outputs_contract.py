"""What a REST operation states of its answers: `responses`, `responseBinary`."""

from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from capably.plan.openapi import openapi_document

if TYPE_CHECKING:
    from tests.conftest import Upstream

BINARY = {"outputRawFormat": "binary"}
PNG = {"binary": True}


def responses(document: Any) -> Any:
    compiled = document.examined.compiled
    (server,) = (each for each in compiled.plan.servers if each.kind.value == "rest")
    told = openapi_document(server)
    assert [problem.message for problem in OpenAPIV31SpecValidator(told).iter_errors()] == []
    return told["paths"]["/op"]["get"]["responses"]


def test_each_status_is_told_with_its_own_media_types(read: Any) -> None:
    gone = {"description": "No such photo.", "content": {"application/json": {"schema": {"type": "object"}}}}
    stated = {
        "200": {"description": "The photo.", "content": {"image/jpeg": PNG}},
        "404": gone,
        "5xx": {},
        "302": {"description": "Elsewhere."},
    }
    document = read(consumed=BINARY, exposed={"responses": stated})
    assert document.told == []
    told = responses(document)
    assert list(told) == ["200", "2XX", "302", "404", "5XX", "default"]
    assert told["200"] == {"description": "The photo.", "content": {"image/jpeg": {}}}
    assert told["302"] == {"description": "Elsewhere."}
    assert told["404"]["description"] == "No such photo."
    assert list(told["404"]["content"]) == ["application/json", "application/problem+json"]
    assert told["404"]["content"]["application/json"] == {"schema": {"type": "object"}}
    assert told["5XX"]["description"] == "What went wrong."
    assert told["default"] == {"$ref": "#/components/responses/Failure"}


def test_the_shorthand_states_one_answer(read: Any) -> None:
    short = {"mediaType": "image/webp", "description": "A thumbnail."}
    told = responses(read(consumed=BINARY, exposed={"responseBinary": short}))
    assert told["200"] == {"description": "A thumbnail.", "content": {"image/webp": {}}}
    told = responses(read(consumed=BINARY, exposed={"responseBinary": {**short, "status": 201}}))
    assert "200" not in told
    assert told["201"]["content"] == {"image/webp": {}}
    told = responses(read(consumed=BINARY, exposed={"responseBinary": {}}))
    assert told["200"] == {"description": "OK", "content": {"*/*": {}}}


def test_what_the_consumed_operation_says_is_told_instead(read: Any) -> None:
    consumed = {**BINARY, "outputMediaType": "image/gif"}
    told = responses(read(consumed=consumed, exposed={"responses": {"200": {"content": {"image/png": PNG}}}}))
    assert told["200"]["content"] == {"image/gif": {}}


def test_a_stated_schema_is_told_where_outputs_say_nothing(read: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    stated = {"responses": {"200": {"content": {"application/json": {"schema": schema}}}, "204": {}}}
    content = responses(read(exposed=stated))["200"]["content"]
    assert content["application/json"] == {"schema": schema}
    assert "application/yaml" in content
    told = responses(read([{"name": "b", "type": "string"}], exposed=stated))
    assert list(told["200"]["content"]["application/json"]["schema"]["properties"]) == ["b"]
    assert told["204"] == {"description": "No Content"}
    told = responses(read(consumed={"outputRawFormat": "csv"}, exposed=stated))
    assert list(told["200"]["content"]) == ["application/json"]


def test_bytes_that_are_stated_are_not_read(read: Any, serve: Any, upstream: "Upstream") -> None:
    exposed = {"responseBinary": {"mediaType": "application/pdf"}}
    document = read([{"mapping": "$.a"}], exposed=exposed)
    assert document.told == []
    assert document.outcome(b"%PDF", kind="rest").media_type == "application/pdf"
    upstream.answer(200, b"%PDF" * 400, {"Content-Type": "application/x-pdf"})
    said = serve([{"mapping": "$.a"}], exposed=exposed, server={"maxBinarySize": "1KiB"}).rest("/op")
    assert (said.status, said.json["type"]) == (502, "urn:problem-type:capably:upstream-too-large")


@pytest.mark.parametrize(
    ("upstream_type", "status", "told"),
    [
        ("image/jpeg", 200, "image/jpeg"),
        ("image/PNG; q=1", 200, "image/PNG; q=1"),
        ("text/plain", 200, "image/png"),
        ("text/plain", 206, "video/mp4"),
        ("text/plain", 203, "image/gif"),
    ],
)
def test_the_status_chooses_the_media_type_and_the_upstream_among_several(
    read: Any, upstream_type: str, status: int, told: str
) -> None:
    stated = {
        "200": {"content": {"image/png": PNG, "image/jpeg": PNG}},
        "206": {"content": {"video/mp4": PNG}},
        "2XX": {"content": {"image/gif": PNG}},
        "404": {"content": {"image/bmp": PNG}},
    }
    work = read(consumed=BINARY, exposed={"responses": stated}).operations["rest"].work
    assert work.raw_format.told_as(status, upstream_type) == told


@pytest.mark.parametrize(
    ("exposed", "message"),
    [
        ({"responseBinary": {}, "responses": {"200": {}}}, "`responses` and `responseBinary` are two ways to say one"),
        ({"responseBinary": {"status": "ok"}}, "`ok` is no status"),
        ({"responseBinary": {"mediaType": "image"}}, "`image` is no media type"),
        ({"responses": {"20X": {}}}, "`20X` is no status"),
        ({"responses": {"default": {}}}, "`default` is no status"),
        ({"responses": {"200": {"content": {"json": {}}}}}, "`json` is no media type"),
        ({"responses": {"200": {"content": {"a/b": {"schema": ["a"]}}}}}, "this schema cannot be used: a schema is a"),
        ({"responses": {"200": {"content": {"a/b": {"schema": {"type": "x"}}}}}}, "this schema cannot be used: "),
    ],
)
def test_what_cannot_be_so_is_told_and_left_aside(read: Any, exposed: Any, message: str) -> None:
    document = read(consumed=BINARY, exposed=exposed)
    ((_code, _line, text),) = [told for told in document.told if told[0] == "OUT009"]
    assert text.startswith(message)
    assert "200" in responses(document)


def test_bytes_of_an_upstream_that_is_read_are_told(read: Any) -> None:
    document = read(
        consumed={"outputRawFormat": "csv"}, exposed={"responses": {"200": {"content": {"image/png": PNG}}}}
    )
    assert [(code, text) for code, _line, text in document.told] == [
        ("OUT009", "bytes are stated, but what `op` answers is read as csv")
    ]
