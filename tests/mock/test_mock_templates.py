"""Examples that repeat what a request says."""

import json
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.mock.template import Setting, UnknownHoleError, compiled

if TYPE_CHECKING:
    from tests.mock.conftest import Mocked, Mocking


def echoing(mocking: "Mocking", example: Any, media_type: str = "application/json") -> "Mocked":
    responses = {"200": {"description": "", "content": {media_type: {"example": example}}}}
    return mocking({"/a/{id}": {"post": {"responses": responses}}})


@pytest.mark.parametrize(
    ("example", "value"),
    [
        ("{{ request.body/ship }}", 'Port "X"'),
        ("{{request.body/crew}}", [1, 2]),
        ("{{request.body/crew/1}}", 2),
        ("{{request.body/nothing}}", None),
        ("crew {{request.body/crew}} of {{request.body/nothing}}", "crew [1,2] of "),
        ("{{request.path[1]}}", "x y"),
        ("{{request.params[q]}}", "1"),
        ("{{request.params.id}}", "x y"),
        ("{{request.headers[X-Trace]}}", "t1"),
        ({"a": ["{{request.body/ship}}", 1]}, {"a": ['Port "X"', 1]}),
        ("{{now(yyyy-MM-dd'T'HH:mm:ss)}}", "2026-03-04T05:06:07"),
        ("{{now(dd/MM/yyyy, 1d)}}", "05/03/2026"),
        ("{{timestamp()}}", 1772600767),
        ("{{randomInt(5, 5)}}", 5),
        ("{{ randomValue(a) }}", "a"),
    ],
)
def test_a_hole_is_filled(mocking: "Mocking", example: Any, value: Any) -> None:
    body = {"ship": 'Port "X"', "crew": [1, 2]}
    answer = echoing(mocking, example).ask("POST", "/a/x%20y?q=1", body, {"X-Trace": "t1"})
    assert json.loads(answer.body) == value


def test_random_values_are_of_their_form(mocking: "Mocking") -> None:
    mock = echoing(mocking, ["{{uuid()}}", "{{$randomUUID}}", "{{randomString(5)}}", "{{randomBoolean()}}"])
    first, second, text, truth = json.loads(mock.ask("POST", "/a/1", seed=7).body)
    assert (len(first), first[14], len(text), truth in {True, False}) == (36, "4", 5, True)
    assert first != second


def test_what_a_request_says_is_made_safe_in_xml(mocking: "Mocking") -> None:
    mock = echoing(mocking, "<port>{{request.body/port}}</port>", "application/xml")
    assert mock.ask("POST", "/a/1", {"port": "<b>&"}).body == b"<port>&lt;b&gt;&amp;</port>"


def test_json_that_is_written_as_text_is_filled_as_json(mocking: "Mocking") -> None:
    medium = {"schema": {"type": "object"}, "example": '{"ship": "{{request.body/ship}}"}'}
    mock = mocking(
        {"/a": {"post": {"responses": {"200": {"description": "", "content": {"application/json": medium}}}}}}
    )
    assert json.loads(mock.ask("POST", "/a", {"ship": '"'}).body) == {"ship": '"'}


@given(st.text())
def test_what_a_request_says_is_never_expanded(text: str) -> None:
    body = {"a": "{{request.body/b}}" + text, "b": "no"}
    setting = Setting((), {}, {}, body, datetime(2026, 1, 1, tzinfo=UTC), Random(0))  # noqa: S311
    assert compiled({"x": "{{request.body/a}}"}).of(setting) == {"x": "{{request.body/b}}" + text}


@pytest.mark.parametrize("hole", ["spell()", "request.cookies[a]", "request.body.a", "now(x, 1w)", "uuid(1)", "name"])
def test_an_expression_that_is_not_known_is_told_and_left(mocking: "Mocking", hole: str) -> None:
    with pytest.raises(UnknownHoleError):
        compiled("{{" + hole + "}}")
    mock = echoing(mocking, "{{" + hole + "}}")
    assert [item.code for item in mock.diagnostics] == ["OAS008"]
    assert json.loads(mock.ask("POST", "/a/1").body) == "{{" + hole + "}}"
