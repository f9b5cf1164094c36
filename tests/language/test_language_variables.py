"""Binds, free variables and base URIs: what is given from outside, under which name, and what is asked for."""

import json
from typing import Any

import pytest

from capably.telemetry.redaction import Redactor

HEADER = {"inputParameters": [{"name": "X-Key", "in": "header", "value": "{{env.KEY}}"}]}


def header(written: str) -> dict[str, Any]:
    return {"inputParameters": [{"name": "X-Key", "in": "header", "value": written}]}


@pytest.mark.parametrize("written", ["{{env.KEY}}", "{{KEY}}"])
def test_a_bound_key_is_named_with_and_without_its_namespace(language: Any, written: str) -> None:
    reading = language.tool(header(written), environ={"KEY_OF_UP": "s3"})
    assert dict(reading.request().headers) == {"X-Key": "s3"}
    assert reading.told == []


@pytest.mark.parametrize("written", ["{{env.KEY}}", "{{KEY}}"])
@pytest.mark.parametrize("option", ["env.KEY", "KEY"])
def test_set_gives_a_bound_key_under_each_of_its_names(language: Any, written: str, option: str) -> None:
    reading = language.tool(header(written), sets={option: "s3"}, environ={"KEY_OF_UP": "other"})
    assert dict(reading.request().headers) == {"X-Key": "s3"}
    assert reading.missing == []


def test_a_key_the_bind_does_not_list_is_looked_up_under_its_own_name(language: Any) -> None:
    reading = language.tool(header("{{env.OTHER}}"), environ={"OTHER": "o"})
    assert dict(reading.request().headers) == {"X-Key": "o"}
    assert reading.told == []


def test_two_namespaces_may_have_keys_of_one_name(language: Any) -> None:
    written = {
        "ikanos": "1.0.0-beta4",
        "binds": [
            {"namespace": "a", "keys": {"TOKEN": "TOKEN_OF_A"}},
            {"namespace": "b", "keys": {"TOKEN": "TOKEN_OF_B"}},
        ],
        "consumes": [
            {
                "namespace": "up",
                "baseUri": "https://up.test",
                "resources": [
                    {
                        "path": "/x",
                        "operations": [
                            {
                                "name": "op",
                                "inputParameters": [
                                    {"name": "A", "in": "header", "value": "{{a.TOKEN}}"},
                                    {"name": "B", "in": "header", "value": "{{b.TOKEN}}"},
                                ],
                            }
                        ],
                    }
                ],
            }
        ],
        "exposes": [{"type": "mcp", "port": 1, "tools": [{"name": "t", "call": "up.op"}]}],
    }
    both = language.data(written, environ={"TOKEN_OF_A": "1", "TOKEN_OF_B": "2"})
    assert dict(both.request().headers) == {"A": "1", "B": "2"}
    assert language.data(written, environ={"TOKEN_OF_A": "1"}).missing == ["b.TOKEN"]
    assert language.data(written, sets={"b.TOKEN": "2"}).missing == ["TOKEN"]


def test_an_empty_value_counts_as_none(language: Any) -> None:
    assert language.tool(HEADER, environ={"KEY_OF_UP": ""}).missing == ["KEY"]


def test_a_plan_shows_stand_ins_instead_of_values(language: Any) -> None:
    reading = language.tool(HEADER, reveal=False, environ={"KEY_OF_UP": "s3cret"})
    assert dict(reading.request().headers) == {"X-Key": "<KEY>"}


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ({"sets": {"region": "eu"}, "environ": {"region": "us"}}, "eu"),
        ({"environ": {"region": "us", "REGION": "as"}}, "us"),
        ({"environ": {"REGION": "as"}}, "as"),
    ],
)
@pytest.mark.parametrize("written", ["https://{region}.up.test", "https://{{region}}.up.test"])
def test_a_free_variable_is_given_by_set_or_by_the_environment(
    language: Any, written: str, given: dict[str, Any], host: str
) -> None:
    reading = language.tool(api={"baseUri": written}, **given)
    assert reading.sent() == f"GET https://{host}.up.test/ships"
    assert reading.missing == []


def test_a_free_variable_is_asked_for_and_told(language: Any) -> None:
    reading = language.tool(api={"baseUri": "https://{region}.up.test"})
    assert reading.missing == ["region"]
    assert reading.told == [("VAR001", "`region` is bound to nothing: it must be given when the document is served")]
    assert reading.help == [
        "give it with `--set region=...` or as environment variable region or REGION; or add a bind"
    ]


def test_an_empty_base_uri_is_given_for_its_namespace(language: Any) -> None:
    assert language.tool(api={"baseUri": ""}).missing == ["up"]
    assert language.tool(api={"baseUri": ""}).told == [("VAR001", "`up` has no base URI")]
    reading = language.tool(api={"baseUri": ""}, upstreams={"up": "http://127.0.0.1:8000/v1/"})
    assert (reading.missing, reading.told) == ([], [])
    assert reading.sent() == "GET http://127.0.0.1:8000/v1/ships"


def test_a_base_uri_from_outside_replaces_the_document_s(language: Any) -> None:
    reading = language.tool(api={"baseUri": "https://{region}.up.test"}, upstreams={"up": "http://localhost:1"})
    assert reading.sent() == "GET http://localhost:1/ships"
    assert reading.told == []
    assert reading.missing == []


