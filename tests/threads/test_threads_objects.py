from typing import TYPE_CHECKING, Any

import pytest
from openai import OpenAI

if TYPE_CHECKING:
    from tests.threads.conftest import Service

REQUIRED = {
    "assistant": "id object created_at name description model instructions tools metadata",
    "thread": "id object created_at tool_resources metadata",
    "thread.message": (
        "id object created_at thread_id status incomplete_details completed_at incomplete_at role content"
        " assistant_id run_id attachments metadata"
    ),
    "thread.run": (
        "id object created_at thread_id assistant_id status required_action last_error expires_at started_at"
        " cancelled_at failed_at completed_at model instructions tools metadata usage incomplete_details"
        " max_prompt_tokens max_completion_tokens truncation_strategy tool_choice parallel_tool_calls"
        " response_format"
    ),
}


def test_every_object_has_all_required_keys_when_created_and_when_read(service: "Service") -> None:
    assistant = service.call("POST", "/assistants", {"model": "m"}).json
    thread = service.call("POST", "/threads").json
    message = service.call("POST", f"/threads/{thread['id']}/messages", {"role": "user", "content": "hi"}).json
    run = service.call("POST", f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]}).json
    paths = {
        "assistant": f"/assistants/{assistant['id']}",
        "thread": f"/threads/{thread['id']}",
        "thread.message": f"/threads/{thread['id']}/messages/{message['id']}",
        "thread.run": f"/threads/{thread['id']}/runs/{run['id']}",
    }
    for created in (assistant, thread, message, run):
        read = service.call("GET", paths[created["object"]])
        assert read.status == 200
        for seen in (created, read.json):
            assert set(REQUIRED[created["object"]].split()) <= seen.keys()
            assert seen["id"] == created["id"]
            assert isinstance(seen["created_at"], int)


def test_nothing_internal_is_sent(service: "Service") -> None:
    run = service.call("GET", _run_path(service)).json
    assert not {"seq", "step_id", "reply_id", "reasoning_effort"} & run.keys()


def test_ids_say_what_they_name(service: "Service") -> None:
    thread = service.thread("hi")
    run = service.start(thread)
    message = service.client.beta.threads.messages.list(thread.id).data[0]
    kinds = [identity.partition("_")[0] for identity in (run.assistant_id, thread.id, run.id, message.id)]
    assert kinds == ["asst", "thread", "run", "msg"]


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_paths_work_with_and_without_the_version(service: "Service", prefix: str) -> None:
    with OpenAI(base_url=f"http://127.0.0.1:{service.port}{prefix}", api_key=service.key) as client:
        thread = client.beta.threads.create(metadata={"from": prefix or "none"})
        assert client.beta.threads.retrieve(thread.id) == thread


def test_an_assistant_keeps_every_field_it_was_given(service: "Service") -> None:
    function = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    given: dict[str, Any] = {
        "model": "some-model",
        "name": "Ada",
        "description": "counts",
        "instructions": "Be exact.",
        "tools": [function, {"type": "file_search"}],
        "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
        "metadata": {"team": "a", "My-Key": "ünïcode ✓"},
        "temperature": 1,
        "top_p": 0.5,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    }
    created = service.call("POST", "/v1/assistants", given | {"reasoning_effort": "low"}).json
    read = service.call("GET", f"/v1/assistants/{created['id']}").json
    read["tools"][0]["function"] = {k: v for k, v in read["tools"][0]["function"].items() if v is not None}
    read["tools"] = [{k: v for k, v in tool.items() if v is not None} for tool in read["tools"]]
    assert {name: read[name] for name in given} == given


def test_a_thread_starts_with_its_messages_in_their_order(service: "Service") -> None:
    thread = service.client.beta.threads.create(
        messages=[
            {"role": "user", "content": "one", "metadata": {"n": "1"}},
            {"role": "assistant", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/i.png"}}]},
        ]
    )
    found = service.client.beta.threads.messages.list(thread.id, order="asc").data
    assert [message.role for message in found] == ["user", "assistant", "user"]
    assert [message.content[0].type for message in found] == ["text", "text", "image_url"]
    assert found[0].metadata == {"n": "1"}
    assert found[0].status == "completed"


def test_a_run_takes_what_it_is_not_given_from_its_assistant(service: "Service") -> None:
    assistant = service.assistant(instructions="Be brief.", temperature=0.3, tools=[{"type": "code_interpreter"}])
    own = service.start(service.thread("hi"), assistant)
    assert (own.model, own.instructions, own.temperature) == ("test-model", "Be brief.", 0.3)
    assert [tool.type for tool in own.tools] == ["code_interpreter"]
    given = service.start(
        service.thread("hi"),
        assistant,
        model="other",
        instructions="Be long.",
        additional_instructions="And kind.",
        temperature=0,
        top_p=1,
        tools=[],
        max_prompt_tokens=256,
        max_completion_tokens=300,
        metadata={"why": "test"},
        response_format={"type": "json_object"},
        tool_choice="none",
        parallel_tool_calls=False,
        truncation_strategy={"type": "last_messages", "last_messages": 2},
        reasoning_effort="low",
    )
    assert (given.model, given.instructions) == ("other", "Be long.\nAnd kind.")
    assert (given.temperature, given.top_p, given.tools) == (0, 1, [])
    assert (given.max_prompt_tokens, given.max_completion_tokens) == (256, 300)
    assert (given.metadata, given.tool_choice, given.parallel_tool_calls) == ({"why": "test"}, "none", False)
    assert given.truncation_strategy is not None
    assert given.truncation_strategy.last_messages == 2


def test_a_run_without_instructions_says_an_empty_text(service: "Service") -> None:
    assert service.call("GET", _run_path(service)).json["instructions"] == ""


def test_modifying_a_run_replaces_its_metadata_and_nothing_else(service: "Service") -> None:
    run = service.ended(service.start(service.thread("hi"), metadata={"a": "1", "b": "2"}))
    runs = service.client.beta.threads.runs
    changed = runs.update(run.id, thread_id=run.thread_id, metadata={"c": "3"})
    assert changed.metadata == {"c": "3"}
    assert runs.retrieve(run.id, thread_id=run.thread_id) == changed
    assert changed == run.model_copy(update={"metadata": {"c": "3"}})
    path = f"/threads/{run.thread_id}/runs/{run.id}"
    assert service.call("POST", path, {}).json["metadata"] == {"c": "3"}
    assert service.call("POST", path, {"metadata": None}).json["metadata"] == {}


def test_metadata_is_taken_up_to_its_limits(service: "Service") -> None:
    most = {f"{n:02}".ljust(64, "k"): "v" * 512 for n in range(16)}
    assert service.client.beta.threads.create(metadata=most).metadata == most


def test_assistants_can_be_listed(service: "Service") -> None:
    made = [service.assistant(name=f"n{n}").id for n in range(3)]
    newest = service.client.beta.assistants.list(limit=3)
    assert [assistant.id for assistant in newest.data] == made[::-1]
    assert newest.has_more


def _run_path(service: "Service") -> str:
    run = service.start(service.thread("hi"))
    return f"/threads/{run.thread_id}/runs/{run.id}"
