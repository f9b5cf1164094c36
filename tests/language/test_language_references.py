"""What a value in `with` means, and which names are the same."""

from typing import Any

import pytest

from capably.expr.names import Match, find_name
from capably.expr.reference import InputReference, StrayReference, read_reference
from capably.expr.template import cut

SHIP = {"inputParameters": [{"name": "id", "in": "query"}]}


@pytest.mark.parametrize("scope", ["rest", "tools", "mcp", "agent", "$this.agent", "$this.tools"])
def test_every_scope_of_a_tool_means_the_caller_s_input(language: Any, scope: str) -> None:
    reading = language.tool(SHIP, {"with": {"id": f"{scope}.ship"}})
    assert reading.told == []
    assert reading.inputs == {"ship": "argument string?"}
    assert reading.sent(ship="7") == "GET https://up.test/ships?id=7"


@pytest.mark.parametrize("scope", ["rest", "tools", "mcp", "web"])
def test_every_scope_of_a_route_means_the_caller_s_input(language: Any, scope: str) -> None:
    reading = language.route("GET /v1/{ship}", SHIP, {"with": {"id": f"{scope}.ship"}})
    assert reading.told == []
    assert reading.inputs == {"ship": "path string"}
    assert reading.sent(ship="7") == "GET https://up.test/ships?id=7"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("Oslo", "Oslo"),
        (7, "7"),
        (True, "true"),
        (1.5, "1.5"),
        ("v1.2", "v1.2"),
        ("3.14", "3.14"),
        ("a. b", "a.%20b"),
        ("rest.", "rest."),
        ("restless", "restless"),
        ("$ref", "%24ref"),
    ],
)
def test_anything_else_is_a_constant(language: Any, value: Any, sent: str) -> None:
    reading = language.tool(SHIP, {"with": {"id": value}})
    assert reading.inputs == {}
    assert reading.sent() == f"GET https://up.test/ships?id={sent}"


def test_a_list_in_with_is_a_constant_list(language: Any) -> None:
    assert language.tool(SHIP, {"with": {"id": ["a", "b"]}}).sent() == "GET https://up.test/ships?id=a&id=b"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("{{tools.ship}}", "7"),
        ("{{ship}}", "7"),
        ("{{ tools.ship }}", "7"),
        ("{{{tools.ship}}}", "7"),
        ("no-{{tools.ship}}!", "no-7%21"),
        ("{{env.KEY}}-{{tools.ship}}", "secret-7"),
    ],
)
def test_a_template_in_with_is_filled(language: Any, text: str, sent: str) -> None:
    reading = language.tool(SHIP, {"with": {"id": text}}, environ={"KEY_OF_UP": "secret"})
    assert list(reading.inputs) == ["ship"]
    assert reading.sent(ship="7") == f"GET https://up.test/ships?id={sent}"


def test_what_a_caller_sends_is_never_expanded(language: Any) -> None:
    reading = language.tool(SHIP, {"with": {"id": "x{{tools.ship}}"}}, environ={"KEY_OF_UP": "secret"})
    assert reading.sent(ship="{{env.KEY}}") == "GET https://up.test/ships?id=x%7B%7Benv.KEY%7D%7D"


def test_a_template_that_is_one_hole_keeps_the_type_of_its_value(language: Any) -> None:
    consumed = {"method": "POST", "body": {"type": "json", "data": {"size": "{{tools.size}}"}}}
    assert language.tool(consumed, {}).sent(size=3) == 'POST https://up.test/ships {"size":3}'


def test_a_stray_reference_is_an_error_when_it_is_close_to_one(language: Any) -> None:
    reading = language.tool(SHIP, {"with": {"id": "tool.id"}})
    assert reading.told == [("REF005", "`tool.id` names no input: `tool` is no scope here")]
    assert reading.examined.has_errors
    assert reading.help == ["did you mean `tools.id`?", "scopes: rest, tools, mcp, agent"]


