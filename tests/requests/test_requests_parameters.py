"""Parameters of every level and place, with values from everywhere, in a request."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest


def query(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", **more}


@pytest.mark.parametrize("name", ["filter[x]", "$top", "a.b", "x-y_z", "@type", "a b", "é", "a[]", "a:b", "1"])
def test_any_name_survives(compiled: Any, name: str) -> None:
    found = compiled({"inputParameters": [query(name)]}, tool={"with": {name: "tools.x"}})
    assert parse_qsl(urlsplit(found.url(x="v")).query) == [(name, "v")]


def test_the_nearest_level_wins(compiled: Any) -> None:
    levels = {
        "api": {"inputParameters": [query("a", value="api"), query("b", value="api"), query("c", value="api")]},
        "resource": {"inputParameters": [query("b", value="resource"), query("c", value="resource")]},
    }
    found = compiled({"inputParameters": [query("c", value="operation")]}, **levels)
    assert found.url() == "/x?a=api&b=resource&c=operation"
    assert found.inputs == []


def test_one_name_in_two_places_is_two_parameters(compiled: Any) -> None:
    found = compiled({"inputParameters": [query("id"), {"name": "id", "in": "header"}]})
    assert found.url(id="7") == "/x?id=7"
    assert found.headers(id="7") == {"id": "7"}


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://up.test", "x", "https://up.test/x"),
        ("https://up.test/", "/x", "https://up.test/x"),
        ("https://up.test/v1/", "x", "https://up.test/v1/x"),
        ("https://up.test/v1", "?a=1", "https://up.test/v1?a=1"),
        ("https://up.test/v1?key=1", "/x", "https://up.test/v1/x?key=1"),
        ("https://up.test/v1/?key=1", "/x?a=2", "https://up.test/v1/x?a=2&key=1"),
        ("https://up.test?key={{env.KEY}}", "/x", "https://up.test/x?key=made-up"),
    ],
)
def test_base_and_path_are_joined(compiled: Any, base: str, path: str, url: str) -> None:
    assert compiled({}, path, api={"baseUri": base}).request().url == url


@pytest.mark.parametrize(
    ("path", "inputs", "url"),
    [
        ("/v{major}.{minor}", {"major": 1, "minor": "2/3"}, "/v1.2%2F3"),
        ("/{a}{b}", {"a": "x", "b": "y"}, "/xy"),
        ("/entities({id})", {"id": "7"}, "/entities(7)"),
        ("/entities(a='{a}',b={b})/$value", {"a": "it's", "b": 1}, "/entities(a='it%27s',b=1)/$value"),
        ("/ships:batchGet", {}, "/ships:batchGet"),
        ("/ships/{id}:sink", {"id": "a:b"}, "/ships/a%3Ab:sink"),
        ("/ships/{id}/x/{id}", {"id": "7"}, "/ships/7/x/7"),
        ("/ships?kind={kind}&fixed=a%20b", {"kind": "a&b"}, "/ships?kind=a%26b&fixed=a%20b"),
        ("/a b/é", {}, "/a%20b/%C3%A9"),
    ],
)
def test_placeholders_stand_anywhere_in_a_path(compiled: Any, path: str, inputs: Any, url: str) -> None:
    typed = [
        {"name": name, "in": "path", "type": "integer"} for name, value in inputs.items() if isinstance(value, int)
    ]
    assert compiled({"inputParameters": typed}, path).url(**inputs) == url


def test_an_operation_has_a_path_of_its_own(compiled: Any) -> None:
    assert compiled({"path": "{id}/crew"}, "/ships").url(id="7") == "/ships/7/crew"
    assert compiled({"path": "/ships/{id}"}, "/ships").url(id="7") == "/ships/7"


def test_a_path_parameter_may_be_fixed(compiled: Any) -> None:
    found = compiled({"inputParameters": [{"name": "version", "in": "path", "value": "v 1"}]}, "/{version}/{id}")
    assert found.inputs == ["id"]
    assert found.url(id="7") == "/v%201/7"


def test_what_is_stated_of_a_parameter_is_known_to_templates(compiled: Any) -> None:
    stated = [{"name": "version", "in": "header", "value": "2"}, query("who", value="{{version}}-{{who}}")]
    found = compiled({"method": "POST", "inputParameters": stated, "body": {"v": "{{version}}"}})
    assert found.inputs == ["who"]
    request = found.request(who="me")
    assert (request.url, request.body) == ("https://up.test/x?who=2-me", b'{"v":"2"}')


def test_a_const_is_sent_and_never_asked_for(compiled: Any) -> None:
    found = compiled({"inputParameters": [query("v", const=2)]})
    assert (found.inputs, found.url()) == ([], "/x?v=2")


def test_a_value_of_the_environment_feeds_templates_and_nobody_is_asked(compiled: Any) -> None:
    stated = [{"name": "FROM_OUTSIDE", "in": "environment"}, query("q", value="{{FROM_OUTSIDE}}")]
    found = compiled({"inputParameters": stated})
    assert (found.inputs, found.url()) == ([], "/x?q=outer")


def test_choices_are_offered_and_enforced(compiled: Any) -> None:
    found = compiled({"inputParameters": [query("kind", enum=["tall", "small"], default="tall")]})
    assert found.schemas["kind"] == {"type": "string", "enum": ["tall", "small"], "default": "tall"}
    assert (found.url(), found.url(kind="small")) == ("/x?kind=tall", "/x?kind=small")
    with pytest.raises(Exception, match="not valid"):
        found.url(kind="huge")


def test_a_constant_that_is_no_choice_is_told(compiled: Any) -> None:
    found = compiled({"inputParameters": [query("n", enum=[1, 2])]}, tool={"with": {"n": "3"}})
    assert found.told == [("INP002", "`n` does not allow `3`")]
    assert compiled({"inputParameters": [query("n", enum=[1, 2])]}, tool={"with": {"n": "2"}}).told == []


@pytest.mark.parametrize("name", ["Accept", "User-Agent", "Authorization", "Referer", "If-Match", "Range", "Prefer"])
def test_reserved_headers_are_sent_like_others(compiled: Any, name: str) -> None:
    found = compiled({"inputParameters": [{"name": name, "in": "header"}]}, tool={"with": {name: "tools.x"}})
    assert found.headers(x="v/1") == {name: "v/1"}


def test_authentication_fills_its_header_instead_of_the_caller(compiled: Any) -> None:
    block = {"authentication": {"type": "bearer", "token": "{{env.KEY}}"}}
    found = compiled({"inputParameters": [{"name": "authorization", "in": "header", "required": True}]}, api=block)
    assert (found.inputs, found.headers()) == ([], {"Authorization": "Bearer made-up"})


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Host", "Connection", "TE", "Expect"])
def test_headers_of_the_connection_are_told_and_never_sent(compiled: Any, name: str) -> None:
    parameter = {"name": name, "in": "header", "required": True}
    found = compiled({"inputParameters": [parameter]})
    assert found.told == [("REQ001", f"`{name}` is written when a request is sent: the parameter has no effect")]
    assert (found.inputs, found.headers()) == ([], {})


@pytest.mark.parametrize("name", ["X Trace", "X-Trace:", "X-Sp\u00fcr", "X-Trace\r\nX-Evil"])
def test_a_parameter_that_no_header_can_be_named_after_is_told_and_never_sent(compiled: Any, name: str) -> None:
    found = compiled({"inputParameters": [{"name": name, "in": "header", "value": "1"}]})
    assert found.told == [("REQ003", f"`{name}` is no name of a header")]
    assert not found.examined.is_served


@pytest.mark.parametrize("level", ["api", "resource", "operation"])
@pytest.mark.parametrize(
    ("stated", "fault"),
    [({"pattern": "["}, '"[" is not a "regex"'), ({"enum": "a, b"}, "`enum` must be a list")],
)
def test_a_parameter_that_nothing_can_be_checked_against_is_told_on_every_level(
    compiled: Any, level: str, stated: Any, fault: str
) -> None:
    levels = {level: {"inputParameters": [{"name": "p", "in": "query", "type": "string", **stated}]}}
    found = compiled(levels.pop("operation", {}), **levels)
    assert found.told == [("INP003", f"the schema of `p` cannot be used: {fault}")]
    assert not found.examined.is_served


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"type": "integer", "default": "abc"}, ["`p` is declared integer, and `abc` is none"]),
        ({"type": "boolean", "value": "maybe"}, ["`p` is declared boolean, and `maybe` is none"]),
        ({"type": "integer", "default": "12"}, []),
        ({"type": "number", "value": "{{env.KEY}}"}, []),
        ({"type": "string", "default": 12}, []),
    ],
)
def test_a_stated_value_that_is_not_of_its_type_is_told(compiled: Any, stated: Any, told: list[str]) -> None:
    found = compiled({"inputParameters": [{"name": "p", "in": "query", **stated}]})
    assert [message for code, message in found.told if code == "INP002"] == told


def test_cookies_of_a_header_and_of_parameters_are_one_header(compiled: Any) -> None:
    stated = [{"name": "Cookie", "in": "header", "value": "a=1"}, {"name": "b", "in": "cookie", "value": "2;"}]
    assert compiled({"inputParameters": stated}).request().headers == (("Cookie", "a=1; b=2%3B"),)
