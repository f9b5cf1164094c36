import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AssistantEventHandler

if TYPE_CHECKING:
    from openai.types.beta.threads import Run
    from tests.threads.conftest import ScriptedModel, Serve, Service

WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
PARIS = ("call_1", "weather", '{"city": "Paris"}')
ROME = ("call_2", "weather", '{"city": "Rome"}')


def _asked(asking: "Service", model: "ScriptedModel", *calls: tuple[str, str, str], **act: Any) -> "Run":
    """A run whose model has called functions."""
    model.play(**({"pieces": (), "calls": calls, "finish": "tool_calls"} | act))
    assistant = asking.assistant(tools=[WEATHER])
    return asking.ended(asking.start(asking.thread("Which weather?"), assistant))


def _submit(asking: "Service", run: "Run", *outputs: tuple[str, str]) -> "Run":
    given: Any = [{"tool_call_id": identity, "output": output} for identity, output in outputs]
    submit = asking.client.beta.threads.runs.submit_tool_outputs
    return submit(run.id, thread_id=run.thread_id, tool_outputs=given)


def test_a_run_that_calls_functions_waits_for_all_their_outputs(asking: "Service", model: "ScriptedModel") -> None:
    run = _asked(asking, model, PARIS, ROME)
    assert run.status == "requires_action"
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    assert [(call.id, call.type, call.function.name, call.function.arguments) for call in calls] == [
        ("call_1", "function", "weather", '{"city": "Paris"}'),
        ("call_2", "function", "weather", '{"city": "Rome"}'),
    ]
    assert model.requests[0][1]["tools"] == [WEATHER]
    assert run.usage is None


def test_with_the_outputs_the_run_goes_on_and_ends(asking: "Service", model: "ScriptedModel") -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    run = _asked(asking, model, PARIS, ROME, usage=usage)
    model.play(pieces=("Sunny",), usage=usage)
    queued = _submit(asking, run, ("call_2", "rain"), ("call_1", "sun"))
    assert (queued.status, queued.required_action) == ("queued", None)
    ended = asking.ended(run)
    assert ended.status == "completed"
    assert ended.usage is not None
    assert ended.usage.total_tokens == 14
    assert asking.texts(ended)[-1] == ("assistant", "Sunny")
    told = model.requests[1][1]["messages"]
    assert told[-3]["tool_calls"][0] == {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
    }
    assert [(message["tool_call_id"], message["content"]) for message in told[-2:]] == [
        ("call_1", "sun"),
        ("call_2", "rain"),
    ]


def test_the_steps_of_a_run_tell_its_calls_and_its_message(asking: "Service", model: "ScriptedModel") -> None:
    run = _asked(asking, model, PARIS)
    _submit(asking, run, ("call_1", "sun"))
    asking.ended(run)
    steps = asking.client.beta.threads.runs.steps
    first, second = steps.list(run.id, thread_id=run.thread_id, order="asc").data
    assert first.step_details.type == "tool_calls"
    call: Any = first.step_details.tool_calls[0]
    assert (call.function.name, call.function.output) == ("weather", "sun")
    assert second.step_details.type == "message_creation"
    assert [step.status for step in (first, second)] == ["completed", "completed"]
    assert steps.retrieve(second.id, thread_id=run.thread_id, run_id=run.id) == second
    with pytest.raises(openai.NotFoundError, match="No run step found"):
        steps.retrieve("step_x", thread_id=run.thread_id, run_id=run.id)


@pytest.mark.parametrize("given", [[], ["call_1"], ["call_1", "call_x"], ["call_1", "call_2", "call_2"]])
def test_anything_but_all_outputs_at_once_is_refused(
    asking: "Service", model: "ScriptedModel", given: list[str]
) -> None:
    run = _asked(asking, model, PARIS, ROME)
    with pytest.raises(openai.BadRequestError) as refused:
        _submit(asking, run, *((identity, "") for identity in given))
    expected = "Expected tool outputs for call_ids ['call_1', 'call_2'], got"
    assert expected in refused.value.message
    assert asking.client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status == "requires_action"


def test_outputs_for_a_run_that_waits_for_none_are_refused(service: "Service") -> None:
    run = service.ended(service.start(service.thread("hi")))
    with pytest.raises(openai.BadRequestError, match='Runs in status "completed" do not accept tool outputs'):
        _submit(service, run, ("call_1", ""))


