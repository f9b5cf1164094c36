"""What a consumed operation states of its request: paths, fixed values, arrays and bodies of every kind."""

import json
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("path", "operation_path", "sent"),
    [
        ("/ships", None, "/ships"),
        ("ships", None, "/ships"),
        ("", None, ""),
        ("/", None, "/"),
        ("/ships", "crew", "/ships/crew"),
        ("/ships/", "crew", "/ships/crew"),
        ("/ships", "/ships/crew", "/ships/crew"),
        ("/ships of war", None, "/ships%20of%20war"),
        ("/ships:search", None, "/ships:search"),
        ("/ships(imo='9074729')", None, "/ships(imo='9074729')"),
        ("/ships#fragment", None, "/ships"),
        ("/ships?kind=tall", None, "/ships?kind=tall"),
        ("/a//b", None, "/a//b"),
    ],
)
def test_a_path_is_sent_as_it_is_written(language: Any, path: str, operation_path: str | None, sent: str) -> None:
    consumed = {} if operation_path is None else {"path": operation_path}
    assert language.tool(consumed, path=path).sent() == f"GET https://up.test{sent}"


@pytest.mark.parametrize("path", ["/ships('{id}')/crew", "/ships('{{id}}')/crew", "/ships('{ id }')/crew"])
def test_a_placeholder_may_be_a_part_of_a_segment(language: Any, path: str) -> None:
    assert language.tool(path=path).sent(id="9/1") == "GET https://up.test/ships('9%2F1')/crew"


def test_a_placeholder_that_stands_twice_is_one_input(language: Any) -> None:
    reading = language.tool(path="/a/{id}/b/{id}")
    assert reading.inputs == {"id": "argument string"}
    assert reading.sent(id="7") == "GET https://up.test/a/7/b/7"


def test_a_query_in_the_path_is_joined_with_the_parameters(language: Any) -> None:
    consumed = {"inputParameters": [{"name": "page", "in": "query", "value": 2}]}
    assert language.tool(consumed, path="/ships?kind=tall").sent() == "GET https://up.test/ships?kind=tall&page=2"


def test_fixed_values_are_sent_and_never_asked_for(language: Any) -> None:
    fixed = [
        {"name": "Accept", "in": "header", "value": "application/json"},
        {"name": "X-Ship", "in": "header", "value": "no-{{tools.id}}"},
        {"name": "fields", "in": "query", "value": ["a", "b"]},
        {"name": "old", "in": "query", "template": "ignored"},
    ]
    reading = language.tool({"inputParameters": fixed})
    assert list(reading.inputs) == ["old", "id"]
    request = reading.request(id="7")
    assert request.url == "https://up.test/ships?fields=a&fields=b"
    assert dict(request.headers) == {"Accept": "application/json", "X-Ship": "no-7"}


def test_what_with_states_wins_over_a_fixed_value(language: Any) -> None:
    consumed = {"inputParameters": [{"name": "kind", "in": "query", "value": "tall"}]}
    assert language.tool(consumed, {"with": {"kind": "small"}}).sent() == "GET https://up.test/ships?kind=small"


def test_a_default_is_sent_when_nobody_says_otherwise(language: Any) -> None:
    consumed = {"inputParameters": [{"name": "limit", "in": "query", "type": "integer", "default": 20}]}
    assert language.tool(consumed, {"with": {}}).sent() == "GET https://up.test/ships?limit=20"


def test_absent_optionals_are_left_out(language: Any) -> None:
    places = [{"name": "q", "in": "query"}, {"name": "X-Q", "in": "header"}, {"name": "c", "in": "cookie"}]
    reading = language.tool({"method": "POST", "inputParameters": places})
    assert reading.request().url == "https://up.test/ships"
    assert reading.request().headers == ()
    assert reading.request().body is None


def test_an_array_is_repeated_in_the_query(language: Any) -> None:
    consumed = {"inputParameters": [{"name": "id", "in": "query", "type": "array"}]}
    assert language.tool(consumed).sent(id=["a b", 2]) == "GET https://up.test/ships?id=a%20b&id=2"