def test_a_stray_reference_is_an_error_when_its_tail_names_a_parameter(language: Any) -> None:
    reading = language.route("GET /v1", SHIP, {"with": {"id": "step-one.id"}})
    assert reading.help[0] == "did you mean `rest.id`?"
    assert reading.examined.has_errors


def test_another_dotted_word_is_a_warning_and_is_sent_as_it_is_written(language: Any) -> None:
    reading = language.tool(SHIP, {"with": {"id": "example.com"}})
    assert reading.told == [("REF005", "`example.com` is sent as it is written: `example` is no scope here")]
    assert not reading.examined.has_errors
    assert reading.sent() == "GET https://up.test/ships?id=example.com"


def test_a_path_into_earlier_results_is_an_error_where_there_are_none(language: Any) -> None:
    reading = language.tool(SHIP, {"with": {"id": "$.first.id"}})
    expected = "`$.first.id` is a path into earlier results, and this operation has none"
    assert reading.told == [("REF005", expected)]


def test_an_unknown_namespace_of_a_bind_in_with_is_no_reference(language: Any) -> None:
    assert language.tool(SHIP, {"with": {"id": "{{env.OTHER}}"}}).missing == ["OTHER"]


@pytest.mark.parametrize(
    ("names", "wanted", "found", "match"),
    [
        (["a", "A"], "a", ("a",), Match.EXACT),
        (["threadid"], "threadId", ("threadid",), Match.CASE),
        (["thread_id"], "thread-id", ("thread_id",), Match.LOOSE),
        (["thread_id", "THREADID"], "threadId", ("THREADID",), Match.CASE),
        (["ID", "Id"], "id", ("ID", "Id"), Match.CASE),
        (["thread-id", "thread_id"], "threadId", ("thread-id", "thread_id"), Match.LOOSE),
        (["a"], "b", (), Match.EXACT),
        ([], "a", (), Match.EXACT),
    ],
)
def test_names_match_exactly_or_else_ever_more_loosely(
    names: list[str], wanted: str, found: tuple[str, ...], match: Match
) -> None:
    result = find_name(wanted, names)
    assert (result.names, result.match) == (found, match)
    assert result.one == (found[0] if len(found) == 1 else None)


@pytest.mark.parametrize(
    ("route", "reference", "told"),
    [
        ("GET /{threadId}", "rest.threadId", []),
        (
            "GET /{threadid}",
            "rest.threadId",
            ["`threadId` is taken to mean `{threadid}`: the names match ignoring case"],
        ),
        (
            "GET /{thread-id}",
            "rest.thread_id",
            ["`thread_id` is taken to mean `{thread-id}`: the names match ignoring case, `-` and `_`"],
        ),
    ],
)
def test_a_route_placeholder_is_named_exactly_or_loosely(
    language: Any, route: str, reference: str, told: list[str]
) -> None:
    reading = language.route(route, SHIP, {"with": {"id": reference}})
    assert [message for code, message in reading.told if code == "REF006"] == told
    name = reference.removeprefix("rest.")
    assert reading.inputs == {name: "path string"}
    assert reading.sent(**{name: "7"}) == "GET https://up.test/ships?id=7"


def test_two_placeholders_that_fit_equally_well_are_an_error_that_lists_both(language: Any) -> None:
    reading = language.route("GET /{thread-id}/{thread_id}", SHIP, {"with": {"id": "rest.threadId"}})
    assert ("REF004", "`threadId` may mean `thread-id`, `thread_id`") in reading.told
    assert reading.examined.has_errors


def test_a_key_of_with_that_fits_two_parameters_is_an_error_that_lists_both(language: Any) -> None:
    consumed = {"inputParameters": [{"name": "ship-id", "in": "query"}, {"name": "ship_id", "in": "query"}]}
    reading = language.tool(consumed, {"with": {"shipId": "tools.x"}})
    assert ("REF004", "`shipId` may mean `ship-id`, `ship_id`") in reading.told


