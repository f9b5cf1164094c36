"""Calls of tools are told while the model writes them."""

import http.client
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.threads.conftest import ScriptedModel, Service, Victim

LOOK_UP: Any = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
QUAY = ("call_1", "look_up", '{"word": "quay"}')
PIER = ("call_2", "look_up", '{"word": "pier"}')
STEP = "thread.run.step"
MESSAGE = "thread.message"


def _deltas(events: list[tuple[str, Any]]) -> list[Any]:
    told = [data["delta"]["step_details"]["tool_calls"] for name, data in events if name == f"{STEP}.delta"]
    assert all(len(calls) == 1 for calls in told)
    return [calls[0] for calls in told]


def test_a_call_is_told_by_its_name_first_and_then_by_pieces_of_its_arguments(
    asking: "Service", model: "ScriptedModel"
) -> None:
    model.play(pieces=(), calls=(QUAY, PIER), finish="tool_calls")
    events = asking.events(asking.thread("hi"), asking.assistant(tools=[LOOK_UP]))
    assert _deltas(events) == [
        {
            "index": 0,
            "id": "call_1",
            "type": "function",
            "function": {"name": "look_up", "arguments": '{"word":', "output": None},
        },
        {"index": 0, "type": "function", "function": {"arguments": ' "quay"}'}},
        {
            "index": 1,
            "id": "call_2",
            "type": "function",
            "function": {"name": "look_up", "arguments": '{"word":', "output": None},
        },
        {"index": 1, "type": "function", "function": {"arguments": ' "pier"}'}},
    ]


def test_the_pieces_can_be_read_before_the_model_has_ended(asking: "Service", model: "ScriptedModel") -> None:
    model.play(pieces=(), calls=(QUAY,), finish="tool_calls", hold_after=True)
    thread, assistant = asking.thread("hi"), asking.assistant(tools=[LOOK_UP])
    connection = http.client.HTTPConnection("127.0.0.1", asking.port, timeout=20)
    headers = {"Authorization": f"Bearer {asking.key}", "Content-Type": "application/json"}
    body = json.dumps({"assistant_id": assistant.id, "stream": True})
    connection.request("POST", f"/threads/{thread.id}/runs", body, headers)
    response = connection.getresponse()
    read = b""
    while b"quay" not in read:
        line = response.readline()
        assert line
        read += line
    assert b"requires_action" not in read
    model.release.set()
    assert b"event: thread.run.requires_action" in response.read()
    connection.close()


def test_a_message_is_complete_when_calls_follow_it(asking: "Service", model: "ScriptedModel") -> None:
    model.play(pieces=("Let me see.",), calls=(QUAY,), finish="tool_calls")
    thread = asking.thread("hi")
    events = asking.events(thread, asking.assistant(tools=[LOOK_UP]))
    assert [name for name, _ in events][3:] == [
        *(f"{STEP}.created", f"{STEP}.in_progress", f"{MESSAGE}.created", f"{MESSAGE}.in_progress"),
        *(f"{MESSAGE}.delta", f"{MESSAGE}.completed", f"{STEP}.completed"),
        *(f"{STEP}.created", f"{STEP}.in_progress", f"{STEP}.delta", f"{STEP}.delta"),
        *("thread.run.requires_action", "done"),
    ]
    assert asking.texts(thread)[1:] == [("assistant", "Let me see.")]


@pytest.mark.parametrize("before", [(), ("Wait. ",)])
def test_text_behind_calls_is_not_lost(asking: "Service", model: "ScriptedModel", before: tuple[str, ...]) -> None:
    model.play(pieces=before, calls=(QUAY,), after=("Just ", "so."), finish="tool_calls")
    thread = asking.thread("hi")
    events = asking.events(thread, asking.assistant(tools=[LOOK_UP]))
    texts = [data["delta"]["content"][0]["text"]["value"] for name, data in events if name == f"{MESSAGE}.delta"]
    whole = "".join(texts)
    assert whole == "".join(before) + "Just so."
    last = [data for name, data in events if name == f"{MESSAGE}.completed"][-1]
    assert last["content"][0]["text"]["value"] == whole
    assert asking.texts(thread)[1:] == [("assistant", whole)]
    assert events[-2][0] == "thread.run.requires_action"


def test_a_call_without_a_name_fails_the_run(asking: "Service", model: "ScriptedModel") -> None:
    model.play(pieces=(), calls=(("call_1", "", "{}"),), finish="tool_calls")
    run = asking.ended(asking.start(asking.thread("hi"), asking.assistant(tools=[LOOK_UP])))
    assert run.status == "failed"
    assert run.last_error is not None
    assert "without saying what it calls" in run.last_error.message


def test_calls_that_a_kill_cut_are_told_again_as_a_whole(
    killed: Callable[..., "Victim"], model: "ScriptedModel"
) -> None:
    model.play(pieces=("Well. ",), calls=(QUAY,), finish="tool_calls", hold_after=True)
    model.play(pieces=("Hm. ",), calls=(PIER,), finish="tool_calls")
    victim = killed(model_url=model.url)
    run = victim.service.start(victim.service.thread("hi"), victim.service.assistant(tools=[LOOK_UP]))
    victim.service.until_said(run, f"{STEP}.delta")
    victim.kill()
    victim.start()
    ended = victim.service.ended(run)
    assert ended.required_action is not None
    [call] = ended.required_action.submit_tool_outputs.tool_calls
    assert (ended.status, call.id, call.function.arguments) == ("requires_action", "call_2", PIER[2])
    log = [(name, data) for _, name, data in victim.service.log(run)]
    assert "".join(told["function"]["arguments"] for told in _deltas(log)) == PIER[2]
    assert [name for name, _ in log].count(f"{MESSAGE}.completed") == 1
    steps = victim.service.call("GET", f"/threads/{run.thread_id}/runs/{run.id}/steps?order=asc").json["data"]
    assert [(step["type"], step["status"]) for step in steps] == [
        ("message_creation", "completed"),
        ("tool_calls", "in_progress"),
    ]
    assert victim.service.texts(run)[1:] == [("assistant", "Hm. ")]


def test_a_run_cancelled_while_the_model_writes_a_call_leaves_nothing_open(
    asking: "Service", model: "ScriptedModel"
) -> None:
    model.play(pieces=(), calls=(QUAY,), finish="tool_calls", hold_after=True)
    run = asking.start(asking.thread("hi"), asking.assistant(tools=[LOOK_UP]))
    asking.until_said(run, f"{STEP}.delta")
    asking.client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    assert asking.ended(run).status == "cancelled"
    [step] = asking.client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert (step.type, step.status) == ("tool_calls", "cancelled")
    assert [name for _, name, _ in asking.log(run)][-3:] == [f"{STEP}.cancelled", "thread.run.cancelled", "done"]
