"""An operation without call whose outputs state their values answers by itself, on both servers and in the shell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from capably.cli import main
from capably.plan.description import describe_operation
from capably.plan.operation import Mock

SHIP = [
    {"name": "imo", "type": "string", "value": "{{imo_number}}"},
    {"name": "name", "type": "string", "value": "Northern Star"},
    {"name": "built", "type": "number", "value": "2015"},
    {"name": "active", "type": "boolean", "value": "true"},
    {"name": "tonnage", "type": "integer", "const": 42000},
]
IMO = [{"name": "imo_number", "type": "string", "in": "query", "required": True, "description": "Its number."}]
NORTHERN_STAR = {"imo": "IMO-1", "name": "Northern Star", "built": 2015, "active": True, "tonnage": 42000}


@pytest.mark.parametrize(
    ("outputs", "inputs", "expected"),
    [
        (SHIP, {"imo_number": "IMO-1"}, NORTHERN_STAR),
        ([{"type": "string", "const": "Hello, World!"}], {}, "Hello, World!"),
        ([{"name": "message", "value": "Hello, {{name}}!"}], {"name": "Ann"}, {"message": "Hello, Ann!"}),
        ([{"name": "n", "type": "number", "value": "{{n}}"}], {"n": "12"}, {"n": 12}),
        ([{"name": "n", "value": "{{n}}"}], {"n": 12}, {"n": 12}),
        ([{"name": "n", "value": "{{tools.n}} {{agent.m}}"}], {"n": 1, "m": True}, {"n": "1 true"}),
        ([{"name": "ids", "type": "array", "value": "{{ids}}"}], {"ids": ["a", 1]}, {"ids": ["a", 1]}),
        (
            [{"name": "o", "value": {"a": {"b": "{{x}}"}, "c": [1, "{{x}}"]}}],
            {"x": 1.5},
            {"o": {"a": {"b": 1.5}, "c": [1, 1.5]}},
        ),
        (
            [
                {
                    "name": "route",
                    "type": "object",
                    "properties": {
                        "from": {"type": "string", "value": "{{from}}"},
                        "days": {"type": "number", "const": "22"},
                    },
                }
            ],
            {"from": "Oslo"},
            {"route": {"from": "Oslo", "days": 22}},
        ),
        (
            [
                {
                    "type": "array",
                    "mapping": "$.results",
                    "items": {
                        "type": "object",
                        "properties": {"name": {"mapping": "$.n", "const": "John"}, "age": {"type": "number"}},
                    },
                }
            ],
            {},
            [{"name": "John"}],
        ),
        ([{"name": "tags", "type": "array", "items": {"type": "string", "value": "x"}}], {}, {"tags": ["x"]}),
        (
            [{"name": "a", "value": "x"}, {"name": "b", "type": "string"}, {"name": "c", "mapping": "$.c"}],
            {},
            {"a": "x"},
        ),
        ([{"name": "a", "value": "x"}, {"name": "b", "properties": {"c": {"value": "{{c}}"}}}], {}, {"a": "x"}),
        ([{"name": "text", "value": "abcdef", "maxLength": 3}], {}, {"text": "abc"}),
        ([{"value": "{{a}}"}, {"value": "{{b}}"}], {"b": 2}, 2),
    ],
)
def test_a_mock_states_its_answer(mock: Any, outputs: Any, inputs: Any, expected: Any) -> None:
    document = mock(outputs)
    assert document.told == []
    outcome = document.mock(**inputs)
    assert (outcome.status, outcome.media_type) == (200, "application/json")
    assert json.loads(outcome.body) == expected


def test_a_mock_that_has_nothing_to_say_says_so(mock: Any) -> None:
    outcome = mock([{"name": "a", "properties": {"b": {"value": "{{b}}"}}}]).mock()
    assert (outcome.status, outcome.media_type, outcome.body) == (204, None, b"")


def test_inputs_of_a_mock_come_from_its_templates_its_path_and_its_declarations(mock: Any) -> None:
    declared = [{"name": "declared", "in": "query", "type": "integer", "description": "One."}]
    outputs = [{"name": "v", "value": "{{free}} {{id}} {{declared}}"}]
    document = mock(outputs, inputParameters=declared, path="/op/{id}")
    found = {item.name: (item.location.value, item.type, item.required) for item in document.operations["rest"].inputs}
    assert found == {
        "declared": ("query", "integer", False),
        "id": ("path", "string", True),
        "free": ("query", "string", True),
    }
    assert {item.name for item in document.operations["mcp"].inputs} == {"declared", "free", "id"}


def test_with_gives_a_mock_its_own_names(mock: Any) -> None:
    document = mock([{"name": "v", "value": "{{ship}}"}], **{"with": {"ship": "tools.imo"}})
    assert document.mock(imo="IMO-1").body == b'{"v":"IMO-1"}'


@pytest.mark.parametrize(
    ("outputs", "exposed"),
    [
        ([{"type": "object", "mapping": "$."}], {}),
        ([{"name": "a", "type": "string"}], {}),
        ([{"name": "a", "value": "$.a"}], {}),
        (None, {}),
    ],
)
def test_what_states_no_value_or_does_more_is_no_mock(mock: Any, outputs: Any, exposed: Any) -> None:
    document = mock(outputs, **exposed)
    assert document.operations == {}
    assert "DOC013" in [code for code, *_ in document.told]


def test_a_call_to_nothing_stays_an_error_beside_fixed_values(mock: Any) -> None:
    document = mock(SHIP, call="up.nothing")
    assert {code for code, *_ in document.told} == {"REF001"}
    assert document.operations == {}


def test_a_value_that_is_not_of_its_type_is_told(mock: Any) -> None:
    told = mock([{"name": "n", "type": "number", "value": "many"}]).told
    assert {(code, text) for code, _line, text in told} == {
        ("OUT004", "this value is no number, which the output is declared to be")
    }


def test_a_template_that_fills_in_what_is_not_of_its_type_leaves_it_out(mock: Any) -> None:
    outcome = mock([{"name": "n", "type": "number", "value": "{{n}}"}, {"name": "a", "value": 1}]).mock(n="many")
    assert outcome.body == b'{"a":1}'
    assert [loss.wanted for loss in outcome.losses] == ["number"]


def test_the_servers_answer_by_themselves(serve: Any, upstream: Any) -> None:
    served = serve(SHIP, exposed={"call": None, "inputParameters": IMO})
    said = served.rest("/op?imo_number=IMO-1")
    assert (said.status, said.media_type, said.json) == (200, "application/json", NORTHERN_STAR)
    result = served.tool(imo_number="IMO-1")
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"] == NORTHERN_STAR
    assert not result["isError"]
    assert upstream.requests == []


def test_a_post_is_mocked_too_and_reads_its_body(serve: Any) -> None:
    parameters = [{"name": "to", "type": "string", "in": "body", "required": True}]
    served = serve(
        [{"name": "sent", "value": "to {{to}}"}],
        exposed={"call": None, "method": "POST", "inputParameters": parameters},
    )
    assert served.rest("/op", "POST", {"to": "Oslo"}).json == {"sent": "to Oslo"}


def test_the_servers_say_nothing_when_there_is_nothing_to_say(serve: Any) -> None:
    parameters = [{"name": "a", "type": "string", "in": "query", "required": False}]
    served = serve([{"name": "v", "value": "{{a}}"}], exposed={"call": None, "inputParameters": parameters})
    assert (served.rest("/op").status, served.rest("/op").body) == (204, b"")
    assert served.rest("/op?a=x").json == {"v": "x"}
    nothing = {"content": [{"type": "text", "text": "{}"}], "structuredContent": {}, "isError": False}
    assert served.tool() == nothing


def test_a_missing_input_of_a_mock_is_refused(serve: Any) -> None:
    served = serve(SHIP, exposed={"call": None, "inputParameters": IMO})
    assert served.rest("/op").status == 400
    assert served.tool()["isError"]


def test_the_plan_says_that_a_mock_calls_nothing(mock: Any) -> None:
    operation = mock(SHIP).operations["mcp"]
    assert operation.work == Mock()
    described = describe_operation(operation)
    assert (described["target"], described["decided_by"], described["example"]) == (None, "mock", None)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def capably(capfd: pytest.CaptureFixture[str]) -> Run:
    def capably(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        code = caught.value.code
        return (code if isinstance(code, int) else int(code is not None), *capfd.readouterr())

    return capably


def test_plan_prints_that_a_mock_answers_by_itself(capably: Run, write: Any) -> None:
    code, out, _err = capably("plan", write(SHIP, exposed={"call": None}))
    assert code == 0
    assert "  op\n    answers by itself (mock)\n    input  imo_number: string, required, in argument" in out
    assert "sends" not in out


def test_call_runs_a_mock(capably: Run, write: Any) -> None:
    code, out, _err = capably("call", write(SHIP, exposed={"call": None}), "agent.op", "imo_number=IMO-1")
    assert (code, json.loads(out)) == (0, NORTHERN_STAR)


def test_a_dry_run_of_a_mock_has_no_request_to_show(capably: Run, write: Any) -> None:
    code, out, err = capably("call", write(SHIP, exposed={"call": None}), "agent.op", "imo_number=IMO-1", "--dry-run")
    assert (code, out) == (2, "")
    assert "`op` makes no request: it answers by itself" in err