def test_a_key_of_with_finds_its_parameter_loosely(language: Any) -> None:
    consumed = {"inputParameters": [{"name": "ship_id", "in": "query"}]}
    assert language.tool(consumed, {"with": {"shipId": 7}}).sent() == "GET https://up.test/ships?ship_id=7"


def test_a_key_of_with_that_nothing_takes_is_told_with_the_nearest_parameter(language: Any) -> None:
    consumed = {"inputParameters": [{"name": "colour", "in": "query"}]}
    reading = language.tool(consumed, {"with": {"color": "red"}})
    assert reading.told == [("REF007", "`up.op` takes no `color`: the value goes nowhere")]
    assert reading.help == ["did you mean `colour`?"]


def test_a_key_of_with_that_a_template_reads_is_not_told(language: Any) -> None:
    consumed = {"method": "POST", "body": {"type": "json", "data": {"c": "{{color}}"}}}
    reading = language.tool(consumed, {"with": {"color": "tools.shade"}})
    assert reading.told == []
    assert reading.sent(shade="red") == 'POST https://up.test/ships {"c":"red"}'


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("rest.a", InputReference("a")),
        ("rest.a.b", InputReference("a.b")),
        ("my.space.a", InputReference("a")),
        ("rest.$filter", InputReference("$filter")),
        ("step.a", StrayReference("step", "a")),
        ("rest", None),
        ("{{rest.a}}", None),
        ("two words.here", None),
        ("2015-02-01", None),
    ],
)
def test_a_text_is_a_reference_or_it_is_not(text: str, meaning: object) -> None:
    assert read_reference(text, ("rest", "my.space")) == meaning


@pytest.mark.parametrize(
    ("text", "single", "names", "literals"),
    [
        ("{{a}}", False, ["a"], []),
        ("{{ a b }}", False, ["a b"], []),
        ("{{{a}}}", False, ["a"], []),
        ("{{& a}}", False, ["a"], []),
        ("{{{a}}: 1}", False, ["a"], ["{", ": 1}"]),
        ("{a}", False, [], ["{a}"]),
        ("{a}", True, ["a"], []),
        ("/x(id='{a}')/{{b}}:go", True, ["a", "b"], ["/x(id='", "')/", ":go"]),
        ('{"a": {{x}}}', False, ["x"], ['{"a": ', "}"]),
        ('{"a":{"b":{{x}}}}', False, ["x"], ['{"a":{"b":', "}}"]),
        ("{{}}", True, [], ["{{}}"]),
        ("{{a", True, [], ["{{a"]),
        ("", True, [], []),
    ],
)
def test_a_template_is_cut_at_its_holes(text: str, single: bool, names: list[str], literals: list[str]) -> None:  # noqa: FBT001 -- a table
    pieces = cut(text, single=single)
    assert [piece.name for piece in pieces if not isinstance(piece, str)] == names
    assert [piece for piece in pieces if isinstance(piece, str)] == literals
    assert "".join(piece if isinstance(piece, str) else text[piece.start : piece.end] for piece in pieces) == text


@pytest.mark.parametrize("written", ["{{rest.id", "{{rest.id}", "a {{ b", "{{}}"])
def test_a_template_that_is_not_closed_is_told_and_sent_as_it_is_written(language: Any, written: str) -> None:
    reading = language.route("GET /v1", {"inputParameters": [{"name": "q", "in": "query"}]}, {"with": {"q": written}})
    message = f"`{written}` is sent as it is written: its braces hold no name, or are not closed"
    assert reading.told == [("REF005", message)]
    assert reading.inputs == {}


@pytest.mark.parametrize("written", ['{"a": {"b": 1}}', "{id}", "a}}"])
def test_other_braces_are_nobody_s_business(language: Any, written: str) -> None:
    reading = language.route("GET /v1", {"inputParameters": [{"name": "q", "in": "query"}]}, {"with": {"q": written}})
    assert reading.told == []