@pytest.mark.parametrize(
    ("written", "sets", "sent"),
    [
        ("api.up.test", {}, "https://api.up.test/ships"),
        ("//api.up.test/", {}, "https://api.up.test/ships"),
        ("https://up.test/v1/", {}, "https://up.test/v1/ships"),
        ("http://{{host}}", {"host": "up.test:81"}, "http://up.test:81/ships"),
        ("http://{{host}}", {"host": "https://up.test"}, "https://up.test/ships"),
        ("http://{{host}}/v1", {"host": "http://up.test"}, "http://up.test/v1/ships"),
        ("{{host}}", {"host": "https://up.test/"}, "https://up.test/ships"),
        ("{{host}}", {"host": "up.test"}, "https://up.test/ships"),
        ("{scheme}://up.test", {"scheme": "http"}, "http://up.test/ships"),
    ],
)
def test_a_base_uri_is_completed(language: Any, written: str, sets: dict[str, str], sent: str) -> None:
    assert language.tool(api={"baseUri": written}, sets=sets).sent() == f"GET {sent}"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("ftp://up.test", "not an http or https URL with a host"),
        ("https:///ships", "not an http or https URL with a host"),
        ("https://up.test:0", "not an http or https URL with a host"),
        ("https://up.test:no", "not a URL"),
        ("https://me:pw@up.test", "a URL with credentials or a fragment"),
        ("https://up.test/#a", "a URL with credentials or a fragment"),
    ],
)
def test_a_base_uri_that_cannot_be_used_is_an_error(language: Any, written: str, problem: str) -> None:
    reading = language.tool(api={"baseUri": written})
    assert reading.told == [("VAR002", f"the base URI is {problem}")]
    assert reading.examined.has_errors


def test_a_hole_of_the_base_uri_that_a_parameter_explains_is_the_caller_s(language: Any) -> None:
    consumed = {"inputParameters": [{"name": "tenant", "in": "path"}]}
    reading = language.tool(consumed, api={"baseUri": "https://{tenant}.up.test"})
    assert reading.inputs == {"tenant": "argument string"}
    assert reading.missing == []
    assert reading.sent(tenant="acme") == "GET https://acme.up.test/ships"


def test_a_hole_of_the_base_uri_that_with_explains_is_the_caller_s(language: Any) -> None:
    reading = language.tool(exposed={"with": {"tenant": "tools.t"}}, api={"baseUri": "https://{{tenant}}.up.test"})
    assert reading.told == []
    assert reading.inputs == {"t": "argument string"}
    assert reading.sent(t="acme") == "GET https://acme.up.test/ships"


def test_a_placeholder_in_capitals_is_the_caller_s_when_the_path_has_it(language: Any) -> None:
    reading = language.tool(path="/accounts/{ACCOUNT}/ships")
    assert reading.inputs == {"ACCOUNT": "argument string"}
    assert reading.missing == []


def test_a_bound_variable_in_a_path_is_no_input(language: Any) -> None:
    reading = language.tool(path="/accounts/{{env.USER}}/ships", environ={"USER_OF_UP": "a/1"})
    assert reading.inputs == {}
    assert reading.sent() == "GET https://up.test/accounts/a%2F1/ships"


def test_every_place_a_variable_is_used_at_is_known(language: Any) -> None:
    reading = language.read("""\
        naftiko: 1.0.0-alpha2
        capability:
          consumes:
          - namespace: up
            baseUri: https://{{host}}
            inputParameters:
            - {name: Origin, in: header, value: 'https://{{host}}'}
            resources: [{path: /x, operations: [{name: op}]}]
          exposes:
          - {type: mcp, port: 1, tools: [{name: t, call: up.op}]}
        """)
    (variable,) = reading.examined.compiled.variables
    assert [(span.line, span.column) for span in variable.spans] == [(5, 14), (7, 41)]


@pytest.mark.parametrize(("name", "kind"), [("UP_API_KEY", "secret"), ("PASSWORD", "secret"), ("REGION", "variable")])
def test_a_free_variable_whose_name_tells_of_a_secret_is_one(language: Any, name: str, kind: str) -> None:
    reading = language.tool(header(f"{{{{{name}}}}}"), sets={name: "made-up-value"})
    compiled = reading.examined.compiled
    assert [item.kind.value for item in compiled.variables] == [kind]
    assert Redactor(compiled.secrets).hide("made-up-value") == (f"<{name}>" if kind == "secret" else "made-up-value")


@pytest.mark.parametrize(("location", "told"), [("./values.env", ["`file` has no key `TOKN`"]), (None, [])])
def test_a_key_that_a_bind_with_a_file_does_not_list_is_told(
    language: Any, location: str | None, told: list[str]
) -> None:
    written = {
        "ikanos": "1.0.0-beta4",
        "binds": [{"namespace": "file", "location": location, "keys": {"TOKEN": "TOKEN"}}],
        "capability": {
            "consumes": [
                {
                    "namespace": "up",
                    "baseUri": "https://up.test",
                    "authentication": {"type": "bearer", "token": "{{file.TOKN}}"},
                    "resources": [{"path": "/x", "operations": [{"name": "op"}]}],
                }
            ],
            "exposes": [{"type": "mcp", "namespace": "a", "port": 1, "tools": [{"name": "t", "call": "up.op"}]}],
        },
    }
    reading = language.read(json.dumps(written))
    assert [message.partition(":")[0] for code, message in reading.told if code == "VAR001"] == told
