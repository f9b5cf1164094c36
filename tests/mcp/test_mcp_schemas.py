"""Schemas that are published and values that are taken and given agree, as an independent validator sees it."""

from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capably.diagnostics import Span
from capably.document import Node, parse_document
from capably.expr.source import Constant
from capably.model.decode import decode_record
from capably.model.values import Output, Parameter
from capably.plan.answer import Answer
from capably.plan.inputs import accept, input_schema
from capably.plan.operation import Input, Kind, Location, Mock, Operation, Origin
from capably.plan.outcome import Fault, Outcome
from capably.plan.output_schema import output_schema
from capably.plan.outputs import compile_answer
from capably.plan.parameter_schema import schema_of
from capably.servers.mcp_eras import Era
from capably.servers.mcp_results import encode_tool_result, result_of

SPAN = Span("a.yaml", 1, 1, 1, 2)


def node_of(data: Any) -> Node:
    document, _found = parse_document("a.yaml", msgspec.json.encode(data))
    assert document is not None
    assert document.root is not None
    return document.root


def operation(*parameters: dict[str, Any], answer: Answer | None = None, stated: Any = None) -> Operation:
    inputs = []
    for data in parameters:
        parameter = decode_record(Parameter, node_of(data), "inputParameters", [])
        assert parameter is not None
        schema = schema_of(parameter, "string")
        inputs.append(
            Input(
                name=parameter.name,
                location=Location.ARGUMENT,
                wire_name=parameter.name,
                type=schema["type"],
                required=bool(parameter.required),
                origin=Origin.DECLARED,
                schema=schema,
            )
        )
    made = answer if answer is not None else Answer()
    return Operation(
        server=Kind.MCP,
        namespace="tools",
        name="op",
        title="",
        description="",
        inputs=tuple(inputs),
        work=Mock(),
        answer=made,
        span=SPAN,
        stated_schema=stated,
        output=output_schema(made),
    )


def test_all_that_a_parameter_says_is_in_its_schema() -> None:
    asked = operation(
        {
            "name": "order",
            "type": "object",
            "required": True,
            "display": "Order",
            "properties": {
                "lines": {
                    "type": "array",
                    "required": True,
                    "minItems": 1,
                    "items": {"type": "object", "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}$"}}},
                },
                "state": {"type": "string", "enum": ["new", "paid"], "default": "new"},
                "at": {"type": "string", "format": "date-time", "example": "2026-01-01T00:00:00Z"},
                "version": {"const": 1},
            },
        },
        {"name": "tags", "type": "array", "items": "string"},
        {
            "name": "points",
            "type": "array",
            "items": [{"name": "x", "type": "number"}, {"name": "y", "type": "number"}],
        },
        {"name": "region", "x-mcp-header": "Region"},
    )
    assert input_schema(asked) == {
        "type": "object",
        "properties": {
            "order": {
                "type": "object",
                "title": "Order",
                "properties": {
                    "lines": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}$"}},
                        },
                    },
                    "state": {"type": "string", "enum": ["new", "paid"], "default": "new"},
                    "at": {"type": "string", "format": "date-time", "examples": ["2026-01-01T00:00:00Z"]},
                    "version": {"const": 1},
                },
                "required": ["lines"],
            },
            "tags": {"type": "array", "items": {"type": "string"}},
            "points": {
                "type": "array",
                "items": {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}},
            },
            "region": {"type": "string", "x-mcp-header": "Region"},
        },
        "additionalProperties": False,
        "required": ["order"],
    }
    jsonschema.Draft202012Validator.check_schema(input_schema(asked))


def test_every_fault_deep_in_the_arguments_is_told_in_one_answer() -> None:
    asked = operation(
        {"name": "tags", "type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "maxItems": 2},
        {"name": "who", "type": "object", "properties": {"name": {"type": "string", "required": True}}},
        {"name": "code", "type": "string", "pattern": "^[0-9]+$"},
        {"name": "size", "type": "integer", "minimum": 1, "maximum": 9},
    )
    with pytest.raises(Fault) as refused:
        accept(asked, {"tags": ["a", 1, "c"], "who": {}, "code": "x", "size": 10, "more": 1})
    assert [(problem.input, problem.message) for problem in refused.value.problems] == [
        ("more", "there is no input `more`: known here: `tags`, `who`, `code`, `size`"),
        ("tags", "`tags` must have at most 2 elements, not a list"),
        ("tags", "`tags[1]` must be a string, not 1"),
        ("tags", "`tags[2]` must be one of `a`, `b`, not the string `c`"),
        ("who", "`who.name` is required"),
        ("code", "`code` must match `^[0-9]+$`, not the string `x`"),
        ("size", "`size` must be 9 or less, not 10"),
    ]


STATED = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "a", "type": "object", "properties": {"street": {"type": "string"}}}},
    "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}, "phone": {"type": "string"}},
    "anyOf": [{"required": ["name"]}, {"required": ["phone"]}],
    "additionalProperties": False,
}


def test_a_schema_that_is_stated_as_a_whole_is_published_and_enforced_as_it_is() -> None:
    asked = operation({"name": "name"}, {"name": "address", "type": "object"}, {"name": "phone"}, stated=STATED)
    assert input_schema(asked) == STATED
    assert accept(asked, {"name": "Ann", "address": {"street": "x"}}) == {"name": "Ann", "address": {"street": "x"}}
    with pytest.raises(Fault) as refused:
        accept(asked, {"address": {"street": 1}})
    assert refused.value.detail == (
        "the value fits none of what is allowed: `name` is required, or `phone` is required; "
        "`address.street` must be a string, not 1"
    )
    with pytest.raises(Fault, match="`zip` is not known: leave it out"):
        accept(asked, {"name": "Ann", "zip": 1})


