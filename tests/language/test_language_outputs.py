"""What an operation makes of an upstream's answer."""

from typing import Any

import pytest

SHIP: dict[str, Any] = {"data": {"name": "Fram", "crew": [{"id": 1, "rank": "captain"}, {"id": 2}]}, "total": 2}


@pytest.mark.parametrize(
    ("outputs", "answer"),
    [
        ([], SHIP),
        ([{"type": "object", "mapping": "$."}], SHIP),
        ([{"type": "object", "mapping": "$"}], SHIP),
        ([{"type": "object"}], SHIP),
        ([{"type": "object", "mapping": "$.data"}], SHIP["data"]),
        ([{"type": "string", "mapping": "$.data.name"}], "Fram"),
        ([{"type": "string", "mapping": "$['data']['name']"}], "Fram"),
        ([{"type": "string", "mapping": "$.nothing"}], None),
        ([{"type": "string", "const": "fixed"}], "fixed"),
        ([{"type": "string", "value": "fixed"}], "fixed"),
        ([{"type": "string", "value": "$.data.name"}], "Fram"),
        ([{"type": "string", "mapping": "$.nothing"}, {"type": "number", "mapping": "$.total"}], 2),
        (
            [{"name": "ship", "mapping": "$.data.name"}, {"name": "n", "mapping": "$.total"}],
            {"ship": "Fram", "n": 2},
        ),
        (
            [{"type": "object", "mapping": "$.data", "properties": {"name": {}, "boat": {"mapping": "$.name"}}}],
            {"name": "Fram", "boat": "Fram"},
        ),
        (
            [{"type": "array", "mapping": "$.data.crew", "items": {"properties": {"id": {"mapping": "$.id"}}}}],
            [{"id": 1}, {"id": 2}],
        ),
        (
            [{"type": "array", "mapping": "$.data.crew", "items": [{"properties": {"id": {"mapping": "$.id"}}}]}],
            [{"id": 1}, {"id": 2}],
        ),
        (
            [{"type": "array", "mapping": "$.data.crew", "items": [{"name": "id"}, {"name": "rank"}]}],
            [{"id": 1, "rank": "captain"}, {"id": 2, "rank": None}],
        ),
        ([{"type": "array", "mapping": "$.data.crew", "items": []}], SHIP["data"]["crew"]),
        ([{"type": "array", "mapping": "$.total", "items": {}}], [2]),
    ],
)
def test_an_output_is_taken_out_of_the_answer(language: Any, outputs: Any, answer: Any) -> None:
    reading = language.tool(exposed={"outputParameters": outputs})
    assert not reading.examined.has_errors
    assert reading.operation.answer.apply(SHIP) == answer


@pytest.mark.parametrize("outputs", [[], [{"type": "object", "mapping": "$."}], [{"mapping": "$"}]])
def test_the_whole_answer_passes_through_untouched(language: Any, outputs: Any) -> None:
    assert language.tool(exposed={"outputParameters": outputs}).operation.answer.passes_through


@pytest.mark.parametrize("outputs", [[{"mapping": "$.a"}], [{"name": "a", "mapping": "$"}], [{"const": 1}]])
def test_a_part_of_the_answer_does_not_pass_through(language: Any, outputs: Any) -> None:
    assert not language.tool(exposed={"outputParameters": outputs}).operation.answer.passes_through


def test_the_dot_behind_the_root_is_told(language: Any) -> None:
    reading = language.tool(exposed={"outputParameters": [{"mapping": "$."}]})
    assert reading.told == [("OUT001", "`$.` is read as `$`, the whole answer")]
    assert not reading.examined.has_errors


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ({"mapping": "$.a[*"}, "OUT002", "this JSONPath cannot be used: unexpected end of segment, at its end"),
        ({"mapping": ["$"]}, "OUT002", "`mapping` must be a JSONPath"),
        ({"properties": ["a"]}, "OUT003", "`properties` must be a mapping of outputs"),
        ({"properties": {"a": 1}}, "DOC010", "`outputParameters` must hold mappings, not `1`"),
        ({"items": 1}, "DOC010", "`outputParameters` must hold mappings, not `1`"),
    ],
)
def test_an_output_that_cannot_be_used_is_an_error(language: Any, output: Any, code: str, message: str) -> None:
    reading = language.tool(exposed={"outputParameters": [output]})
    assert reading.told == [(code, message)]
    assert reading.examined.has_errors


@pytest.mark.parametrize("name", ["label", "functions", "targetName", "steps", "tools", "resources", "id", "import"])
def test_a_property_may_be_called_like_a_word_of_the_language(language: Any, name: str) -> None:
    properties = {name: {"type": "array", "mapping": f"$.{name}"}}
    reading = language.tool(exposed={"outputParameters": [{"type": "object", "properties": properties}]})
    assert reading.told == []
    assert reading.operation.answer.apply({name: [1]}) == {name: [1]}
