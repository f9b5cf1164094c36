"""How requests prove who sends them: every scheme, in every spelling that documents use."""

from typing import Any

import pytest

GIVEN = {"environ": {"KEY_OF_UP": "s3cret", "USER_OF_UP": "ada"}}


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        ({"type": "bearer", "token": "{{env.KEY}}"}, {"Authorization": "Bearer s3cret"}),
        ({"type": "Bearer", "token": "{{KEY}}"}, {"Authorization": "Bearer s3cret"}),
        ({"type": "bearer", "value": "{{KEY}}"}, {"Authorization": "Bearer s3cret"}),
        (
            {"type": "basic", "username": "{{USER}}", "password": "{{KEY}}"},
            {"Authorization": "Basic YWRhOnMzY3JldA=="},
        ),
        ({"type": "basic", "username": "", "password": "{{KEY}}"}, {"Authorization": "Basic OnMzY3JldA=="}),
        ({"type": "apikey", "key": "X-Key", "value": "{{KEY}}"}, {"X-Key": "s3cret"}),
        ({"type": "apikey", "key": "X-Key", "value": "{{KEY}}", "placement": "header"}, {"X-Key": "s3cret"}),
        ({"type": "apikey", "name": "X-Key", "value": "{{KEY}}", "in": "header"}, {"X-Key": "s3cret"}),
        ({"type": "apikey", "header": "X-Key", "value": "{{KEY}}"}, {"X-Key": "s3cret"}),
        ({"type": "apikey", "header": "X-Key", "key": "{{KEY}}"}, {"X-Key": "s3cret"}),
        ({"type": "header", "header": "X-Key", "value": "{{KEY}}"}, {"X-Key": "s3cret"}),
        ({"type": "apikey", "key": "Authorization", "value": "Token {{KEY}}"}, {"Authorization": "Token s3cret"}),
        ({"type": "apikey", "key": "sid", "value": "{{KEY}}", "placement": "cookie"}, {"Cookie": "sid=s3cret"}),
        ({"type": "none"}, {}),
    ],
)
def test_a_scheme_becomes_headers(language: Any, block: dict[str, str], headers: dict[str, str]) -> None:
    reading = language.tool(api={"authentication": block}, **GIVEN)
    assert reading.told == []
    request = reading.request()
    assert dict(request.headers) == headers
    assert request.url == "https://up.test/ships"


@pytest.mark.parametrize("place", [{"placement": "query", "key": "k"}, {"in": "Query", "name": "k"}])
def test_an_api_key_may_be_a_query_parameter(language: Any, place: dict[str, str]) -> None:
    reading = language.tool(api={"authentication": {"type": "apikey", "value": "{{KEY}}", **place}}, **GIVEN)
    assert reading.sent() == "GET https://up.test/ships?k=s3cret"


def test_an_operation_may_have_an_authentication_of_its_own(language: Any) -> None:
    api = {"authentication": {"type": "apikey", "key": "A", "value": "{{USER}}"}}
    consumed = {"authentication": {"type": "apikey", "key": "B", "value": "{{KEY}}"}}
    assert dict(language.tool(consumed, api=api, **GIVEN).request().headers) == {"B": "s3cret"}


def test_authentication_wins_over_a_header_of_the_same_name(language: Any) -> None:
    consumed = {"inputParameters": [{"name": "authorization", "in": "header", "value": "no"}]}
    api = {"authentication": {"type": "bearer", "token": "{{KEY}}"}}
    assert language.tool(consumed, api=api, **GIVEN).request().headers == (("Authorization", "Bearer s3cret"),)


@pytest.mark.parametrize(
    ("block", "code", "message"),
    [
        ({"type": "bearer"}, "AUT002", "`bearer` authentication needs `token`"),
        ({"type": "bearer", "token": " "}, "AUT002", "`bearer` authentication needs `token`"),
        ({"type": "bearer", "token": None}, "AUT002", "`bearer` authentication needs `token`"),
        ({"type": "basic", "password": "{{KEY}}"}, "AUT002", "`basic` authentication needs `username`"),
        ({"type": "basic", "username": "{{USER}}"}, "AUT002", "`basic` authentication needs `password`"),
        ({"type": "apikey", "value": "{{KEY}}"}, "AUT002", "`apikey` authentication needs `key`"),
        ({"type": "apikey", "key": "X-Key"}, "AUT002", "`apikey` authentication needs `value`"),
        (
            {"type": "apikey", "key": "k", "value": "{{KEY}}", "placement": "margin"},
            "AUT003",
            "an API key cannot be placed in `margin`",
        ),
        ({"type": "beerer", "token": "{{KEY}}"}, "AUT001", "requests cannot be authenticated with `beerer`"),
    ],
)
def test_what_a_scheme_lacks_is_one_error(language: Any, block: dict[str, Any], code: str, message: str) -> None:
    reading = language.tool(api={"authentication": block}, **GIVEN)
    assert [(c, m) for c, m in reading.told if c.startswith("AUT")] == [(code, message)]
    assert reading.examined.has_errors


def test_an_unknown_scheme_is_told_with_the_nearest(language: Any) -> None:
    assert language.tool(api={"authentication": {"type": "beerer"}}).help == ["did you mean `bearer`?"]


def test_a_secret_never_shows_in_a_plan(language: Any) -> None:
    for block in (
        {"type": "bearer", "token": "{{env.KEY}}"},
        {"type": "basic", "username": "{{USER}}", "password": "{{KEY}}"},
        {"type": "apikey", "key": "k", "value": "{{KEY}}", "placement": "query"},
    ):
        reading = language.tool(api={"authentication": block}, reveal=False, **GIVEN)
        request = reading.request()
        assert "s3cret" not in repr(request)
        assert "s3cret" not in repr(reading.examined)
        assert "KEY" in repr(request)


def test_a_secret_that_nobody_gave_is_asked_for_and_none_is_sent_empty(language: Any) -> None:
    assert language.tool(api={"authentication": {"type": "bearer", "token": "{{env.KEY}}"}}).missing == ["KEY"]
