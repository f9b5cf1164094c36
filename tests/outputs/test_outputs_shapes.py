"""Outputs are shaped as declared: nothing that is not declared is told, fixed values and templates are filled in."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.expr.jsonpath import ROOT
from capably.expr.source import Constant
from capably.payload.decode import decode_payload
from capably.plan.answer import Answer, Expected, Fixed, Shape, Whole
from capably.plan.flow import as_json

if TYPE_CHECKING:
    from tests.conftest import Upstream

SHIP = {
    "imo_number": "IMO-9321483",
    "vessel_name": "Northern Star",
    "year_built": 2015,
    "dimensions": {"length_overall": 229, "beam": 32, "secret": 1},
    "crew": [{"id": "CREW-001", "person": {"name": "Erik", "pin": 1}}, {"id": "CREW-003", "person": None}],
    "secret": "x",
}
NUMBER = {"type": "number"}


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (
            [
                {
                    "type": "object",
                    "properties": {
                        "imo": {"type": "string", "mapping": "$.imo_number"},
                        "specs": {
                            "type": "object",
                            "properties": {
                                "yearBuilt": {**NUMBER, "mapping": "$.year_built"},
                                "length": {**NUMBER, "mapping": "$.dimensions.length_overall"},
                            },
                        },
                    },
                }
            ],
            {"imo": "IMO-9321483", "specs": {"yearBuilt": 2015, "length": 229}},
        ),
        (
            [{"type": "object", "properties": {"dimensions": {"mapping": "$.dimensions", "properties": {"beam": {}}}}}],
            {"dimensions": {"beam": 32}},
        ),
        (
            [
                {
                    "type": "array",
                    "mapping": "$.crew",
                    "items": {
                        "properties": {
                            "crewId": {"mapping": "$.id"},
                            "who": {"mapping": "$.person", "properties": {"name": {}}},
                            "flat": {"properties": {"name": {"mapping": "$.person.name"}}},
                        }
                    },
                }
            ],
            [
                {"crewId": "CREW-001", "who": {"name": "Erik"}, "flat": {"name": "Erik"}},
                {"crewId": "CREW-003", "who": None, "flat": {"name": None}},
            ],
        ),
        (
            [{"type": "object", "properties": {"crew": {"type": "array", "items": {"properties": {"id": {}}}}}}],
            {"crew": [{"id": "CREW-001"}, {"id": "CREW-003"}]},
        ),
        (
            [{"type": "array", "mapping": "$.crew[*].id", "items": {"type": "string", "mapping": "$."}}],
            ["CREW-001", "CREW-003"],
        ),
        ([{"type": "array", "mapping": "$.crew[?(@.person)].id"}], ["CREW-001", "CREW-003"]),
        (
            [{"type": "array", "mapping": "$.crew", "items": {"type": "array", "mapping": "$.id"}}],
            [["CREW-001"], ["CREW-003"]],
        ),
        ([{"name": "imo_number"}, {"name": "n", "mapping": "$.crew.length()"}], {"imo_number": "IMO-9321483", "n": 2}),
        (
            [{"name": "crew", "type": "array", "items": [{"name": "id"}]}],
            {"crew": [{"id": "CREW-001"}, {"id": "CREW-003"}]},
        ),
        ([{"mapping": "$.nothing"}, {"mapping": "$.year_built"}, {"mapping": "$.secret"}], 2015),
        ([{"mapping": "$.nothing"}], None),
        ([{"value": "{{$.vessel_name}}"}], "Northern Star"),
        ([{"value": "$['vessel_name']"}], "Northern Star"),
        ([{"value": "$5.00"}], "$5.00"),
        ([{"mapping": "$.secret", "const": "no"}], "x"),
        ([{"type": "integer", "value": "42"}], 42),
        ([{"type": "boolean", "const": True}], True),
        ([{"value": {"a": [1, {"b": "c"}], "d": None}}], {"a": [1, {"b": "c"}], "d": None}),
        (
            [{"type": "object", "properties": {"year": {"mapping": "$.year_built"}, "kind": {"const": "cargo"}}}],
            {"year": 2015, "kind": "cargo"},
        ),
    ],
)
def test_an_answer_is_composed_of_what_is_declared(read: Any, outputs: Any, expected: Any) -> None:
    document = read(outputs)
    assert [code for code, *_ in document.told if code != "OUT001"] == []
    assert document.answer(SHIP) == expected


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("{{id}}", "string", "7"),
        ("{{id}}", "integer", 7),
        ("{{ tools.id }}", "number", 7),
        ("{{agent.id}}", None, "7"),
        ("ship {{id}} of {{fleet}}", "string", "ship 7 of north"),
        ({"id": "{{id}}", "all": ["{{fleet}}", 1]}, "object", {"id": "7", "all": ["north", 1]}),
    ],
)
def test_a_fixed_value_may_hold_what_the_caller_gave(read: Any, value: Any, kind: Any, expected: Any) -> None:
    document = read([{"name": "v", "value": value, **({"type": kind} if kind else {})}], server={"namespace": "agent"})
    operation = document.operations["mcp"]
    assert {item.name for item in operation.inputs} >= {"id"}
    assert document.answer({}, id="7", fleet="north") == {"v": expected}


def test_a_value_of_with_that_only_an_output_reads_is_not_called_useless(read: Any) -> None:
    document = read([{"value": "for {{who}}"}], exposed={"with": {"who": "captain"}})
    assert document.told == []
    assert document.answer({}) == "for captain"


def test_a_fixed_value_without_its_input_is_null(read: Any) -> None:
    parameters = [{"name": "id", "type": "string", "required": False}]
    document = read([{"name": "v", "value": "{{id}}"}], exposed={"inputParameters": parameters})
    assert document.answer({}) == {"v": None}


@pytest.mark.parametrize(
    "outputs", [None, [], [{"type": "object", "mapping": "$."}], [{"type": "array", "mapping": "$"}]]
)
@pytest.mark.parametrize("body", [b'{ "a" :1.0}', b"[1]", b"<p>", b""])
def test_the_whole_answer_passes_byte_for_byte(read: Any, outputs: Any, body: bytes) -> None:
    outcome = read(outputs).outcome(body, "text/x")
    assert (outcome.status, outcome.media_type, outcome.body) == (200, "text/x", body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
STATED = Fixed(Constant("stated"))
CUT = Whole(ROOT, Expected(max_length=2))
SHAPES: list[tuple[Shape, ...]] = [
    (),
    (Whole(ROOT),),
    (Whole(ROOT), STATED),
    (CUT,),
    (Whole(ROOT, Expected("string")),),
]


@given(st.none() | st.text(max_size=5) | JSON, st.sampled_from(SHAPES), st.sampled_from([None, 1]))
def test_a_body_that_passes_untouched_is_what_would_be_told_of_it(
    value: object, shapes: tuple[Shape, ...], indent: int | None
) -> None:
    answer, body = Answer(shapes), json.dumps(value, indent=indent).encode()
    if answer.passes_through:
        assert json.loads(as_json(answer.apply(decode_payload("json", body)))) == json.loads(body)


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ({"mapping": "$.a["}, "OUT002", "this JSONPath cannot be used: unexpected end of query, at its end"),
        ({"mapping": "$.a || $.b"}, "OUT002", "this JSONPath cannot be used: unexpected token '||', at `|| $.b`"),
        ({"mapping": {"a": 1}}, "OUT002", "`mapping` must be a JSONPath"),
        ({"type": "number", "value": "many"}, "OUT004", "this value is no number, which the output is declared to be"),
        ({"type": "object", "const": "x"}, "OUT004", "this value is no object, which the output is declared to be"),
        ({"properties": ["a"]}, "OUT003", "`properties` must be a mapping of outputs"),
        (
            {"in": "cookie", "mapping": "$.a"},
            "DOC013",
            "an output cannot be in `cookie`: it is left out",
        ),
    ],
)
def test_what_an_output_cannot_be_is_told_at_its_line(read: Any, output: Any, code: str, message: str) -> None:
    told = [(found, text) for found, _line, text in read([output]).told]
    assert told == [(code, message)] * len(told)
    assert told


def test_the_place_in_the_path_is_shown(read: Any) -> None:
    document = read([{"mapping": "$.a || $.b"}])
    (first, *_) = [item for item in document.examined.diagnostics if item.code == "OUT002"]
    line = document.text.splitlines()[first.span.line - 1]
    assert line[first.span.column - 1 :].startswith('|| $.b"')


@pytest.mark.parametrize(
    ("body", "media_type", "detail"),
    [
        (b"<html>", "text/html", "`up` answered 200, but the body is not JSON at byte 0: it starts with `<html>`"),
        (b'{"a": ', "application/json", '`up` answered 200, but the body is not JSON: it starts with `{"a":`'),
    ],
)
def test_a_body_that_cannot_be_read_is_a_fault(
    serve: Any, upstream: "Upstream", body: bytes, media_type: str, detail: str
) -> None:
    served = serve([{"type": "string", "mapping": "$.a"}])
    for _ in range(2):
        upstream.answer(200, body, {"Content-Type": media_type})
    said = served.rest("/op")
    assert (said.status, said.media_type) == (502, "application/problem+json")
    assert said.json["detail"] == detail
    result = served.tool()
    assert result["isError"]
    assert detail in result["content"][0]["text"]


def test_a_failure_is_not_mapped(serve: Any, upstream: "Upstream") -> None:
    upstream.answer(404, {"error": "gone"})
    said = serve([{"name": "a", "mapping": "$.a"}]).rest("/op")
    assert (said.status, said.json) == (404, {"error": "gone"})
