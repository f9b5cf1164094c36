"""The inputs of an operation: declared, or inferred from the route, from `with`, from the target and its templates."""

from typing import Any

import pytest


def parameter(name: str, place: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, **more}


def test_inputs_come_from_the_route_from_with_and_from_the_target(language: Any) -> None:
    consumed = {
        "method": "POST",
        "inputParameters": [
            parameter("page", "query", type="integer", description="Which page."),
            parameter("X-Trace", "header", required=True),
            parameter("body", "body", type="object"),
        ],
    }
    given = {"with": {"id": "rest.id", "page": "rest.page", "body": "rest.body"}}
    reading = language.route("POST /v1/ships/{id}", consumed, given, path="/ships/{id}")
    assert reading.inputs == {
        "id": "path string",
        "page": "query integer?",
        "body": "body object?*",
        "X-Trace": "header string",
    }
    assert [(item.name, item.origin.value) for item in reading.operation.inputs] == [
        ("id", "route"),
        ("page", "with"),
        ("body", "with"),
        ("X-Trace", "target"),
    ]
    assert reading.operation.inputs[1].description == "Which page."


def test_what_with_leaves_out_is_offered_and_told(language: Any) -> None:
    consumed = {"inputParameters": [parameter("limit", "query", required=True), parameter("page", "query")]}
    reading = language.tool(consumed, {"with": {"id": "tools.id"}}, path="/ships/{id}")
    assert reading.inputs == {"id": "argument string", "limit": "argument string"}
    assert reading.told == [("REF008", "`with` leaves out `limit`, which the call needs: callers are asked for it")]
    assert reading.help == ["add `limit: tools.limit`"]
    assert reading.sent(id="7", limit="2") == "GET https://up.test/ships/7?limit=2"


def test_without_with_and_declarations_everything_the_target_takes_is_offered(language: Any) -> None:
    consumed = {"inputParameters": [parameter("limit", "query", type="integer"), parameter("id", "path")]}
    reading = language.tool(consumed, path="/ships/{id}")
    assert reading.told == []
    assert reading.inputs == {"limit": "argument integer?", "id": "argument string"}


def test_an_undeclared_placeholder_of_the_target_is_a_required_text(language: Any) -> None:
    reading = language.tool(path="/ships/{id}/crew/{{role}}")
    assert reading.inputs == {"id": "argument string", "role": "argument string"}
    assert reading.sent(id="a/b", role="first mate") == "GET https://up.test/ships/a%2Fb/crew/first%20mate"


@pytest.mark.parametrize(
    ("place", "expected"),
    [("query", "query string?"), ("header", "header string?"), ("cookie", "cookie string?"), ("body", "body string?")],
)
def test_an_undeclared_input_is_read_where_the_target_s_parameter_lives(
    language: Any, place: str, expected: str
) -> None:
    consumed = {"method": "POST", "inputParameters": [parameter("colour", place, type="string")]}
    reading = language.route("POST /v1", consumed, {"with": {"colour": "rest.colour"}})
    assert reading.inputs == {"colour": expected}


def test_a_path_value_without_a_route_is_read_from_the_query(language: Any) -> None:
    reading = language.route("GET /v1", {}, {"with": {"id": "rest.id"}}, path="/ships/{id}")
    assert reading.inputs == {"id": "query string"}


def test_a_header_keeps_its_name_on_the_wire(language: Any) -> None:
    consumed = {"inputParameters": [parameter("X-Trace-Id", "header")]}
    reading = language.route("GET /v1", consumed, {"with": {"X-Trace-Id": "rest.x_trace_id"}})
    assert [(item.name, item.wire_name) for item in reading.operation.inputs] == [("x_trace_id", "X-Trace-Id")]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("rest.query.page", {"page": "query string?"}),
        ("rest.header.page", {"page": "header string?"}),
        ("rest.headers.page", {"page": "header string?"}),
        ("rest.cookie.page", {"page": "cookie string?"}),
        ("rest.path.page", {"page": "query string?"}),
        ("rest.body.page", {"body": "body object?*"}),
        ("rest.body.meta.page", {"body": "body object?*"}),
    ],
)
def test_a_reference_may_name_the_part_of_the_request(language: Any, reference: str, expected: Any) -> None:
    consumed = {"method": "POST", "inputParameters": [parameter("page", "query")]}
    assert language.route("POST /v1", consumed, {"with": {"page": reference}}).inputs == expected


