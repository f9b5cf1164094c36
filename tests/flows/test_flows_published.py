"""Steps, lookups, mappings and aggregates as the published language has them."""

import json
from typing import Any

import pytest
from tests.flows.conftest import Flows, written

from capably.examine import examine
from capably.plan.effects import Call, Start
from capably.plan.operation import Hints
from capably.upstream.reply import Reply

SHIP = {"imo": "I1", "name": "Northern Star", "crew": ["c2", "c9", "c1"], "port": {"id": 7}}
CREW = [{"id": "c1", "fullName": "Erik"}, {"id": "c2", "fullName": "Aiko"}]
GET = {"name": "get-ship", "type": "call", "call": "up.get-ship", "with": {"imo": "tools.imo"}}
LIST = {"name": "list-crew", "type": "call", "call": "up.list-crew"}
FIND = {"name": "find", "type": "lookup", "index": "list-crew", "match": "id", "lookupValue": "$.get-ship.crew"}


def answers(**by_step: Any) -> Any:
    return lambda start: by_step[start.key.replace("-", "_")]


def test_results_are_read_by_name_in_paths_templates_and_lookups(flows: Any) -> None:
    port = {"name": "port", "type": "call", "call": "up.get-port", "with": {"id": "{{get-ship.port.id}}"}}
    sent: list[str] = []

    def answer(start: Start) -> Any:
        assert isinstance(start.effect, Call)
        sent.append(start.effect.request.url)
        return {"get-ship": SHIP, "list-crew": CREW, "port": {"city": "Oslo"}}[start.key]

    mappings = [
        {"target": "ship.name", "value": "$.get-ship.name"},
        {"target": "ship.port", "value": "{{port.city}}, {{get-ship.imo}}"},
        {"target": "first", "value": "$.list-crew[0].fullName"},
        {"target": "crew", "value": "$.find"},
    ]
    flow = flows(GET, LIST, {**FIND, "outputParameters": ["fullName"]}, port, mappings=mappings)
    assert flow.told == []
    assert flow.value(answer, imo="I1") == {
        "ship": {"name": "Northern Star", "port": "Oslo, I1"},
        "first": "Erik",
        "crew": [{"fullName": "Aiko"}, {"fullName": "Erik"}],
    }
    assert sent == ["http://up.test/ships/I1", "http://up.test/crew", "http://up.test/ports/7"]


@pytest.mark.parametrize(
    ("index", "key", "found"),
    [
        (CREW, "c1", {"fullName": "Erik"}),
        (CREW, ["c1"], [{"fullName": "Erik"}]),
        (CREW, "c9", None),
        ({"id": 12, "fullName": "One"}, "12", {"fullName": "One"}),
        ({"id": ["a", "b"], "fullName": ["A", "B"]}, ["b", "x"], {"fullName": ["B", None]}),
        ({"id": ["a", "b"], "fullName": ["A", "B"]}, "a", {"fullName": "A"}),
    ],
)
def test_a_lookup_searches_lists_objects_and_columns(flows: Any, index: Any, key: Any, found: Any) -> None:
    ship = {**SHIP, "crew": key}
    flow = flows(GET, LIST, {**FIND, "outputParameters": ["fullName"]}, mappings=[{"target": "x", "value": "$.find"}])
    assert flow.value(answers(get_ship=ship, list_crew=index), imo="I1") == {"x": found}


def test_a_lookup_is_visible_to_the_templates_of_later_steps(flows: Any) -> None:
    find = {**FIND, "lookupValue": "{{get-ship.crew[0]}}"}
    last = {"name": "port", "type": "call", "call": "up.get-port", "with": {"id": "{{find.fullName}}"}}
    seen: list[str] = []

    def answer(start: Start) -> Any:
        assert isinstance(start.effect, Call)
        seen.append(start.effect.request.url)
        return {"get-ship": SHIP, "list-crew": CREW, "port": {}}[start.key]

    flows(GET, LIST, find, last).run(answer, imo="I1")
    assert seen[-1] == "http://up.test/ports/Aiko"


def test_outputs_take_their_values_from_mappings_from_steps_or_from_the_last_result(flows: Any) -> None:
    by_name = [{"name": "crew", "type": "array"}, {"name": "year", "type": "number"}]
    mappings = [{"target": "crew", "value": "$.list-crew[*].fullName"}, {"target": "year", "value": "2015"}]
    given = answers(get_ship=SHIP, list_crew=CREW)
    assert flows(GET, LIST, mappings=mappings, outputParameters=by_name).value(given, imo="I1") == {
        "crew": ["Erik", "Aiko"],
        "year": 2015,
    }
    by_path = [{"name": "name", "type": "string", "mapping": "$.get-ship.name"}]
    assert flows(GET, LIST, outputParameters=by_path).value(given, imo="I1") == {"name": "Northern Star"}
    of_last = [{"type": "array", "mapping": "$", "items": {"type": "string", "mapping": "$.fullName"}}]
    assert flows(GET, LIST, outputParameters=of_last).value(given, imo="I1") == ["Erik", "Aiko"]
    assert flows(GET, LIST).value(given, imo="I1") == CREW


def test_an_upstream_failure_stops_the_flow_and_is_told_as_it_is(flows: Any) -> None:
    started: list[str] = []

    def answer(start: Start) -> Any:
        started.append(start.key)
        return Reply(404, (("content-type", "application/json"),), b'{"error": "no ship"}')

    book = {"name": "book", "type": "call", "call": "up.book"}
    outcome = flows(GET, book).run(answer, imo="I1")
    assert (outcome.status, outcome.body, outcome.step) == (404, b'{"error": "no ship"}', "get-ship")
    assert started == ["get-ship"]