def test_streams_of_calls_have_the_events_of_the_original_in_their_order(
    asking: "Service", model: "ScriptedModel"
) -> None:
    model.play(pieces=(), calls=(PARIS,), finish="tool_calls")
    thread, assistant = asking.thread("hi"), asking.assistant(tools=[WEATHER])
    events = asking.events(thread, assistant)
    step = "thread.run.step"
    assert [name for name, _ in events] == [
        *("thread.run.created", "thread.run.queued", "thread.run.in_progress"),
        *(f"{step}.created", f"{step}.in_progress", f"{step}.delta", f"{step}.delta"),
        *("thread.run.requires_action", "done"),
    ]
    run = dict(events)["thread.run.requires_action"]
    body = {"tool_outputs": [{"tool_call_id": "call_1", "output": "sun"}], "stream": True}
    answer = asking.call("POST", f"/threads/{thread.id}/runs/{run['id']}/submit_tool_outputs", body)
    names = [name for _, name, _ in asking.parsed(answer.body)]
    message = "thread.message"
    assert names == [
        *(f"{step}.completed", "thread.run.queued", "thread.run.in_progress", f"{step}.created", f"{step}.in_progress"),
        *(f"{message}.created", f"{message}.in_progress", f"{message}.delta", f"{message}.delta"),
        *(f"{message}.completed", f"{step}.completed", "thread.run.completed", "done"),
    ]


def test_the_sdk_streams_a_run_through_its_calls(asking: "Service", model: "ScriptedModel") -> None:
    model.play(pieces=("Let me see. ",), calls=(PARIS,), finish="tool_calls")
    model.play(pieces=("Sun",))
    thread, assistant = asking.thread("hi"), asking.assistant(tools=[WEATHER])
    runs = asking.client.beta.threads.runs

    class Handler(AssistantEventHandler):
        called: Any = None

        def on_tool_call_done(self, tool_call: Any) -> None:
            self.called = tool_call

    with runs.stream(thread_id=thread.id, assistant_id=assistant.id, event_handler=Handler()) as handler:
        handler.until_done()
    assert handler.called.function.arguments == '{"city": "Paris"}'
    run = handler.current_run
    assert run is not None
    assert run.status == "requires_action"
    outputs: Any = [{"tool_call_id": "call_1", "output": "sun"}]
    with runs.submit_tool_outputs_stream(run_id=run.id, thread_id=thread.id, tool_outputs=outputs) as stream:
        assert "".join(stream.text_deltas) == "Sun"
    assert asking.texts(thread)[1:] == [("assistant", "Let me see. "), ("assistant", "Sun")]
    again = model.requests[-1][1]["messages"][-2]
    assert (again["content"], again["tool_calls"][0]["id"]) == ("Let me see. ", "call_1")


def test_a_thread_and_a_run_are_created_together(asking: "Service", model: "ScriptedModel") -> None:
    assistant = asking.assistant()
    run = asking.client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "hi"}], "metadata": {"a": "1"}},
        poll_interval_ms=20,
    )
    assert run.status == "completed"
    assert asking.texts(run) == [("user", "hi"), ("assistant", "Hello there")]
    assert asking.client.beta.threads.retrieve(run.thread_id).metadata == {"a": "1"}
    body = {"assistant_id": assistant.id, "thread": {"messages": []}, "stream": True}
    names = [name for _, name, _ in asking.parsed(asking.call("POST", "/threads/runs", body).body)]
    assert names[:3] == ["thread.created", "thread.run.created", "thread.run.queued"]


def test_what_the_model_is_to_do_with_tools_is_passed_on_in_the_first_turn(
    asking: "Service", model: "ScriptedModel"
) -> None:
    model.play(pieces=(), calls=(PARIS,), finish="tool_calls")
    assistant = asking.assistant(tools=[WEATHER])
    choice: Any = {"type": "function", "function": {"name": "weather"}}
    run = asking.start(asking.thread("hi"), assistant, tool_choice=choice, parallel_tool_calls=False)
    _submit(asking, asking.ended(run), ("call_1", "sun"))
    asking.ended(run)
    first, second = (body for _, body in model.requests)
    assert (first["tool_choice"], first["parallel_tool_calls"]) == (choice, False)
    assert "tool_choice" not in second


def test_the_tokens_of_all_turns_count_towards_the_limit_of_a_run(asking: "Service", model: "ScriptedModel") -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 300, "total_tokens": 310}
    model.play(pieces=(), calls=(PARIS,), finish="tool_calls", usage=usage)
    assistant = asking.assistant(tools=[WEATHER])
    run = asking.ended(asking.start(asking.thread("hi"), assistant, max_completion_tokens=300))
    _submit(asking, run, ("call_1", "sun"))
    ended = asking.ended(run)
    assert ended.status == "incomplete"
    assert ended.incomplete_details is not None
    assert ended.incomplete_details.reason == "max_completion_tokens"
    assert len(model.requests) == 1


