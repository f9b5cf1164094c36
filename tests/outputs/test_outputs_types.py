"""Declared types are enforced: values are converted losslessly, and what cannot be is null and told to the operator."""

import logging
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.plan.conversion import KINDS, LOST, convert

if TYPE_CHECKING:
    from tests.conftest import Upstream

JSON = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner | st.none(), max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", "x", "x"),
        ("string", "", ""),
        ("string", 12, "12"),
        ("string", 12.5, "12.5"),
        ("string", True, "true"),
        ("string", {"a": 1}, LOST),
        ("string", [1], LOST),
        ("number", 12, 12),
        ("number", 1.5, 1.5),
        ("number", "12", 12),
        ("number", " 12 ", 12),
        ("number", "12.50", 12.5),
        ("number", "-3e2", -300.0),
        ("number", ".5", 0.5),
        ("number", "+7", 7),
        ("number", "007", 7),
        ("number", "123456789012345678901234567890", 123456789012345678901234567890),
        ("number", "", LOST),
        ("number", "N/A", LOST),
        ("number", "1,5", LOST),
        ("number", "1_000", LOST),
        ("number", "0x1F", LOST),
        ("number", "NaN", LOST),
        ("number", "1e999", LOST),
        ("number", "1e99999", LOST),
        ("number", "٣", LOST),
        ("number", "9" * 401, LOST),
        ("number", True, LOST),
        ("number", [1], LOST),
        ("integer", 12, 12),
        ("integer", 12.0, 12),
        ("integer", "12.0", 12),
        ("integer", 12.5, LOST),
        ("integer", "12.5", LOST),
        ("integer", False, LOST),
        ("boolean", True, True),
        ("boolean", "true", True),
        ("boolean", " False ", False),
        ("boolean", 1, True),
        ("boolean", "0", False),
        ("boolean", 2, LOST),
        ("boolean", "yes", LOST),
        ("boolean", {}, LOST),
        ("object", {"a": 1}, {"a": 1}),
        ("object", [1], [1]),
        ("object", "x", LOST),
        ("object", 1, LOST),
        ("array", [1], [1]),
        ("array", {"a": 1}, [{"a": 1}]),
        ("array", "x", ["x"]),
    ],
)
def test_a_value_becomes_the_declared_type_or_is_lost(kind: str, value: object, expected: object) -> None:
    told = convert(value, kind)
    assert told == expected
    assert type(told) is type(expected)


@given(JSON, st.sampled_from(list(KINDS)))
def test_a_converted_value_is_of_its_type_and_stays_the_same_when_converted_again(value: Any, kind: str) -> None:
    told = convert(value, kind)
    if told is not LOST:
        assert convert(told, kind) == told
        assert msgspec.json.encode(told)


@pytest.mark.parametrize(
    ("output", "upstream", "expected"),
    [
        ({"type": "number", "mapping": "$.n"}, {"n": "12"}, 12),
        ({"type": "Number", "mapping": "$.n"}, {"n": "12"}, 12),
        ({"type": "string", "mapping": "$.n"}, {"n": 12}, "12"),
        ({"mapping": "$.n"}, {"n": "12"}, "12"),
        ({"type": "string", "mapping": "$.n", "maxLength": 3}, {"n": "abcdef"}, "abc"),
        ({"type": "string", "mapping": "$.n", "maxLength": 3}, {"n": 12345}, "123"),
        ({"mapping": "$.n", "maxLength": 3}, {"n": 12345}, 12345),
        ({"type": "object", "mapping": "$.n"}, {"n": {"a": "1"}}, {"a": "1"}),
        ({"type": "array", "mapping": "$.n"}, {"n": {"a": 1}}, [{"a": 1}]),
        ({"type": "array", "mapping": "$.n", "items": {"type": "number"}}, {"n": ["1", 2, "x"]}, [1, 2, None]),
        ({"type": "array", "mapping": "$.n", "items": {"type": "string"}}, {"n": "one"}, ["one"]),
        ({"type": "string", "mapping": "$"}, "x", "x"),
        ({"type": "integer", "mapping": "$"}, "12", 12),
        ({"type": "object", "mapping": "$.n", "properties": {"a": {}}}, {"n": "text"}, None),
        (
            {"type": "object", "mapping": "$.n", "values": {"type": "number"}},
            {"n": {"a": "1", "b": 2}},
            {"a": 1, "b": 2},
        ),
        ({"type": "object", "mapping": "$.n", "values": {"mapping": "$.x"}}, {"n": {"a": {"x": 1}}}, {"a": 1}),
        ({"type": "object", "mapping": "$.n", "values": {}}, {"n": [1]}, None),
        ({"type": "object", "mapping": "$.n", "values": {}}, {}, None),
    ],
)
def test_an_output_is_told_as_its_type(read: Any, output: Any, upstream: Any, expected: Any) -> None:
    document = read([output])
    assert [told for told in document.told if told[0] != "OUT001"] == []
    assert document.answer(upstream) == expected


def test_what_was_lost_is_noted_once_with_its_place_and_without_its_value(read: Any) -> None:
    document = read([{"type": "array", "mapping": "$", "items": {"properties": {"year": {"type": "number"}}}}])
    outcome = document.outcome([{"year": "s3cret"}, {"year": "s3cret too"}, {"year": {}}, {"year": 1}])
    line = next(
        n for n, text in enumerate(document.text.splitlines(), 1) if '"year"' in text and n > document.tool_line
    )
    assert [str(loss).rpartition("document.json:")[2] for loss in outcome.losses] == [
        f"{line}:19: `year` is declared number, but the upstream gave text: null is answered",
        f"{line}:19: `year` is declared number, but the upstream gave an object: null is answered",
    ]
    assert "s3cret" not in "".join(map(str, outcome.losses))


def test_what_is_missing_is_null_and_no_loss(read: Any) -> None:
    document = read([{"type": "object", "properties": {"year": {"type": "number"}, "crew": {"type": "array"}}}])
    outcome = document.outcome({"crew": None})
    assert (outcome.body, outcome.losses) == (b'{"year":null,"crew":null}', ())


def test_an_upstream_that_loses_values_with_every_answer_is_logged_once(
    serve: Any, upstream: "Upstream", caplog: pytest.LogCaptureFixture
) -> None:
    served = serve([{"type": "object", "properties": {"year": {"type": "number"}}}])
    with caplog.at_level(logging.WARNING, "capably.upstream"):
        for _ in range(3):
            upstream.answer(200, {"year": "unknown"})
            assert served.rest("/op").json == {"year": None}
    (line,) = [record.getMessage() for record in caplog.records if "declared" in record.getMessage()]
    assert line.endswith("`year` is declared number, but the upstream gave text: null is answered")


def test_a_type_that_is_none_is_told_with_the_nearest_one(read: Any) -> None:
    document = read([{"type": "sting", "mapping": "$.a"}])
    findings = [item for item in document.examined.diagnostics if item.code == "DOC010"]
    assert {item.help for item in findings} == {("did you mean `string`?",)}