@pytest.mark.parametrize(
    ("body", "media_type", "sent"),
    [
        ('{"a": "{{tools.x}}"}', "application/json", '{"a":"v"}'),
        ('{"a": {{tools.x}}}', "application/json", '{"a":"v"}'),
        ('{"a": {"b": {{x}}}}', "application/json", '{"a":{"b":"v"}}'),
        ('{"a": "say {{x}}!", "b": [1, {{x}}, null]}', "application/json", '{"a":"say v!","b":[1,"v",null]}'),
        ('{"say \\"{{x}}\\"": 1}', "application/json", '"{\\"say \\\\\\"v\\\\\\"\\": 1}"'),
        ({"a": "{{x}}", "n": 1, "l": ["{{x}}"]}, "application/json", '{"a":"v","n":1,"l":["v"]}'),
        ({"type": "json", "data": {"a": "{{x}}"}}, "application/json", '{"a":"v"}'),
        ({"type": "json", "data": '{"a": {{x}}}'}, "application/json", '{"a":"v"}'),
        ({"data": {"a": "{{x}}"}}, "application/json", '{"a":"v"}'),
        ({"type": "formUrlEncoded", "data": {"a": "{{x}}&"}}, "application/x-www-form-urlencoded", "a=v%26"),
        ({"type": "form", "data": {"a": "1", "b": "{{x}}"}}, "application/x-www-form-urlencoded", "a=1&b=v"),
        ({"type": "text", "data": "say {{x}}"}, "text/plain; charset=utf-8", "say v"),
        ({"type": "xml", "data": "<a>{{x}}</a>"}, "application/xml", "<a>v</a>"),
        ({"type": "sparql", "data": "SELECT {{x}}"}, "application/sparql-query", "SELECT v"),
    ],
)
def test_a_body_goes_out_as_what_it_says_it_is(language: Any, body: Any, media_type: str, sent: str) -> None:
    reading = language.tool({"method": "POST", "body": body})
    request = reading.request(x="v")
    assert reading.told == []
    assert request.body.decode() == sent
    assert dict(request.headers)["Content-Type"] == media_type


@pytest.mark.parametrize("body", ['{"a": "{{x}}"}', '{"a": {{x}}}', {"a": "{{x}}"}])
@pytest.mark.parametrize("value", ['"}', "\\", "{{y}}", "\n", 7, [1], {"b": None}])
def test_no_value_can_break_a_json_body(language: Any, body: Any, value: Any) -> None:
    request = language.tool({"method": "POST", "body": body}).request(x=value)
    assert json.loads(request.body) == {"a": value}


def test_an_absent_field_of_a_body_is_left_out(language: Any) -> None:
    body = '{"a": {{x}}, "b": "{{y}}", "c": ["{{x}}", 1]}'
    request = language.tool({"method": "POST", "body": body}).request(y="v")
    assert request.body == b'{"b":"v","c":[1]}'


def test_a_content_type_that_the_document_states_is_kept(language: Any) -> None:
    consumed = {
        "method": "POST",
        "body": "{}",
        "inputParameters": [{"name": "content-type", "in": "header", "value": "application/merge-patch+json"}],
    }
    assert language.tool(consumed).request().headers == (("content-type", "application/merge-patch+json"),)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"type": "avro", "data": ""}, "BOD001", "a request body of type `avro` cannot be sent"),
        ({"type": "json"}, "BOD002", "the request body has no `data`"),
    ],
)
def test_a_body_that_cannot_be_sent_is_an_error(language: Any, body: Any, code: str, message: str) -> None:
    reading = language.tool({"method": "POST", "body": body})
    assert reading.told == [(code, message)]
    assert reading.examined.has_errors


@pytest.mark.parametrize(
    ("path", "names", "whole"),
    [
        ("/ships", ["id"], "/ships/{id}"),
        ("/", ["Bucket", "Key"], "/{Bucket}/{Key}"),
        ("/Accounts/{Sid}/Calls.json", ["CallSid"], "/Accounts/{Sid}/Calls/{CallSid}.json"),
    ],
)
def test_a_path_parameter_without_a_place_is_the_end_of_the_path(
    language: Any, path: str, names: list[str], whole: str
) -> None:
    reading = language.tool({"inputParameters": [{"name": name, "in": "path"} for name in names]}, path=path)
    told = f"is a path parameter without a place in the path: the request goes to `{whole}`"
    assert reading.told == [("REF011", f"`{name}` {told}") for name in names]


def test_a_path_parameter_with_a_place_is_put_there(language: Any) -> None:
    assert language.tool({"inputParameters": [{"name": "id", "in": "path"}]}, path="/ships/{ID}").told == []