def test_a_running_run_is_cancelled_with_what_it_has_said(asking: "Service", model: "ScriptedModel") -> None:
    model.play(pieces=("Hello there",), hold_after=True)
    thread = asking.thread("hi")
    run = asking.start(thread)
    asking.until_said(run)
    assert asking.client.beta.threads.runs.cancel(run.id, thread_id=thread.id).status == "cancelling"
    ended = asking.ended(run)
    assert (ended.status, ended.expires_at, ended.cancelled_at is None) == ("cancelled", None, False)
    message = asking.client.beta.threads.messages.list(thread.id).data[0]
    assert (message.status, message.incomplete_details and message.incomplete_details.reason) == (
        "incomplete",
        "run_cancelled",
    )
    assert asking.texts(thread)[-1] == ("assistant", "Hello there")
    names = [name for _, name, _ in asking.log(run)]
    assert names[-5:] == [
        *("thread.run.cancelling", "thread.message.incomplete", "thread.run.step.cancelled", "thread.run.cancelled"),
        "done",
    ]
    asking.client.beta.threads.messages.create(thread.id, role="user", content="again")


def test_a_waiting_run_is_cancelled_at_once_and_an_ended_one_not(asking: "Service", model: "ScriptedModel") -> None:
    run = _asked(asking, model, PARIS)
    runs = asking.client.beta.threads.runs
    assert runs.cancel(run.id, thread_id=run.thread_id).status == "cancelling"
    ended = runs.retrieve(run.id, thread_id=run.thread_id)
    assert (ended.status, ended.required_action) == ("cancelled", None)
    steps = runs.steps.list(run.id, thread_id=run.thread_id).data
    assert [step.status for step in steps] == ["cancelled"]
    with pytest.raises(openai.BadRequestError, match="Cannot cancel run with status 'cancelled'"):
        runs.cancel(run.id, thread_id=run.thread_id)


def test_a_run_may_wait_for_its_thread_with_the_messages_it_brings(asking: "Service", model: "ScriptedModel") -> None:
    model.play(hold=True)
    thread, assistant = asking.thread("one"), asking.assistant()
    first = asking.start(thread, assistant)
    asking.until(first, "in_progress")
    body = {"assistant_id": assistant.id, "queue": True, "additional_messages": [{"role": "user", "content": "two"}]}
    path = f"/threads/{thread.id}/runs"
    second = asking.call("POST", path, body).json
    third = asking.call("POST", path, {"assistant_id": assistant.id, "queue": True}).json
    assert [second["status"], third["status"]] == ["queued", "queued"]
    assert asking.texts(thread) == [("user", "one")]
    cancelled = asking.client.beta.threads.runs.cancel(third["id"], thread_id=thread.id)
    assert cancelled.status == "cancelling"
    model.release.set()
    ended = asking.ended(asking.client.beta.threads.runs.retrieve(second["id"], thread_id=thread.id))
    assert ended.status == "completed"
    assert [text for _, text in asking.texts(thread)] == ["one", "Hello there", "two", "Hello there"]


def test_a_run_whose_thread_comes_free_starts_at_once(serve: "Serve", model: "ScriptedModel") -> None:
    model.play(hold=True)
    service = serve(model_url=model.url, patrol=3600.0)  # nothing but the end of the first one starts the second
    thread, assistant = service.thread("one"), service.assistant()
    service.start(thread, assistant)
    second = service.call("POST", f"/threads/{thread.id}/runs", {"assistant_id": assistant.id, "queue": True}).json
    model.release.set()
    ended = service.ended(service.client.beta.threads.runs.retrieve(second["id"], thread_id=thread.id))
    assert ended.status == "completed"


def test_a_reader_that_reconnects_misses_nothing_and_gets_nothing_twice(
    asking: "Service", model: "ScriptedModel"
) -> None:
    thread = asking.thread("hi")
    run = asking.ended(asking.start(thread))
    whole = asking.log(run)
    numbers = [number for number, _, _ in whole[:-1]]
    assert numbers == list(range(1, len(whole)))
    path = f"/threads/{thread.id}/runs/{run.id}/events"
    for seen in numbers:
        rest = asking.parsed(asking.call("GET", path, headers={"Last-Event-ID": str(seen)}).body)
        assert rest == whole[seen:]
    assert asking.parsed(asking.call("GET", f"{path}?after=3").body) == whole[3:]


