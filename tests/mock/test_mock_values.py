"""Values made from schemas: judged by jsonschema, which is not what makes them."""

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from capably.mock.make import NoValueError, make
from capably.mock.make_text import sample
from capably.mock.schemas import Book

if TYPE_CHECKING:
    from tests.mock.conftest import Mocking


def made(schema: Any, version: str = "3.1.0", **components: Any) -> Any:
    document = {"openapi": version, "components": {"schemas": components}}
    return make(Book(document, is_request=False).schema(schema))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "text"),
        ({"type": "integer"}, 1),
        ({"type": "number", "exclusiveMinimum": 3, "maximum": 4}, 3.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"], "minimum": 7}, 7),
        ({"const": [1]}, [1]),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "integer", "example": 42}, 42),
        ({"type": "integer", "example": "forty-two", "default": 5}, 5),
        ({"type": "string", "examples": ["x"]}, "x"),
        ({"type": "string", "format": "date-time"}, "2026-01-01T12:00:00Z"),
        ({"type": "string", "format": "uuid"}, "00000000-0000-4000-8000-000000000001"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "pattern": "^IMO-[0-9]{7}$"}, "IMO-0000000"),
        ({"type": "integer", "multipleOf": 5, "minimum": 11}, 15),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "number", "multipleOf": 0.01, "minimum": 0.5, "maximum": 0.505}, 0.5),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True}, [1, 2, 3]),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": False}, ["text", True]),
        ({"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["b"]}, {"a": "text", "b": 1}),
        ({"type": "object", "required": ["x"]}, {"x": "text"}),
        ({"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}}, {"key1": 1, "key2": 1}),
        ({"type": "object", "properties": {"secret": {"type": "string", "writeOnly": True}}}, {}),
        ({"oneOf": [{"type": "string", "maxLength": 0, "minLength": 1}, {"type": "integer"}]}, 1),
        ({"anyOf": [{"type": "boolean"}, {"type": "integer"}]}, True),
    ],
)  # fmt: skip
def test_a_value_is_made_as_the_schema_says(schema: Any, value: Any) -> None:
    assert made(schema) == value
    Draft202012Validator(schema).validate(value)


def test_parts_that_must_all_hold_are_made_together() -> None:
    base = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "n": {"minimum": 3}}}
    more = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "maximum": 5}}}
    assert made({"allOf": [{"$ref": "#/components/schemas/Base"}, more]}, Base=base) == {"id": "text", "n": 3}


def test_the_alternative_says_its_name_where_a_discriminator_asks() -> None:
    cat = {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}}
    rule = {"propertyName": "kind", "mapping": {"feline": "#/components/schemas/Cat"}}
    assert made({"oneOf": [{"$ref": "#/components/schemas/Cat"}], "discriminator": rule}, Cat=cat) == {"kind": "feline"}


def test_a_schema_that_contains_itself_ends_where_it_may() -> None:
    node = {
        "type": "object",
        "required": ["name", "children"],
        "properties": {
            "name": {"type": "string"},
            "parent": {"$ref": "#/components/schemas/Node"},
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
        },
    }
    assert made({"$ref": "#/components/schemas/Node"}, Node=node) == {"name": "text", "children": []}


