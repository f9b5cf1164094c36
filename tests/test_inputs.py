"""The check of inputs that REST and MCP share."""

from contextlib import suppress
from dataclasses import replace
from functools import cache
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capably.capabilities import THREADS_RUNS
from capably.examine import examine
from capably.plan.inputs import accept, input_schema
from capably.plan.operation import Input, Location, Operation, Origin
from capably.plan.outcome import Fault


@cache
def an_operation() -> Operation:
    compiled = examine(THREADS_RUNS).compiled
    assert compiled is not None
    return compiled.plan.servers[1].operations[0]


def operation(*inputs: Input) -> Operation:
    return replace(an_operation(), inputs=inputs)


def an_input(kind: str, *, required: bool = True, location: Location = Location.ARGUMENT, **schema: object) -> Input:
    full = {"type": kind, **schema}
    return Input("x", location, "x", kind, required=required, origin=Origin.DECLARED, schema=full)


@pytest.mark.parametrize(
    ("kind", "good", "bad", "told"),
    [
        ("string", "a", 1, "`x` must be a string, not 1"),
        ("number", 1.5, "1.5", "`x` must be a number, not the string `1.5`"),
        ("number", 2, True, "`x` must be a number, not true"),
        ("integer", 2, 2.5, "`x` must be a whole number, not 2.5"),
        ("boolean", False, 0, "`x` must be true or false, not 0"),
        ("array", [1], {}, "`x` must be a list, not an object"),
        ("object", {}, [], "`x` must be an object, not a list"),
        ("string", "a", None, "`x` must be a string, not null"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_what_was_expected(
    kind: str, good: object, bad: object, told: str
) -> None:
    assert accept(operation(an_input(kind)), {"x": good}) == {"x": good}
    with pytest.raises(Fault) as refused:
        accept(operation(an_input(kind)), {"x": bad})
    assert refused.value.status == 400
    assert [problem.message for problem in refused.value.problems] == [told]


FORMATS = [
    ("date", "2024-02-29", "2023-02-29", "a date such as 2026-01-31"),
    ("date-time", "2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00", "a date and time with its offset such as "),
    ("time", "10:00:00Z", "10:00", "a time with its offset such as 08:30:00Z"),
    ("duration", "PT15M", "15m", "a duration such as P1DT12H"),
    ("email", "ann@example.com", "Ann <ann@example.com>", "an email address"),
    ("idn-email", "änn@example.com", "änn", "an email address"),
    ("hostname", "example.com", "-example", "a host name"),
    ("idn-hostname", "bücher.example", "a b", "a host name"),
    ("ipv4", "192.0.2.1", "192.0.2.256", "an IPv4 address such as 192.0.2.1"),
    ("ipv6", "2001:db8::1", "2001:db8:::1", "an IPv6 address such as 2001:db8::1"),
    ("uri", "urn:isbn:1", "/ships/1", "a URI with its scheme, such as https://example.com/a"),
    ("uri-reference", "/ships/1", "/ships one", "a URI, or a path that leads to one"),
    ("iri", "https://example.com/ä", "ä", "an IRI with its scheme, such as https://example.com/a"),
    ("iri-reference", "ä", "ä b", "an IRI, or a path that leads to one"),
    ("uri-template", "/a/{b}", "/a/{b", "a URI template (RFC 6570)"),
    ("uuid", "123E4567-e89b-12d3-a456-426614174000", "123", "a UUID such as 123e4567-e89b-12d3-a456-426614174000"),
    ("json-pointer", "/a/0", "a", "a JSON pointer such as /a/0"),
    ("relative-json-pointer", "1/a", "/a", "a relative JSON pointer such as 1/a"),
    ("regex", "^a$", "(", "a regular expression (ECMA-262)"),
]


@pytest.mark.parametrize(("name", "good", "bad", "told"), FORMATS, ids=[each[0] for each in FORMATS])
def test_a_text_has_the_format_it_is_declared_to_have(name: str, good: str, bad: str, told: str) -> None:
    asked = operation(an_input("string", format=name))
    assert accept(asked, {"x": good}) == {"x": good}
    with pytest.raises(Fault) as refused:
        accept(asked, {"x": bad})
    (problem,) = refused.value.problems
    assert problem.message.startswith(f"`x` must be {told}")
    assert problem.message.endswith(f", not the string `{bad}`")


@pytest.mark.parametrize("name", ["int64", "password", "byte", "DATE", "ship"])
def test_any_other_format_is_a_remark(name: str) -> None:
    assert accept(operation(an_input("string", format=name)), {"x": "?"}) == {"x": "?"}


def test_formats_count_at_any_depth_and_for_texts_alone() -> None:
    inner = {"type": "object", "properties": {"at": {"type": "string", "format": "date"}}}
    asked = operation(an_input("array", items=inner))
    with pytest.raises(Fault) as refused:
        accept(asked, {"x": [{"at": "2024-01-01"}, {"at": "today"}]})
    (problem,) = refused.value.problems
    assert problem.message == "`x[1].at` must be a date such as 2026-01-31, not the string `today`"
    assert accept(operation(an_input("integer", format="date")), {"x": 3}) == {"x": 3}


@pytest.mark.parametrize("name", [each[0] for each in FORMATS])
@pytest.mark.parametrize("part", ["a@", "(a*)*", "xn--", "1:", "{", "%", "/~", ".", "P1", "[a-z]{9}", "\u00e4"])
def test_a_format_is_checked_in_no_time(name: str, part: str) -> None:
    asked = operation(an_input("string", format=name))
    began = process_time()
    with suppress(Fault):
        accept(asked, {"x": part * 200_000})
    assert process_time() - began < 1


def test_every_problem_is_told_at_once() -> None:
    both = operation(an_input("string"), replace(an_input("integer"), name="y"))
    with pytest.raises(Fault) as refused:
        accept(both, {"y": "two"})
    assert refused.value.detail == ("`x` is required: give a string; `y` must be a whole number, not the string `two`")


def test_an_argument_nobody_knows_is_told_with_the_nearest_name() -> None:
    named = operation(replace(an_input("object", required=False), name="body"))
    with pytest.raises(Fault, match="there is no input `boddy`: did you mean `body`"):
        accept(named, {"boddy": {}})
    with pytest.raises(Fault, match="there is no input `a`: this operation takes none"):
        accept(operation(), {"a": 1})


def test_a_flood_of_unknown_arguments_is_told_briefly() -> None:
    with pytest.raises(Fault) as refused:
        accept(operation(), {f"{number}{'x' * 1000}": 1 for number in range(10_000)})
    assert len(refused.value.problems) == 5
    assert len(refused.value.detail) < 1000


def test_a_choice_must_be_one_of_the_choices_and_a_default_stands_in() -> None:
    chosen = operation(an_input("string", required=False, enum=["asc", "desc"], default="asc"))
    assert accept(chosen, {}) == {"x": "asc"}
    with pytest.raises(Fault, match="`x` must be one of `asc`, `desc`, not the string `up`"):
        accept(chosen, {"x": "up"})


def test_null_stands_for_an_optional_value_that_is_absent() -> None:
    assert accept(operation(an_input("string", required=False)), {"x": None}) == {}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "12", 12),
        ("number", "1.5", 1.5),
        ("number", "3", 3),
        ("boolean", "TRUE", True),
        ("array", "a", ["a"]),
    ],
)
def test_text_from_path_query_or_header_is_converted(kind: str, text: str, value: object) -> None:
    asked = operation(an_input(kind, location=Location.QUERY))
    assert accept(asked, {"x": text}, from_text=True) == {"x": value}


