"""What a strict mock refuses, and what any mock refuses when it expects a value."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from capably.plan.outcome import Fault

if TYPE_CHECKING:
    from tests.mock.conftest import Mocked, Mocking

VOYAGE = {
    "type": "object",
    "required": ["ship", "crew", "id"],
    "properties": {
        "id": {"type": "string", "readOnly": True},
        "ship": {"type": "string"},
        "crew": {"type": "array", "items": {"type": "string"}},
        "departs": {"type": "string", "format": "date-time"},
    },
}
SCHEMES = {
    "token": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-Dock-Key"},
    "pin": {"type": "apiKey", "in": "query", "name": "pin"},
    "user": {"type": "http", "scheme": "basic"},
}


def told(mock: "Mocked", *request: Any, **more: Any) -> tuple[int, list[str]]:
    """The status of a refusal, and what it says is wrong."""
    with pytest.raises(Fault) as caught:
        mock.ask(*request, **more)
    return caught.value.status, [f"{item.location} {item.input}: {item.message}" for item in caught.value.problems]


def parameter(name: str, place: str, *, required: bool = False, schema: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": schema or {"type": "string"}, **more}


OK = {"200": {"description": "", "content": {"application/json": {"example": "{{request.params[x]}}"}}}}


def reading(mocking: "Mocking", *parameters: dict[str, Any]) -> "Mocked":
    return mocking({"/a": {"get": {"parameters": list(parameters), "responses": OK}}}, strict=True)


@pytest.fixture
def voyages(mocking: "Mocking") -> "Mocked":
    content = {
        "application/json": {"schema": {"$ref": "#/components/schemas/Voyage"}},
        "application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "text/*": {},
    }
    post = {
        "parameters": [
            parameter("dry", "query", schema={"type": "boolean"}),
            parameter("X-Version", "header", required=True, schema={"type": "integer"}),
        ],
        "requestBody": {"required": True, "content": content},
        "responses": {"201": {"description": ""}},
    }
    return mocking({"/voyages": {"post": post}}, strict=True, components={"schemas": {"Voyage": VOYAGE}})


def test_everything_wrong_is_told_at_once(voyages: "Mocked") -> None:
    body = {"ship": 7, "departs": "tomorrow", "crew": ["a", 2]}
    status, problems = told(voyages, "POST", "/voyages?dry=maybe", body)
    assert status == 400
    assert sorted(problems) == [
        'body body/crew/1: 2 is not of type "string"',
        'body body/departs: "tomorrow" is not a "date-time"',
        'body body/ship: 7 is not of type "string"',
        "header X-Version: is required and missing",
        'query dry: "maybe" is not of type "boolean"',
    ]


def test_a_request_as_documented_is_answered(voyages: "Mocked") -> None:
    body = {"ship": "a", "crew": []}  # `id` is read-only, so nobody sends it
    assert voyages.ask("POST", "/voyages?dry=true", body, {"X-Version": "1"}).status == 201


@pytest.mark.parametrize(
    ("body", "media_type", "problem"),
    [
        (b"", "application/json", "body body: is required and missing"),
        (b"{", "application/json", "body body: the body is not valid JSON: Input data was truncated"),
        (b"{}", "application/xml", ("header Content-Type: must be application/json or "
         "application/x-www-form-urlencoded or text/*, not application/xml")),
        (b"n=x", "application/x-www-form-urlencoded", 'body body/n: "x" is not of type "integer"'),
    ],
)  # fmt: skip
def test_a_body_is_refused(voyages: "Mocked", body: bytes, media_type: str, problem: str) -> None:
    headers = {"X-Version": "1", "Content-Type": media_type}
    assert told(voyages, "POST", "/voyages", body, headers) == (400, [problem])


@pytest.mark.parametrize(
    ("body", "media_type"), [(b"n=1", "application/x-www-form-urlencoded"), (b"any", "text/plain; charset=utf-8")]
)
def test_a_body_of_another_documented_type_is_taken(voyages: "Mocked", body: bytes, media_type: str) -> None:
    assert voyages.ask("POST", "/voyages", body, {"X-Version": "1", "Content-Type": media_type}).status == 201


LIST: dict[str, Any] = {"type": "array", "items": {"type": "integer"}}
SHAPE: dict[str, Any] = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("written", "target", "headers"),
    [
        (parameter("n", "query", schema=LIST), "/a?n=1&n=2", {}),
        (parameter("n", "query", schema=LIST, explode=False), "/a?n=1,2", {}),
        (parameter("n", "query", schema=LIST, style="pipeDelimited", explode=False), "/a?n=1%7C2", {}),
        (parameter("p", "query", schema=SHAPE, style="deepObject", explode=True), "/a?p[x]=1&p[y]=2", {}),
        (parameter("p", "query", schema=SHAPE), "/a?x=1&y=2", {}),
        (parameter("p", "query", schema=SHAPE, explode=False), "/a?p=x,1,y,2", {}),
        (parameter("N", "header", schema=LIST), "/a", {"N": "1,2"}),
        (parameter("P", "header", schema=SHAPE, explode=True), "/a", {"P": "x=1,y=2"}),
        (parameter("c", "cookie", schema={"type": "integer"}), "/a", {"Cookie": "b=x; c=3"}),
        ({"name": "j", "in": "query", "content": {"application/json": {"schema": SHAPE}}}, '/a?j={"x":1}', {}),
    ],
)
def test_a_parameter_is_read_in_the_style_it_is_written_in(
    mocking: "Mocking", written: dict[str, Any], target: str, headers: dict[str, str]
) -> None:
    mock = reading(mocking, {**written, "required": True})
    assert mock.ask("GET", target, headers=headers).status == 200
    wrong, spoilt = target.replace("1", "one"), {name: text.replace("1", "one") for name, text in headers.items()}
    if (wrong, spoilt) != (target, headers):
        assert told(mock, "GET", wrong, headers=spoilt)[0] == 400
    assert told(mock, "GET", "/a")[1] == [f"{written['in']} {written['name']}: is required and missing"]


@pytest.mark.parametrize(
    ("style", "good", "bad"), [("simple", "7", "x"), ("label", ".7", ".x"), ("matrix", ";n=7", "x")]
)
def test_a_path_parameter_is_read_in_its_style(mocking: "Mocking", style: str, good: str, bad: str) -> None:
    written = parameter("n", "path", required=True, schema={"type": "integer"}, style=style)
    mock = mocking({"/a/{n}": {"get": {"parameters": [written], "responses": OK}}}, strict=True)
    assert mock.ask("GET", f"/a/{good}").status == 200
    assert told(mock, "GET", f"/a/{bad}")[0] == 400


def secured(mocking: "Mocking", *security: dict[str, Any], **more: Any) -> "Mocked":
    paths = {"/a": {"get": {"responses": OK}}, "/open": {"get": {"security": [], "responses": OK}}}
    return mocking(paths, security=list(security), components={"securitySchemes": SCHEMES}, **more)


@pytest.mark.parametrize(
    ("security", "headers", "target"),
    [
        ([{"token": []}], {"Authorization": "bearer x"}, "/a"),
        ([{"key": []}], {"X-Dock-Key": "x"}, "/a"),
        ([{"pin": []}], {}, "/a?pin=1"),
        ([{"token": []}, {"key": []}], {"X-Dock-Key": "x"}, "/a"),
        ([{"token": []}, {}], {}, "/a"),
        ([{"token": [], "key": []}], {"X-Dock-Key": "x", "Authorization": "Bearer x"}, "/a"),
        ([{"token": []}], {}, "/open"),
    ],
)
def test_a_caller_with_credentials_is_let_in(
    mocking: "Mocking", security: Any, headers: dict[str, str], target: str
) -> None:
    assert secured(mocking, *security, strict=True).ask("GET", target, headers=headers).status == 200


def test_a_caller_without_credentials_is_challenged(mocking: "Mocking") -> None:
    mock = secured(mocking, {"token": []}, {"user": []}, {"key": []}, strict=True)
    with pytest.raises(Fault) as caught:
        mock.ask("GET", "/a", headers={"Authorization": "Digest x"})
    assert caught.value.status == 401
    assert caught.value.headers == (("www-authenticate", "Bearer"), ("www-authenticate", "Basic"))
    assert caught.value.detail == (
        "header Authorization: must be sent, with `Bearer` and a credential (security scheme `token`); "
        "header Authorization: must be sent, with `Basic` and a credential (security scheme `user`); "
        "header X-Dock-Key: must be sent, with a key (security scheme `key`)"
    )


def test_a_mock_that_is_not_strict_answers_and_remarks(mocking: "Mocking") -> None:
    answer = secured(mocking, {"key": []}).ask("GET", "/a")
    assert answer.status == 200
    assert answer.remarks == ("header X-Dock-Key: must be sent, with a key (security scheme `key`)",)


def test_a_credential_that_is_expected_is_compared(mocking: "Mocking") -> None:
    mock = secured(mocking, {"token": []}, expect={"token": "dummy"})
    assert mock.ask("GET", "/a", headers={"Authorization": "Bearer dummy"}).status == 200
    assert told(mock, "GET", "/a", headers={"Authorization": "Bearer other"}) == (
        401,
        ["header Authorization: is not what this mock expects (security scheme `token`)"],
    )
    assert told(mock, "GET", "/a")[0] == 401


def test_a_header_that_is_expected_is_compared(mocking: "Mocking") -> None:
    paths = {"/a": {"get": {"parameters": [parameter("X-Version", "header")], "responses": OK}}}
    mock = mocking(paths, expect={"x-version": "2"})
    assert mock.ask("GET", "/a", headers={"X-Version": "2"}).status == 200
    assert told(mock, "GET", "/a") == (400, ["header X-Version: is missing"])
    assert told(mock, "GET", "/a", headers={"X-Version": "3"}) == (
        400,
        ["header X-Version: is not what this mock expects"],
    )


def test_a_refusal_never_repeats_what_was_expected(mocking: "Mocking") -> None:
    mock = secured(mocking, {"token": []}, expect={"token": "s3cr3t"}, strict=True)
    with pytest.raises(Fault) as caught:
        mock.ask("GET", "/a", headers={"Authorization": "Bearer other"})
    assert "s3cr3t" not in json.dumps([caught.value.detail, *(item.message for item in caught.value.problems)])
