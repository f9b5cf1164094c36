"""Which example a request gets."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from capably.plan.outcome import Fault

if TYPE_CHECKING:
    from tests.mock.conftest import Mocked, Mocking


def named(**values: Any) -> dict[str, Any]:
    return {name: {"value": value} for name, value in values.items()}


def parameter(name: str, place: str, kind: str = "string", **values: Any) -> dict[str, Any]:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "schema": {"type": kind}, "examples": named(**values), **required}


def content(media_type: str = "application/json", **medium: Any) -> dict[str, Any]:
    return {"description": "", "content": {media_type: medium}}


@pytest.fixture
def ships(mocking: "Mocking") -> "Mocked":
    one = {
        "parameters": [parameter("imo", "path", north="IMO-1", south="IMO-2", lost="IMO-0")],
        "get": {
            "responses": {
                "200": content(examples=named(north={"name": "Northern Star"}, south={"name": "Southern Cross"})),
                "404": content(examples=named(absent={"error": "not_found"})),
                "410": content(examples=named(lost={"error": "scrapped"})),
            }
        },
        "delete": {"responses": {"204": {"description": ""}}},
    }
    every = {
        "parameters": [
            parameter("status", "query", active="active", both="active"),
            parameter("year", "query", "integer", both=2015),
        ],
        "get": {"responses": {"200": content(examples=named(active=[1], both=[2], all=[1, 2]))}},
    }
    return mocking({"/ships": every, "/ships/{imo}": one}, servers=[{"url": "https://x.test/rest/{v}/",
                   "variables": {"v": {"default": "v1"}}}])  # fmt: skip


def test_an_example_is_meant_by_the_value_of_a_path_parameter(ships: "Mocked") -> None:
    assert ships.get("/ships/IMO-1") == {"name": "Northern Star"}
    assert ships.get("/ships/IMO-2") == {"name": "Southern Cross"}


def test_an_example_of_another_status_can_be_meant(ships: "Mocked") -> None:
    answer = ships.ask("GET", "/ships/IMO-0")
    assert (answer.status, answer.body) == (410, b'{"error":"scrapped"}')


def test_a_path_that_no_example_is_about_gets_the_documented_404(ships: "Mocked") -> None:
    answer = ships.ask("GET", "/ships/IMO-9")
    assert (answer.status, answer.body) == (404, b'{"error":"not_found"}')


def test_of_two_examples_that_are_meant_the_one_that_says_more_wins(ships: "Mocked") -> None:
    assert ships.get("/ships?status=active") == [1]
    assert ships.get("/ships?status=active&year=2015") == [2]


def test_a_request_that_no_condition_holds_for_gets_the_example_without_conditions(ships: "Mocked") -> None:
    assert ships.get("/ships") == [1, 2]
    assert ships.get("/ships?status=other") == [1, 2]


def test_the_path_of_the_server_may_be_there_or_not(ships: "Mocked") -> None:
    assert ships.get("/rest/v1/ships/IMO-1") == ships.get("/ships/IMO-1")


def test_a_path_that_is_not_documented_is_404_with_the_nearest(ships: "Mocked") -> None:
    with pytest.raises(Fault) as caught:
        ships.ask("GET", "/rest/v1/shps")
    assert (caught.value.status, caught.value.detail) == (
        404,
        "nothing is documented at /shps: did you mean /ships?",
    )


def test_a_method_that_is_not_documented_is_405_with_those_that_are(ships: "Mocked") -> None:
    with pytest.raises(Fault) as caught:
        ships.ask("PUT", "/ships/IMO-1")
    assert (caught.value.status, caught.value.headers) == (405, (("allow", "DELETE, GET, HEAD, OPTIONS"),))


def test_options_tells_the_methods(ships: "Mocked") -> None:
    answer = ships.ask("OPTIONS", "/ships")
    assert (answer.status, answer.headers) == (204, (("allow", "GET, HEAD, OPTIONS"),))


def test_head_is_answered_by_get(ships: "Mocked") -> None:
    assert ships.ask("HEAD", "/ships").status == 200


def test_an_answer_without_content_has_no_body(ships: "Mocked") -> None:
    answer = ships.ask("DELETE", "/ships/IMO-1")
    assert (answer.status, answer.media_type, answer.body) == (204, None, b"")


@pytest.mark.parametrize(
    ("prefer", "status", "body"),
    [
        ("code=404", 404, {"error": "not_found"}),
        ("example=south", 200, {"name": "Southern Cross"}),
        ("respond-async, example=south; code=200", 200, {"name": "Southern Cross"}),
        ('code="410"', 410, {"error": "scrapped"}),
        ("return=minimal", 200, {"name": "Northern Star"}),
    ],
)
def test_a_request_can_prefer_an_answer(ships: "Mocked", prefer: str, status: int, body: Any) -> None:
    answer = ships.ask("GET", "/ships/IMO-1", headers={"Prefer": prefer})
    assert (answer.status, json.loads(answer.body)) == (status, body)


def test_what_was_preferred_is_told(ships: "Mocked") -> None:
    answer = ships.ask("GET", "/ships/IMO-1", headers={"Prefer": "code=404, wait=10"})
    assert answer.headers == (("preference-applied", "code=404"),)


@pytest.mark.parametrize(
    ("prefer", "detail"),
    [
        ("code=500", "the Prefer header asks for `code=500`: GET /ships/{imo} documents 200, 404, 410"),
        ("example=west", ("the Prefer header asks for `example=west`: GET /ships/{imo} has `north`, `south`, `absent`, "
         "`lost`")),
        ("code=2²", "the Prefer header asks for `code=2²`: GET /ships/{imo} documents 200, 404, 410"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_documented_cannot_be_preferred(ships: "Mocked", prefer: str, detail: str) -> None:
    with pytest.raises(Fault) as caught:
        ships.ask("GET", "/ships/IMO-1", headers={"Prefer": prefer})
    assert (caught.value.status, caught.value.detail) == (400, detail)


def test_a_range_and_a_default_answer_a_preferred_status(mocking: "Mocking") -> None:
    responses = {"200": {"description": ""}, "4XX": content(example="four"), "default": content(example="other")}
    mock = mocking({"/x": {"get": {"responses": responses}}})
    for code, body in ((418, b'"four"'), (503, b'"other"')):
        answer = mock.ask("GET", "/x", headers={"Prefer": f"code={code}"})
        assert (answer.status, answer.body) == (code, body)


def test_a_name_can_say_itself_which_values_it_is_for(mocking: "Mocking") -> None:
    examples = named(**{"/id=1": "one", "/id=2": "two", "/id=2?deep=true": "two, deep", "?deep=true": "deep"})
    parameters = [parameter("id", "path", "integer"), parameter("deep", "query", "boolean")]
    mock = mocking({"/x/{id}": {"get": {"parameters": parameters, "responses": {"200": content(examples=examples)}}}})
    assert [mock.get(path) for path in ("/x/1", "/x/2", "/x/2?deep=true", "/x/3?deep=true")] == [
        "one",
        "two",
        "two, deep",
        "deep",
    ]


def test_an_example_is_meant_by_the_body(mocking: "Mocking") -> None:
    operation = {
        "requestBody": content(examples=named(cat={"kind": "cat"}, dog={"kind": "dog"})),
        "responses": {"201": content(examples=named(cat="meow", dog="wuff"))},
    }
    mock = mocking({"/pets": {"post": operation}})
    assert mock.ask("POST", "/pets", {"kind": "dog"}).body == b'"wuff"'
    assert mock.ask("POST", "/pets", {"kind": "cow"}).body == b'"meow"'
    assert mock.ask("POST", "/pets", {"kind": "cow"}).status == 201


def test_the_fallback_of_a_dispatcher_beats_the_first_example(mocking: "Mocking") -> None:
    rules = json.dumps({"dispatcher": "SCRIPT", "dispatcherRules": "return 'x'", "fallback": "second"})
    operation = {
        "x-microcks-operation": {"dispatcher": "FALLBACK", "dispatcherRules": rules},
        "responses": {"200": content(examples=named(first=1, second=2))},
    }
    assert mocking({"/x": {"get": operation}}).get("/x") == 2


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/xml", "application/xml"),
        ("application/json;q=0.5, application/xml", "application/xml"),
        ("text/html, application/*;q=0.1", "application/json"),
        ("application/json;q=0, */*", "application/xml"),
    ],
)
def test_the_media_type_is_the_one_that_is_accepted_best(mocking: "Mocking", accept: str, media_type: str) -> None:
    contents = {"application/json": {"example": {"a": 1}}, "application/xml": {"example": "<a>1</a>"}}
    mock = mocking({"/x": {"get": {"responses": {"200": {"description": "", "content": contents}}}}})
    answer = mock.ask("GET", "/x", headers={"Accept": accept})
    assert answer.media_type == media_type
    assert answer.body == {"application/json": b'{"a":1}', "application/xml": b"<a>1</a>"}[media_type]


def test_a_media_type_that_is_not_documented_is_not_acceptable(mocking: "Mocking", answers: Callable[..., Any]) -> None:
    mock = mocking({"/x": {"get": answers(1)}})
    with pytest.raises(Fault) as caught:
        mock.ask("GET", "/x", headers={"Accept": "text/html"})
    assert (caught.value.status, caught.value.detail) == (406, "this answer is documented as application/json")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/b", "/a/b"),
        ("/a/c", "/a/{x}"),
        ("/a/v1-c", "/a/v1-{x}"),
        ("/z/b", "/{y}/b"),
        ("/z/c", "/{y}/{x}"),
        ("/a/c:run", "/a/{x}:run"),
    ],
)
def test_the_most_literal_path_wins(mocking: "Mocking", answers: Callable[..., Any], target: str, path: str) -> None:
    paths = ("/{y}/{x}", "/{y}/b", "/a/{x}", "/a/{x}:run", "/a/v1-{x}", "/a/b")
    assert mocking({each: {"get": answers(each)} for each in paths}).get(target) == path


def test_a_method_that_only_the_wider_path_has_is_answered_there(
    mocking: "Mocking", answers: Callable[..., Any]
) -> None:
    mock = mocking({"/a/me": {"get": answers("me")}, "/a/{id}": {"get": answers("id"), "put": answers("put")}})
    assert mock.ask("PUT", "/a/me").body == b'"put"'


def test_headers_of_an_answer_are_told(mocking: "Mocking") -> None:
    headers = {
        "Location": {"example": "/ships/1"},
        "X-Count": {"schema": {"type": "integer", "default": 3}},
        "X-Rest": {"required": True, "schema": {"type": "string", "enum": ["some"]}},
        "X-Maybe": {"schema": {"type": "string"}},
        "Content-Length": {"example": 99},
    }
    mock = mocking({"/x": {"post": {"responses": {"201": {"description": "", "headers": headers}}}}})
    assert mock.ask("POST", "/x").headers == (("location", "/ships/1"), ("x-count", "3"), ("x-rest", "some"))


def test_an_operation_without_answers_is_200(mocking: "Mocking") -> None:
    answer = mocking({"/x": {"get": {}}}).ask("GET", "/x")
    assert (answer.status, answer.body, answer.story) == (200, b"", "no answer is documented")


def test_a_default_answer_alone_is_200(mocking: "Mocking", answers: Callable[..., Any]) -> None:
    assert mocking({"/x": {"get": answers(1, status="default")}}).ask("GET", "/x").status == 200