def test_schemas_that_contain_each_other_end_where_they_may() -> None:
    here = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/components/schemas/There"}}}
    there = {"type": "object", "properties": {"back": {"$ref": "#/components/schemas/Here"}, "n": {"type": "integer"}}}
    assert made({"$ref": "#/components/schemas/Here"}, Here=here, There=there) == {"next": {"n": 1}}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/components/schemas/Endless"},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"not": {}},
    ],
)
def test_a_schema_that_nothing_fits_is_told(schema: Any) -> None:
    endless = {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/components/schemas/Endless"}}}
    with pytest.raises(NoValueError):
        made(schema, Endless=endless)


def test_the_flags_of_3_0_are_understood() -> None:
    assert made({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, "3.0.3") == 4
    assert made({"type": "string", "nullable": True, "enum": ["a"]}, "3.0.3") == "a"
    book = Book({"openapi": "3.0.0"}, is_request=False)
    assert book.schema({"type": "string", "nullable": True}).accepts(None)
    assert not Book({"openapi": "3.1.0"}, is_request=False).schema({"type": "string", "nullable": True}).accepts(None)


def scalars() -> st.SearchStrategy[dict[str, Any]]:
    numbers = st.tuples(st.integers(-50, 50), st.integers(0, 40)).map(
        lambda pair: {"type": "integer", "minimum": pair[0], "maximum": pair[0] + pair[1]}
    )
    reals = st.tuples(st.integers(-50, 50), st.integers(1, 9)).map(
        lambda pair: {"type": "number", "exclusiveMinimum": pair[0], "exclusiveMaximum": pair[0] + pair[1]}
    )
    texts = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(
        lambda pair: {"type": "string", "minLength": pair[0], "maxLength": pair[0] + pair[1]}
    )
    enums = st.lists(st.integers() | st.text(), min_size=1, max_size=3).map(lambda values: {"enum": values})
    formats = st.sampled_from(["date", "date-time", "uuid", "email", "uri", "ipv4"]).map(
        lambda name: {"type": "string", "format": name}
    )
    return st.one_of(numbers, reals, texts, enums, formats, st.just({"type": "boolean"}))


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
    return properties.flatmap(
        lambda known: st.lists(st.sampled_from([*known, "z"]), unique=True).map(
            lambda needed: {"type": "object", "properties": known, "required": needed}
        )
    )


def lists(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(inner, st.integers(0, 2)).map(
        lambda pair: {"type": "array", "items": pair[0], "minItems": pair[1], "maxItems": pair[1] + 1}
    )


SCHEMAS = st.recursive(
    scalars(),
    lambda inner: st.one_of(
        objects(inner),
        lists(inner),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"anyOf": parts}),
        objects(inner).map(lambda part: {"allOf": [part, {"type": "object"}]}),
    ),
    max_leaves=8,
)


@given(SCHEMAS)
@settings(max_examples=150, deadline=None)
def test_what_is_made_fits_and_is_always_the_same(schema: dict[str, Any]) -> None:
    value = made(schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)
    assert made(schema) == value


PATTERNS = [
    r"^[A-Z]{3}-\d{4}$", r"^(cat|dog)s?$", r"\w+@\w+\.(com|org)", r"^[^a-z]+$", r"^\S{8,}$", r"^(?:a|b){2,3}c*$",
    r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", r"^(\d)\1$", r"^.{5}$", r"^#[\da-fA-F]{6}$", r"^\+?[1-9]\d{1,14}$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_text_is_made_for_a_pattern(pattern: str) -> None:
    text = sample(pattern)
    assert text is not None
    assert re.search(pattern, text)


@given(st.text(max_size=12) | st.from_regex(r"[\[\]()|*+?{}\\a-c0-9^$.-]{0,10}"))
@settings(max_examples=300, deadline=None)
def test_whatever_the_pattern_nothing_breaks(pattern: str) -> None:
    text = sample(pattern)
    assert text is None or re.search(pattern, text)


def test_an_answer_without_an_example_is_made_from_its_schema(mocking: "Mocking") -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    responses = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    answer = mocking({"/x": {"get": {"responses": responses}}}).ask("GET", "/x")
    assert (json.loads(answer.body), answer.story) == ({"id": 1}, "made from the schema")


def test_a_made_value_can_be_preferred_to_an_example(mocking: "Mocking") -> None:
    medium = {"schema": {"type": "integer", "minimum": 9}, "example": 10}
    mock = mocking(
        {"/x": {"get": {"responses": {"200": {"description": "", "content": {"application/json": medium}}}}}}
    )
    assert mock.get("/x") == 10
    assert mock.get("/x", prefer="dynamic=true") == 9


def test_a_contradiction_is_remarked(mocking: "Mocking") -> None:
    schema = {"type": "integer", "minimum": 5, "maximum": 4}
    responses = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    answer = mocking({"/x": {"get": {"responses": responses}}}).ask("GET", "/x")
    assert answer.remarks == ("no value was found that fits the schema: give an example",)


def test_xml_is_made_with_the_names_of_the_schema(mocking: "Mocking") -> None:
    vessel = {
        "type": "object",
        "xml": {"name": "vessel", "namespace": "urn:v"},
        "properties": {
            "code": {"type": "string", "example": "A<B", "xml": {"attribute": True}},
            "name": {"type": "string", "example": "Old & Faithful", "xml": {"name": "vesselName"}},
            "ports": {"type": "array", "xml": {"wrapped": True}, "items": {"type": "string", "xml": {"name": "port"}}},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    }
    fleet = {"type": "array", "xml": {"name": "fleet"}, "items": vessel}
    responses = {"200": {"description": "", "content": {"application/xml": {"schema": fleet}}}}
    assert mocking({"/x": {"get": {"responses": responses}}}).ask("GET", "/x").body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<fleet><vessel xmlns="urn:v" code="A&lt;B"><vesselName>Old &amp; Faithful</vesselName>'
        "<ports><port>text</port></ports><tags>text</tags></vessel></fleet>"
    )