def test_text_in_a_body_is_not_converted() -> None:
    with pytest.raises(Fault, match="must be a whole number, not the string `12`"):
        accept(operation(an_input("integer", location=Location.BODY)), {"x": "12"}, from_text=True)


def test_the_schema_of_an_operation_lists_its_inputs_and_no_others() -> None:
    asked = operation(an_input("string", description="What."), replace(an_input("integer", required=False), name="n"))
    assert input_schema(asked) == {
        "type": "object",
        "properties": {"x": {"type": "string", "description": "What."}, "n": {"type": "integer"}},
        "additionalProperties": False,
        "required": ["x"],
    }


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[Input], dict[str, object]]:
    """Inputs, most of them any text, and what a caller gave for them."""
    inputs: list[Input] = []
    told: dict[str, object] = {}
    schemas: list[dict[str, object]] = [{}, {}, {"enum": ["x", "y"]}, {"minLength": 2}, {"default": "z"}]
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True)):
        schema = draw(st.sampled_from(schemas))
        kind = draw(st.sampled_from(["string", "string", "string", "integer", "array"]))
        location = draw(st.sampled_from([Location.PATH, Location.QUERY, Location.BODY, Location.ARGUMENT]))
        is_needed = draw(st.booleans())
        inputs.append(replace(an_input(kind, required=is_needed, location=location, **schema), name=name))
    for name in draw(st.lists(st.sampled_from("abcde"), unique=True)):
        told[name] = draw(st.sampled_from(["x", "xy", "", "1", 1, None, ["x"]]))
    return inputs, told


@given(call=calls(), from_text=st.booleans())
@settings(deadline=None)
def test_calls_that_give_texts_alone_are_taken_as_all_others_are(
    call: tuple[list[Input], dict[str, object]], *, from_text: bool
) -> None:
    inputs, told = call
    spare = replace(an_input("string", required=False), name="spare")  # with it, no call gives every input

    def taken(*more: Input) -> object:
        try:
            return accept(operation(*inputs, *more), told, from_text=from_text)
        except Fault as fault:
            return sorted(problem.message.partition(":")[0] for problem in fault.problems)

    assert taken() == taken(spare)


VALUES = st.sampled_from([None, True, 1, 1.5, "1", [1], [True], {"a": 1}])


@given(
    kind=st.sampled_from(["string", "number", "integer", "boolean", "array", "object"]),
    choices=st.lists(VALUES, max_size=2),
    value=VALUES,
)
@settings(max_examples=300, deadline=None)
def test_a_type_and_choices_are_checked_as_a_schema_is_that_has_to_be_compiled(
    kind: str, choices: list[object], value: object
) -> None:
    def is_taken(says: dict[str, object]) -> bool:
        schema = {"type": kind, **({"enum": choices} if choices else {}), **says}
        try:
            accept(operation(replace(an_input(kind), schema=schema)), {"x": value})
        except Fault:
            return False
        return True

    assert is_taken({}) == is_taken({"minProperties": 0})