FLOW = {
    "name": "ship",
    "description": "A ship.",
    "semantics": {"safe": True, "idempotent": True},
    "inputParameters": [{"name": "imo", "type": "string", "description": "Which."}],
    "steps": [{"name": "get-ship", "type": "call", "call": "up.get-ship", "with": {"imo": "fleet.imo"}}],
}
FLEET = [{"namespace": "fleet", "flows": [FLOW]}]


def test_a_reference_inherits_what_the_flow_says(flows: Any) -> None:
    flow = flows(ref="fleet.ship", aggregates=FLEET, name=None, description=None)
    operation = flow.operation
    assert (operation.name, operation.description) == ("ship", "A ship.")
    assert [(item.name, item.required, item.description) for item in operation.inputs] == [("imo", True, "Which.")]
    assert operation.hints == Hints(read_only=True, destructive=False, idempotent=True)
    assert flow.value(answers(get_ship=SHIP), imo="I1") == SHIP


def test_hints_that_are_stated_win_over_semantics(flows: Any) -> None:
    hints = flows(ref="fleet.ship", aggregates=FLEET, hints={"readOnly": False, "openWorld": True}).operation.hints
    assert hints == Hints(read_only=False, destructive=False, idempotent=True, open_world=True)


def test_with_of_a_reference_binds_the_inputs_of_the_flow(flows: Any) -> None:
    flow = flows(ref="fleet.ship", aggregates=FLEET, **{"with": {"imo": "agent.number"}})
    assert [item.name for item in flow.operation.inputs] == ["number"]
    seen: list[str] = []

    def answer(start: Start) -> Any:
        assert isinstance(start.effect, Call)
        seen.append(start.effect.request.url)
        return SHIP

    flow.run(answer, number="I7")
    assert seen == ["http://up.test/ships/I7"]


def test_an_input_with_the_name_of_a_step_is_meant_until_that_step_has_ended(flows: Any) -> None:
    sent: list[str] = []

    def answer(start: Start) -> Any:
        assert isinstance(start.effect, Call)
        sent.append(start.effect.request.url)
        return {"imo": "I9"}

    ship = {"name": "ship", "type": "call", "call": "up.get-ship", "with": {"imo": "{{ship}}"}}
    again = {"name": "again", "type": "call", "call": "up.get-ship", "with": {"imo": "{{ship.imo}}"}}
    inputs = [{"name": "ship", "type": "string", "description": "The ship."}]
    flow = flows(ship, again, inputParameters=inputs, mappings=[{"target": "imo", "value": "$.again.imo"}])
    assert flow.told == []
    assert flow.value(answer, ship="I1") == {"imo": "I9"}
    assert sent == ["http://up.test/ships/I1", "http://up.test/ships/I9"]


def test_a_consumed_projection_is_what_later_steps_read(tmp_path: Any) -> None:
    document = json.loads(written({"steps": [GET, {**FIND, "index": "get-ship", "match": "number"}]}))
    operation = document["capability"]["consumes"][0]["resources"][0]["operations"][0]
    operation["outputParameters"] = [{"name": "number", "type": "string", "value": "$.imo"}]
    file = tmp_path / "a.json"
    file.write_text(json.dumps(document))
    flow = Flows(examine(file))
    assert flow.value(answers(get_ship=[{"imo": "c2"}, {"imo": "c1"}]), imo="I1") is not None


LATER = ("FLW003", "`get-ship` reads `list-crew`, which comes later")
NO_CONDITION = ("FLW006", "this condition cannot be used: `=` cannot stand in a condition")


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([GET, {**LIST, "with": {"x": "$.get-shipp.a"}}], ("FLW002", "no step is named `get-shipp`")),
        (
            [{**GET, "with": {"imo": "$.list-crew.a"}}, LIST],
            LATER,
        ),
        ([GET, GET], ("FLW004", "two steps are named `get-ship`: nothing could tell their results apart")),
        ([{"name": "x"}], ("FLW001", "`x` does not say what it does")),
        ([{**LIST, "type": None}], ("FLW001", "`list-crew` has no `type`: it is taken to be a call")),
        (
            [LIST, {**FIND, "lookupValue": "{{list_crew[0].id}}"}],
            ("REF006", "`list_crew` is taken to mean `list-crew`: the names match ignoring case, `-` and `_`"),
        ),
        ([LIST, {**FIND, "index": "list-crews"}], ("FLW002", "no step is named `list-crews`")),
        (
            [GET, {**LIST, "condition": "$.get-ship.a ="}],
            NO_CONDITION,
        ),
    ],
)
def test_what_is_wrong_with_a_step_is_told(flows: Any, steps: Any, told: Any) -> None:
    flow = flows(*({key: value for key, value in step.items() if value is not None} for step in steps))
    assert told in flow.told


def test_of_several_ways_the_first_decides(flows: Any) -> None:
    flow = flows(LIST, call="up.get-ship")
    assert flow.told == [("FLW005", "`call` is left aside: `steps` says what is done")]
    assert flow.value(answers(list_crew=CREW)) == CREW


def test_the_status_of_the_last_call_is_the_answers_unless_something_is_made_of_it(flows: Any) -> None:
    book = {"name": "book", "type": "call", "call": "up.book"}
    outputs = [{"type": "object", "properties": {"id": {"type": "string", "mapping": "$.id"}}}]
    created = lambda _start: Reply(201, (("content-type", "application/json"),), b'{"id": 7, "x": 1}')  # noqa: E731
    outcome = flows(book, outputParameters=outputs).run(created)
    assert (outcome.status, outcome.body) == (201, b'{"id":"7"}')
    made = flows(book, mappings=[{"target": "a", "value": "$.book.id"}]).run(created)
    assert (made.status, made.body) == (200, b'{"a":7}')