def test_a_field_of_the_body_is_taken_out_of_it(language: Any) -> None:
    consumed = {"method": "POST", "inputParameters": [parameter("page", "query")]}
    reading = language.route("POST /v1", consumed, {"with": {"page": "rest.body.meta.page"}})
    assert reading.sent(body={"meta": {"page": 3}}) == "POST https://up.test/ships?page=3"
    assert reading.sent(body={"meta": {}}) == "POST https://up.test/ships"


def test_a_body_that_gives_a_required_field_is_required(language: Any) -> None:
    places = [parameter("a", "query"), parameter("b", "query", required=True), parameter("c", "query")]
    given = {"with": {key: f"rest.body.{key}" for key in "abc"}}
    reading = language.route("POST /v1", {"method": "POST", "inputParameters": places}, given)
    assert reading.inputs == {"body": "body object*"}
    assert reading.sent(body={"b": 2, "c": 3}) == "POST https://up.test/ships?b=2&c=3"


@pytest.mark.parametrize("scope", ["rest", "tools"])
def test_a_template_that_names_the_body_takes_an_object(language: Any, scope: str) -> None:
    consumed = {"method": "POST", "body": {"type": "json", "data": {"wrapped": f"{{{{{scope}.body}}}}"}}}
    assert language.route("POST /v1", consumed).inputs == {"body": "body object*"}
    assert language.tool(consumed).inputs == {"body": "argument object"}
    assert language.tool(consumed).sent(body={"a": 1}) == 'POST https://up.test/ships {"wrapped":{"a":1}}'


def test_the_path_part_of_a_reference_means_the_placeholder(language: Any) -> None:
    reading = language.route("GET /v1/{id}", {}, {"with": {"id": "rest.path.id"}}, path="/ships/{id}")
    assert reading.inputs == {"id": "path string"}


def test_a_tool_s_body_field_is_an_argument_of_its_own(language: Any) -> None:
    consumed = {"method": "POST", "inputParameters": [parameter("page", "query")]}
    assert language.tool(consumed, {"with": {"page": "tools.body.page"}}).inputs == {"page": "argument string?"}


def test_the_body_of_a_route_is_the_whole_body(language: Any) -> None:
    consumed = {"method": "POST", "inputParameters": [parameter("body", "body", type="object")]}
    reading = language.route("POST /v1", consumed, {"with": {"body": "rest.body"}})
    assert reading.inputs == {"body": "body object?*"}
    assert reading.sent(body={"a": [1]}) == 'POST https://up.test/ships {"a":[1]}'
    assert reading.request().body is None


def test_several_body_parameters_are_fields_of_one_body(language: Any) -> None:
    places = [parameter("name", "body", type="string"), parameter("crew", "body", type="integer")]
    reading = language.route("POST /v1", {"method": "POST", "inputParameters": places})
    assert reading.inputs == {"name": "body string?", "crew": "body integer?"}
    assert reading.sent(name="Fram", crew=13) == 'POST https://up.test/ships {"name":"Fram","crew":13}'
    assert reading.sent(name="Fram") == 'POST https://up.test/ships {"name":"Fram"}'


def test_templates_of_the_consumed_body_make_arguments_on_both_servers(language: Any) -> None:
    consumed = {"method": "POST", "body": {"type": "json", "data": {"q": "{{tools.question}}", "n": "{{count}}"}}}
    tool = language.tool(consumed, {"with": {}})
    assert tool.inputs == {"question": "argument string", "count": "argument string"}
    route = language.route("POST /v1", consumed, {"with": {}})
    assert list(route.inputs) == ["question", "count"]
    assert route.sent(question="why?", count="2") == 'POST https://up.test/ships {"q":"why?","n":"2"}'


def test_declared_inputs_are_the_operation_s_inputs(language: Any) -> None:
    inputs = [
        {"name": "id", "type": "integer", "description": "Its number."},
        {"name": "note", "type": "string", "required": False},
    ]
    consumed = {"inputParameters": [parameter("id", "query"), parameter("note", "query")]}
    reading = language.tool(consumed, {"inputParameters": inputs})
    assert reading.inputs == {"id": "argument integer", "note": "argument string?"}
    assert reading.findings == []
    assert reading.sent(id=7) == "GET https://up.test/ships?id=7"