def test_what_was_made_can_be_changed_and_deleted(service: "Service") -> None:
    beta = service.client.beta
    assistant = service.assistant(name="a", tools=[WEATHER])
    changed = beta.assistants.update(assistant.id, name="b", metadata={"k": "v"}, tools=[])
    assert (changed.name, changed.metadata, changed.tools, changed.model) == ("b", {"k": "v"}, [], "test-model")
    thread = service.thread("one", "two")
    assert beta.threads.update(thread.id, metadata={"k": "v"}).metadata == {"k": "v"}
    message = beta.threads.messages.list(thread.id).data[0]
    renamed = beta.threads.messages.update(message.id, thread_id=thread.id, metadata={"m": "1"})
    assert (renamed.metadata, renamed.content) == ({"m": "1"}, message.content)
    run = service.ended(service.start(thread, assistant))
    deleted = beta.threads.messages.delete(message.id, thread_id=thread.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (message.id, "thread.message.deleted", True)
    assert len(service.texts(thread)) == 2
    assert beta.assistants.delete(assistant.id).object == "assistant.deleted"
    assert service.client.beta.threads.runs.retrieve(run.id, thread_id=thread.id).assistant_id == assistant.id
    assert beta.threads.delete(thread.id).deleted
    for path in ("", "/messages", f"/runs/{run.id}", f"/runs/{run.id}/events"):
        assert service.call("GET", f"/threads/{thread.id}{path}").status == 404


def test_deleting_a_thread_stops_its_run(asking: "Service", model: "ScriptedModel") -> None:
    model.play(hold_after=True)
    thread = asking.thread("hi")
    run = asking.start(thread)
    asking.until_said(run)
    asking.client.beta.threads.delete(thread.id)
    model.release.set()
    assert asking.ended(asking.start(asking.thread("another"))).status == "completed"


def test_threads_can_be_listed(service: "Service") -> None:
    made = [service.thread().id for _ in range(3)]
    page = service.call("GET", "/v1/threads?limit=2").json
    assert [thread["id"] for thread in page["data"]] == made[:0:-1]
    assert page["has_more"]
    rest = service.call("GET", f"/v1/threads?limit=1&after={page['last_id']}").json
    assert rest["data"][0]["id"] == made[0]


def test_an_output_may_be_anything_a_text_can_hold(asking: "Service", model: "ScriptedModel") -> None:
    run = _asked(asking, model, PARIS)
    odd = json.dumps({"quote": '"', "line": "\n", "sign": "✓"})
    _submit(asking, run, ("call_1", odd))
    asking.ended(run)
    assert model.requests[1][1]["messages"][-1]["content"] == odd


def test_the_calls_of_earlier_runs_are_shown_to_a_model_that_can_call_tools(
    asking: "Service", model: "ScriptedModel"
) -> None:
    run = _asked(asking, model, PARIS, ROME, pieces=("Let me see.",))
    model.play(pieces=("Sun and rain.",))
    assert asking.ended(_submit(asking, run, ("call_1", "sun"), ("call_2", "rain"))).status == "completed"
    asking.client.beta.threads.messages.create(run.thread_id, role="user", content="And tomorrow?")
    thread = asking.client.beta.threads.retrieve(run.thread_id)
    able, plain = asking.assistant(tools=[WEATHER]), asking.assistant()
    for assistant, whole in ((able, True), (plain, False)):
        asking.ended(asking.start(thread, assistant))
        messages = model.requests[-1][1]["messages"]
        assert [(message["role"], message["content"]) for message in messages][:3] == [
            ("user", "Which weather?"),
            ("assistant", "Let me see."),
            ("tool", "sun") if whole else ("assistant", "Sun and rain."),
        ]
        called = [(call["id"], call["function"]) for message in messages for call in message.get("tool_calls", ())]
        given = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
        assert [identity for identity, _ in called] == given == (["call_1", "call_2"] if whole else [])
        assert all(function.keys() == {"name", "arguments"} for _, function in called)
    strategy: Any = {"type": "last_messages", "last_messages": 3}
    asking.ended(asking.start(thread, able, truncation_strategy=strategy))
    texts = [message["content"] for message in model.requests[-1][1]["messages"]]
    assert texts == ["And tomorrow?", "Hello there", "Hello there"]
    asking.ended(asking.start(thread, able, truncation_strategy=strategy | {"last_messages": 6}))
    roles = [message["role"] for message in model.requests[-1][1]["messages"]]
    assert roles == ["assistant", "tool", "tool", "assistant", "user", *["assistant"] * 3]