SCALARS = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "number", "integer", "boolean"])}),
    st.fixed_dictionaries({"type": st.just("string"), "pattern": st.sampled_from(["^a", "b$", "[0-9]{2}"])}),
    st.fixed_dictionaries({"type": st.just("string"), "enum": st.lists(st.sampled_from("abc"), min_size=1)}),
    st.fixed_dictionaries({"type": st.just("integer"), "minimum": st.integers(-3, 3)}),
    st.fixed_dictionaries({"const": st.sampled_from([1, "a", True])}),
)
PARAMETERS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda item: {"type": "array", "items": item}, inner),
        st.builds(
            lambda properties, required: {
                "type": "object",
                "properties": {name: {**item, "required": name in required} for name, item in properties.items()},
            },
            st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
            st.sets(st.sampled_from("xyz")),
        ),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([1.0, 2.5]), st.sampled_from(["a", "b", "12", ""])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    parameters=st.dictionaries(st.sampled_from("pqr"), PARAMETERS, max_size=3),
    required=st.sets(st.sampled_from("pqr")),
    values=st.dictionaries(st.sampled_from("pqrs"), VALUES, max_size=4),
)
def test_what_is_taken_is_what_the_published_schema_allows(
    parameters: dict[str, Any], required: set[str], values: dict[str, Any]
) -> None:
    asked = operation(
        *({"type": "integer", **item, "name": name, "required": name in required} for name, item in parameters.items())
    )
    optional = {item.name for item in asked.inputs if not item.required}
    without_nulls = {name: value for name, value in values.items() if value is not None or name not in optional}
    allowed = jsonschema.Draft202012Validator(input_schema(asked)).is_valid(without_nulls)
    try:
        accept(asked, values)
    except Fault:
        assert not allowed
    else:
        assert allowed


OUTPUTS = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"type": st.sampled_from(["string", "number", "integer", "boolean", "object"])}),
        st.fixed_dictionaries({"type": st.just("string"), "maxLength": st.integers(0, 3), "description": st.just("d")}),
        st.fixed_dictionaries({"type": st.just("string"), "const": st.sampled_from(["fixed", "12"])}),
        st.fixed_dictionaries({"mapping": st.sampled_from(["$", "$.x", "$.y[*].z", "$..x"])}),
        st.fixed_dictionaries({"type": st.just("array"), "mapping": st.just("$.x")}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda item: {"type": "array", "items": item}, inner),
        st.builds(lambda item: {"type": "object", "values": item}, inner),
        st.builds(
            lambda parts: {"type": "object", "properties": parts}, st.dictionaries(st.sampled_from("xyz"), inner)
        ),
    ),
    max_leaves=6,
)


def answer_of(outputs: list[dict[str, Any]], *, is_mock: bool = False) -> Answer:
    read = [decode_record(Output, node_of(item), "outputParameters", []) for item in outputs]
    kept = tuple(output for output in read if output is not None)
    return compile_answer(kept, lambda text, _node: Constant(text), [], is_mock=is_mock)


OUTPUT_LISTS = st.one_of(
    st.lists(OUTPUTS, min_size=1, max_size=2),
    st.dictionaries(st.sampled_from("xyz"), OUTPUTS, min_size=1, max_size=3).map(
        lambda parts: [{**item, "name": name} for name, item in parts.items()]
    ),
)


@settings(max_examples=300, deadline=None)
@given(outputs=OUTPUT_LISTS, upstream=VALUES, era=st.sampled_from(Era))
def test_structured_content_is_always_as_the_output_schema_says(
    outputs: list[dict[str, Any]], upstream: Any, era: Era
) -> None:
    tool = operation(answer=answer_of(outputs))
    if tool.output is None or (era is Era.LEGACY and not tool.output.is_object):
        return
    validator = jsonschema.Draft202012Validator(tool.output.schema)
    body = msgspec.json.encode(tool.answer.apply(upstream))
    outcomes = [
        Outcome(200, "application/json", body),
        Outcome(204, None),
        Outcome(200, "text/event-stream", b"data: 1\n\n"),
        Outcome(304, "application/json", b'{"of": "the upstream"}'),
    ]
    for outcome in outcomes:
        told = msgspec.json.decode(encode_tool_result(result_of(tool, outcome, era), {}))
        validator.validate(told["structuredContent"])
        assert era is Era.MODERN or isinstance(told["structuredContent"], dict)
        assert told["content"][0]["text"]


def test_an_answer_that_passes_through_has_no_schema() -> None:
    assert output_schema(Answer()) is None
    assert output_schema(answer_of([{"type": "object", "mapping": "$."}])) is None


def test_named_outputs_are_an_object_whose_every_field_is_there() -> None:
    found = output_schema(
        answer_of([{"name": "id", "type": "string", "description": "Which."}, {"name": "n", "type": "array"}])
    )
    assert found is not None
    assert found.is_object
    assert found.empty == b'{"id":null,"n":null}'
    assert found.schema == {
        "type": "object",
        "properties": {
            "id": {"type": ["string", "null"], "description": "Which."},
            "n": {"type": ["array", "null"]},
        },
        "required": ["id", "n"],
        "additionalProperties": False,
    }


def test_a_list_is_no_object_so_older_clients_are_told_no_schema() -> None:
    found = output_schema(answer_of([{"type": "array", "mapping": "$.data", "items": {"type": "string"}}]))
    assert found is not None
    assert not found.is_object
    assert found.schema == {"type": ["array", "null"], "items": {"type": ["string", "null"]}}


def test_a_mock_leaves_out_what_nothing_fills() -> None:
    answer = answer_of([{"name": "v", "value": "x"}], is_mock=True)
    found = output_schema(answer, is_mock=True)
    assert found is not None
    assert "required" not in found.schema
    assert found.empty == b"{}"
