"""Conditions, loops, failures, transforms and questions; and the order in which steps run."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flows.conftest import Flows, ended, run_to_end, written

from capably.driver import drive
from capably.examine import examine
from capably.expr.condition import ConditionError, compile_condition
from capably.expr.source import FromInput
from capably.plan.caller import Question, Response, SilentCaller
from capably.plan.effects import Call, Start
from capably.plan.flow import run
from capably.plan.interpreter import run_flow
from capably.plan.operation import Operation
from capably.plan.outcome import Fault, Outcome
from capably.plan.step_order import Nature, waits
from capably.upstream.reply import Reply

LIST = {"name": "list", "type": "call", "call": "up.list-crew"}


def port(name: str, identity: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "call", "call": "up.get-port", "with": {"id": identity}, **more}


def urls(seen: list[str], answer: Any) -> Any:
    def answered(start: Start) -> Any:
        if isinstance(start.effect, Call):
            seen.append(f"{start.effect.request.method} {start.effect.request.url.removeprefix('http://up.test')}")
        return answer(start)

    return answered


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("n > 2 and n <= 3", True),
        ("n > 2 && n < 3", False),
        ("not (n == 3) or s == 'a b'", True),
        ("!n", False),
        ("missing", False),
        ("missing == null", True),
        ("s contains 'b' and 'a' in l", True),
        ("n == '3'", False),
        ("t == 1", False),
        ("s < 2", False),
        ("zero", True),
        ("l and not e", True),
    ],
)
def test_conditions(text: str, *, holds: bool) -> None:
    values = {"n": 3, "s": "a b", "l": ["a"], "e": [], "t": True, "zero": 0}
    assert compile_condition(text, FromInput).holds(values) is holds


@given(st.text(alphabet="ab =!<>&|()'\"12.$[]{}notinad", max_size=30))
def test_any_text_is_a_condition_or_says_why_not(text: str) -> None:
    place = 0
    try:
        compile_condition(text, FromInput).holds({})
    except ConditionError as problem:
        place = problem.position
    assert 0 <= place <= len(text)


def test_a_number_that_is_too_long_is_told_at_its_place() -> None:
    with pytest.raises(ConditionError, match="the number is too long") as problem:
        compile_condition(f"n > {'9' * 5_000}", FromInput)
    assert problem.value.position == len("n > ")


def test_a_step_is_left_out_unless_its_condition_holds(flows: Any) -> None:
    seen: list[str] = []
    flow = flows(LIST, port("port", "$.list[0].p", condition="$.list[0].p > 5"))
    flow.run(urls(seen, lambda _start: [{"p": 5}]))
    assert seen == ["GET /crew"]
    flow.run(urls(seen, lambda _start: [{"p": 6}]))
    assert seen[1:] == ["GET /crew", "GET /ports/6"]


def test_a_loop_does_a_step_for_each_element_so_many_at_once(flows: Any) -> None:
    seen: list[str] = []
    loop = {"in": "$.list", "as": "member", "concurrency": 2}
    flow = flows(LIST, port("ports", "{{member.id}}", forEach=loop, condition="index != 1"))
    told = flow.run(urls(seen, lambda start: [{"id": n} for n in range(4)] if start.key == "list" else start.key))
    assert json.loads(told.body) == ["ports[0]", "ports[2]", "ports[3]"]
    assert seen == ["GET /crew", "GET /ports/0", "GET /ports/2", "GET /ports/3"]


def test_more_elements_than_allowed_fail_the_step(flows: Any) -> None:
    flow = flows(LIST, port("ports", "{{item}}", forEach={"in": "$.list", "max": 2}))
    with pytest.raises(Fault, match="step `ports`: 3 elements are more than the 2 it may take"):
        flow.run(lambda _start: [1, 2, 3])


def test_a_failure_is_passed_over_or_replaced(flows: Any) -> None:
    gone = Reply(500, (), b"")
    answer = lambda start: gone if start.key == "a" else {"x": 1}  # noqa: E731
    mappings = [{"target": "a", "value": "$.a.x"}, {"target": "b", "value": "$.b.x"}]
    go_on = flows(port("a", "1", onError="continue"), port("b", "2"), mappings=mappings)
    assert go_on.value(answer) == {"a": None, "b": 1}
    replaced = flows(port("a", "1", fallback={"x": "{{tools.d}}"}), port("b", "2"), mappings=mappings)
    assert replaced.value(answer, d=9) == {"a": 9, "b": 1}


def test_a_transform_keeps_types_and_composes(flows: Any) -> None:
    made = {
        "name": "made",
        "type": "transform",
        "value": {"n": "$.list[0].n", "t": "{{tools.who}}!", "all": ["$.list"]},
    }
    assert flows(LIST, made).value(lambda _start: [{"n": 2}], who="you") == {"n": 2, "t": "you!", "all": [[{"n": 2}]]}


def test_what_changes_something_waits_and_is_waited_for_and_reads_run_together(flows: Any) -> None:
    book = {"name": "book", "type": "call", "call": "up.book"}
    operation = flows(port("a", "1"), port("b", "2"), book, port("c", "3"), port("d", "$.a.x")).operation
    assert [step.after for step in operation.work.steps] == [(), (), (0, 1), (2,), (0, 2)]


@given(
    st.lists(st.sampled_from([Nature(changes=True, reaches=True), Nature(reaches=True), Nature(), Nature(asks=True)]))
)
def test_a_step_waits_for_earlier_steps_alone(natures: list[Nature]) -> None:
    for number, after in enumerate(waits(natures, [frozenset()] * len(natures))):
        assert all(earlier < number for earlier in after)


def test_a_question_is_asked_and_a_refusal_ends_the_flow(flows: Any) -> None:
    ask = {
        "name": "ask",
        "type": "elicit",
        "message": "Book for {{tools.who}}?",
        "schema": {"seat": {"type": "string"}},
    }
    flow = flows(
        ask, {"name": "book", "type": "call", "call": "up.book"}, mappings=[{"target": "s", "value": "$.ask.seat"}]
    )
    asked: list[Question] = []

    def answer(start: Start) -> Any:
        if isinstance(start.effect, Question):
            asked.append(start.effect)
            return {"seat": "4A"}
        return {}

    assert flow.value(answer, who="Ann") == {"s": "4A"}
    assert (asked[0].message, asked[0].schema["properties"]) == ("Book for Ann?", {"seat": {"type": "string"}})
    with pytest.raises(Fault, match="step `ask`: what was asked was declined: nothing after it was done"):
        flow.run(lambda _start: Response("decline"), who="Ann")


def test_a_call_that_comes_again_repeats_nothing(flows: Any) -> None:
    started: list[str] = []

    def answer(start: Start) -> Any:
        started.append(start.key)
        return {"seat": "4A"}

    ask = {"name": "ask", "type": "elicit", "message": "Which?"}
    flow = flows(LIST, ask, mappings=[{"target": "n", "value": "$.list[0]"}, {"target": "s", "value": "$.ask.seat"}])
    assert json.loads(flow.run(answer, journal={"list": [1]}).body) == {"n": 1, "s": "4A"}
    assert started == ["ask"]


def test_a_tool_that_wants_confirmation_asks_before_it_runs(flows: Any) -> None:
    flow = flows(call="up.book", confirm=True)
    assert [(step.name, step.kind) for step in flow.operation.work.steps] == [("confirm", "elicit"), ("call", "call")]
    outcome = flow.run(lambda start: {} if start.key == "confirm" else Reply(201, (), b"booked"))
    assert (outcome.status, outcome.body) == (201, b"booked")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["get-port", "book", "transform"]),
        st.integers(0, 5),
        st.sampled_from(["stop", "continue"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sets(st.integers(0, 5)), st.randoms())
def test_steps_that_run_together_give_what_steps_in_written_order_give(
    tmp_path_factory: Any, drawn: Any, failing: set[int], chance: Any
) -> None:
    steps = []
    for number, (kind, read, on_error, loops) in enumerate(drawn):
        earlier = f"$.s{read}" if read < number else "none"
        if kind == "transform":
            steps.append({"name": f"s{number}", "type": "transform", "value": {"made": earlier}})
            continue
        step = {
            "name": f"s{number}",
            "type": "call",
            "call": f"up.{kind}",
            "with": {"id": f"{number}"},
            "onError": on_error,
        }
        if read < number:
            step["condition"] = f"{earlier} != 'never'"
        if loops:
            step["forEach"] = ["a", "b"]
        steps.append(step)
    mappings = [{"target": f"s{number}", "value": f"$.s{number}"} for number in range(len(steps))]
    file = tmp_path_factory.mktemp("flow") / "a.json"
    file.write_text(written({"steps": steps, "mappings": mappings}))
    operation = Flows(examine(file)).operation

    def answer(start: Start) -> Any:
        number = int(start.key[1])
        return Reply(500, (), start.key.encode()) if number in failing else {"of": start.key}

    in_order = run_to_end(operation, answer, 1)
    together = shuffled(operation, answer, chance)
    assert (in_order.status, in_order.body, in_order.step) == (together.status, together.body, together.step)
    driven = asyncio.run(driven_by_tasks(operation, answer))
    assert (in_order.status, in_order.body, in_order.step) == (driven.status, driven.body, driven.step)


async def driven_by_tasks(operation: Any, answer: Any) -> Outcome:
    """Run a flow as the engine does: what starts alone in its own task, what runs together in tasks beside it."""

    async def perform(start: Start) -> Any:
        await asyncio.sleep(0)
        value = ended(start, answer).value
        if isinstance(value, Fault):
            raise value
        return value

    return await drive(run_flow(operation, {}), perform, SilentCaller(), 0)


def shuffled(operation: Any, answer: Any, chance: Any) -> Any:
    """Run a flow; what is in flight ends in any order."""
    turns = run_flow(operation, {})
    waiting: list[Start] = []
    try:
        turn = next(turns)
        while True:
            waiting += turn.starts
            came = ended(waiting.pop(chance.randrange(len(waiting))), answer) if waiting else None
            turn = turns.send(came)
    except StopIteration as end:
        return end.value


REPLIES = st.builds(
    Reply,
    st.sampled_from([200, 201, 204, 304, 404, 429, 500]),
    st.lists(
        st.sampled_from([("content-type", "application/json"), ("etag", '"1"'), ("retry-after", "1"), ("x-own", "1")])
    ).map(tuple),
    st.sampled_from([b"", b'{"a": 1}', b'{"a": [1]}', b"[1]", b"null", b"no JSON"]),
)
OUTPUTS = [
    [],
    [{"type": "object", "mapping": "$."}],
    [{"type": "string", "mapping": "$.a"}],
    [{"name": "a", "type": "string", "mapping": "$.a"}, {"name": "etag", "in": "header"}],
]


@settings(deadline=None)
@given(reply=REPLIES, outputs=st.sampled_from(OUTPUTS), imo=st.sampled_from(["a", "b c", "", ".", 1]))
def test_a_call_gives_what_a_flow_of_that_call_alone_gives(
    tmp_path_factory: Any, reply: Reply, outputs: list[Any], imo: object
) -> None:
    asked: list[object] = []

    def answer(start: Start) -> Reply:
        assert isinstance(start.effect, Call)
        asked.append(start.effect.request)
        return reply

    def alone(operation: Operation) -> Outcome:
        work = run(operation, {"imo": imo})
        asked.append(next(work).request)
        with pytest.raises(StopIteration) as end:
            work.send(reply)
        outcome: Outcome = end.value.value
        return outcome

    def told(**work: Any) -> object:
        file = tmp_path_factory.mktemp("flow") / "a.json"
        file.write_text(written({**work, "outputParameters": outputs}))
        operation = Flows(examine(file)).operation
        try:
            outcome = run_to_end(operation, answer, imo=imo) if "steps" in work else alone(operation)
        except Fault as fault:
            return fault.status, fault.kind, fault.detail.removeprefix("step `s`: ")
        losses = [(loss.name, loss.wanted, loss.found) for loss in outcome.losses]
        return outcome.status, outcome.media_type, outcome.body, outcome.headers, losses

    call = {"call": "up.get-ship", "with": {"imo": "tools.imo"}}
    assert told(**call) == told(steps=[{"name": "s", "type": "call", **call}])
    assert asked[1:] == asked[:-1]