def test_a_declared_input_is_found_loosely_by_the_route_and_told(language: Any) -> None:
    inputs = [{"name": "shipId", "in": "path", "type": "integer"}]
    reading = language.route("GET /v1/{shipid}", {}, {"inputParameters": inputs}, path="/ships/{shipId}")
    assert reading.inputs == {"shipId": "path integer"}
    assert reading.operation.inputs[0].wire_name == "shipid"
    assert reading.told == [("REF006", "`shipId` is taken to mean `{shipid}`: the names match ignoring case")]


def test_two_placeholders_that_differ_by_a_dash_stay_two_inputs(language: Any) -> None:
    reading = language.route("GET /{ship-id}/{ship_id}", path="/ships/{ship-id}/{ship_id}")
    assert reading.inputs == {"ship-id": "path string", "ship_id": "path string"}


def test_a_fixed_value_of_a_declared_input_is_no_input(language: Any) -> None:
    declared = [{"name": "kind", "in": "query", "value": "tall"}, {"name": "KEY", "in": "environment"}]
    consumed = {"inputParameters": [parameter("kind", "query"), parameter("key", "query")]}
    reading = language.route(
        "GET /v1",
        consumed,
        {"inputParameters": declared, "with": {"key": "rest.KEY"}},
        environ={"KEY_OF_UP": "secret"},
    )
    assert reading.inputs == {}
    assert reading.sent() == "GET https://up.test/ships?kind=tall&key=secret"


def test_an_input_with_a_name_like_a_declared_one_is_told(language: Any) -> None:
    consumed = {"inputParameters": [parameter("colour", "query")]}
    declared = [{"name": "colour", "in": "query", "type": "string"}]
    reading = language.route("GET /v1", consumed, {"inputParameters": declared, "with": {"colour": "rest.color"}})
    assert reading.told == [
        ("INP004", "`colour` of `op` goes nowhere: `up.op` takes no such value"),
        ("REF009", "no input `color` is declared; it is added"),
    ]
    assert "did you mean `colour`?" in reading.help


def test_a_parameter_that_authentication_fills_is_not_asked_for(language: Any) -> None:
    consumed = {"inputParameters": [parameter("Api_Key", "query", required=True), parameter("q", "query")]}
    auth = {"type": "apikey", "key": "api_key", "value": "{{KEY}}", "placement": "query"}
    reading = language.tool(consumed, api={"authentication": auth}, environ={"KEY_OF_UP": "secret"})
    assert reading.inputs == {"q": "argument string?"}
    assert reading.sent(q="x") == "GET https://up.test/ships?q=x&api_key=secret"


def test_parameters_of_all_levels_reach_the_request(language: Any) -> None:
    api = {"inputParameters": [{"name": "X-App", "in": "header", "value": "capably"}]}
    reading = language.tool({"inputParameters": [parameter("id", "query")]}, api=api)
    assert reading.inputs == {"id": "argument string?"}
    assert dict(reading.request(id="7").headers) == {"X-App": "capably"}


def test_defaults_and_choices_of_the_target_are_offered_to_callers(language: Any) -> None:
    size = parameter("size", "query", type="integer", default=20, enum=[10, 20], description="How many.")
    reading = language.tool({"inputParameters": [size]}, {"with": {"size": "tools.size"}})
    (offered,) = reading.operation.inputs
    assert offered.schema == {"type": "integer", "description": "How many.", "default": 20, "enum": [10, 20]}


@pytest.mark.parametrize(
    ("method", "place", "expected"),
    [
        ("GET", "/ships", "query"),
        ("DELETE", "/ships", "query"),
        ("POST", "/ships", "body"),
        ("POST", "/x/{id}", "path"),
    ],
)
def test_a_parameter_without_a_place_is_put_where_it_fits(
    language: Any, method: str, place: str, expected: str
) -> None:
    consumed = {"method": method, "inputParameters": [{"name": "id"}]}
    reading = language.route(f"{method} /v1/{{id}}" if expected == "path" else f"{method} /v1", consumed, path=place)
    assert reading.inputs["id"].split()[0] == expected


@pytest.mark.parametrize("is_required", [False, True])
def test_an_input_that_a_parameter_s_value_makes_known_is_as_required_as_the_parameter(
    language: Any, *, is_required: bool
) -> None:
    stated = {"name": "state", "in": "query", "value": "{{status}}", "required": is_required}
    (item,) = language.tool({"inputParameters": [stated]}).operation.inputs
    assert (item.name, item.required) == ("status", is_required)
