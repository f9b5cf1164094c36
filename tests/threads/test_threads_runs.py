import http.client
import json
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AssistantEventHandler

if TYPE_CHECKING:
    from tests.threads.conftest import ScriptedModel, Serve, Service

OPENING = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
WRITING = [
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
]


def test_a_run_is_queued_executed_and_completed_with_its_reply_in_the_thread(
    asking: "Service", model: "ScriptedModel"
) -> None:
    model.play(hold=True, usage={"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9})
    run = asking.start(asking.thread("hi"))
    assert (run.status, run.usage, run.started_at) == ("queued", None, None)
    assert run.expires_at == run.created_at + 600
    asking.until(run, "in_progress")
    assert asking.texts(run) == [("user", "hi")]
    model.release.set()
    ended = asking.ended(run)
    assert (ended.status, ended.expires_at, ended.last_error) == ("completed", None, None)
    assert ended.started_at is not None
    assert ended.completed_at is not None
    assert ended.created_at <= ended.started_at <= ended.completed_at
    assert ended.usage is not None
    assert ended.usage.model_dump() == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert asking.texts(run) == [("user", "hi"), ("assistant", "Hello there")]


def test_the_reply_names_its_run_and_its_assistant(service: "Service") -> None:
    run = service.ended(service.start(service.thread("hi")))
    reply = service.client.beta.threads.messages.list(run.thread_id).data[0]
    assert (reply.role, reply.run_id, reply.assistant_id) == ("assistant", run.id, run.assistant_id)
    assert (reply.status, reply.incomplete_details) == ("completed", None)
    assert reply.completed_at is not None


def test_the_offline_responder_says_what_it_is_and_always_the_same(service: "Service") -> None:
    thread, assistant = service.thread("first", "what now?"), service.assistant()
    said = (
        "This is capably's offline responder, not a language model."
        " Your thread has 2 messages; the last one from you says: what now?"
    )
    service.ended(service.start(thread, assistant))
    assert service.texts(thread)[-1] == ("assistant", said)
    service.ended(service.start(thread, assistant))
    assert service.texts(thread)[-1] == ("assistant", said.replace("2 messages", "3 messages"))


def test_the_offline_responder_answers_an_empty_thread_and_shortens_what_it_quotes(service: "Service") -> None:
    empty = service.ended(service.start(service.thread()))
    assert service.texts(empty)[-1][1].endswith("Your thread has 0 messages, none of them from you.")
    long = service.ended(service.start(service.thread("word " * 1000)))
    quote = service.texts(long)[-1][1].partition("says: ")[2]
    assert (len(quote), quote[-1]) == (200, "…")


def test_additional_messages_join_the_thread_before_the_run(service: "Service") -> None:
    thread = service.thread("one")
    service.ended(service.start(thread, additional_messages=[{"role": "user", "content": "two"}]))
    texts = service.texts(thread)
    assert texts[:2] == [("user", "one"), ("user", "two")]
    assert texts[2][1].endswith("has 2 messages; the last one from you says: two")


def test_an_unfinished_run_says_when_to_ask_again(asking: "Service", model: "ScriptedModel") -> None:
    model.play(hold=True)
    thread, assistant = asking.thread("hi"), asking.assistant()
    created = asking.call("POST", f"/threads/{thread.id}/runs", {"assistant_id": assistant.id})
    path = f"/threads/{thread.id}/runs/{created.json['id']}"
    modified = asking.call("POST", path, {"metadata": {"a": "1"}})
    for answer in (created, asking.call("GET", path), modified):
        assert 50 <= int(answer.headers["openai-poll-after-ms"]) <= 1000
    model.release.set()
    asking.until(asking.client.beta.threads.runs.retrieve(created.json["id"], thread_id=thread.id), "completed")
    assert "openai-poll-after-ms" not in asking.call("GET", path).headers


def test_a_thread_has_one_active_run_and_takes_no_messages_meanwhile(asking: "Service", model: "ScriptedModel") -> None:
    model.play(hold=True)
    thread, assistant = asking.thread("hi"), asking.assistant()
    run = asking.start(thread, assistant)
    with pytest.raises(openai.BadRequestError) as second:
        asking.start(thread, assistant)
    busy = f"Thread {thread.id} already has an active run {run.id}."
    assert second.value.body == {"message": busy, "type": "invalid_request_error", "param": None, "code": None}
    with pytest.raises(openai.BadRequestError) as message:
        asking.client.beta.threads.messages.create(thread.id, role="user", content="more")
    locked = f"Can't add messages to {thread.id} while a run {run.id} is active."
    assert message.value.body == {"message": locked, "type": "invalid_request_error", "param": None, "code": None}
    assert asking.ended(asking.start(asking.thread("another"), assistant)).status == "completed"
    model.release.set()
    asking.ended(run)
    asking.client.beta.threads.messages.create(thread.id, role="user", content="more")
    assert asking.ended(asking.start(thread, assistant)).status == "completed"


def test_of_many_runs_created_at_once_a_thread_takes_one(asking: "Service", model: "ScriptedModel") -> None:
    model.play(hold=True)
    thread, assistant = asking.thread("hi"), asking.assistant()
    path = f"/threads/{thread.id}/runs"
    with ThreadPoolExecutor(12) as pool:
        tries = [pool.submit(asking.call, "POST", path, {"assistant_id": assistant.id}) for _ in range(12)]
        statuses = sorted(each.result().status for each in tries)
    assert statuses == [200] + [400] * 11
    assert len(asking.call("GET", path).json["data"]) == 1


def test_runs_beyond_the_limit_wait_in_the_queue(serve: "Serve", model: "ScriptedModel") -> None:
    model.play(hold=True)
    service = serve(model_url=model.url, runs_at_once=1)
    assistant = service.assistant()
    first = service.start(service.thread("one"), assistant)
    service.until(first, "in_progress")
    second = service.start(service.thread("two"), assistant)
    time.sleep(0.1)
    assert service.client.beta.threads.runs.retrieve(second.id, thread_id=second.thread_id).status == "queued"
    model.release.set()
    assert service.ended(second).status == "completed"


def test_a_run_that_takes_too_long_expires_and_frees_its_thread(serve: "Serve", model: "ScriptedModel") -> None:
    model.play(hold_after=True)
    service = serve(model_url=model.url, run_lifetime=3)
    thread, assistant = service.thread("hi"), service.assistant()
    ended = service.ended(service.start(thread, assistant))
    assert (ended.status, ended.completed_at, ended.last_error) == ("expired", None, None)
    assert ended.expires_at == ended.created_at + 3
    cut = service.client.beta.threads.messages.list(thread.id).data[0]
    assert (cut.status, cut.incomplete_details and cut.incomplete_details.reason) == ("incomplete", "run_expired")
    service.client.beta.threads.messages.create(thread.id, role="user", content="again")
    assert service.ended(service.start(thread, assistant)).status == "completed"


def test_a_stream_gives_every_event_in_order_and_ends_with_done(service: "Service") -> None:
    thread = service.thread("hi")
    events = service.events(thread)
    names = [name for name, _ in events]
    deltas = [data for name, data in events if name == "thread.message.delta"]
    closing = ["thread.message.completed", "thread.run.step.completed", "thread.run.completed", "done"]
    assert names == OPENING + WRITING + ["thread.message.delta"] * len(deltas) + closing
    assert len(deltas) > 1
    assert events[-1][1] == "[DONE]"
    parts = [delta["delta"]["content"][0] for delta in deltas]
    assert parts[0]["text"]["annotations"] == []
    assert "".join(part["text"]["value"] for part in parts) == service.texts(thread)[-1][1]


def test_what_a_stream_says_is_what_is_stored(service: "Service") -> None:
    thread = service.thread("hi")
    told = dict(service.events(thread))
    run = told["thread.run.completed"]
    assert service.call("GET", f"/threads/{thread.id}/runs/{run['id']}").json == run
    message = told["thread.message.completed"]
    assert service.call("GET", f"/threads/{thread.id}/messages/{message['id']}").json == message
    step = told["thread.run.step.completed"]
    assert step["step_details"] == {"type": "message_creation", "message_creation": {"message_id": message["id"]}}
    assert [told[f"thread.run.{word}"]["status"] for word in ("created", "queued", "in_progress")] == [
        "queued",
        "queued",
        "in_progress",
    ]


def test_the_event_handler_of_the_sdk_reads_the_stream(service: "Service") -> None:
    thread, assistant = service.thread("hi"), service.assistant()

    class Handler(AssistantEventHandler):
        text = ""

        def on_text_delta(self, delta: Any, snapshot: Any) -> None:  # noqa: ARG002 - the SDK's signature
            self.text += delta.value

    stream = service.client.beta.threads.runs.stream
    with stream(thread_id=thread.id, assistant_id=assistant.id, event_handler=Handler()) as handler:
        handler.until_done()
    assert handler.text == service.texts(thread)[-1][1]
    run = handler.current_run
    assert run is not None
    assert run.status == "completed"


def test_pieces_are_sent_while_the_model_is_still_writing(asking: "Service", model: "ScriptedModel") -> None:
    model.play(hold_after=True)
    lines = _stream(asking)
    assert any(b"thread.message.delta" in line for line in lines)
    model.release.set()
    assert list(lines)[-2] == b"data: [DONE]\n"


def test_a_reader_that_goes_away_does_not_stop_the_run(asking: "Service", model: "ScriptedModel") -> None:
    model.play(hold_after=True)
    lines = _stream(asking)
    assert next(lines).startswith(b"event: thread.run.created")
    assert next(lines) == b"id: 1\n"
    run = json.loads(next(lines).removeprefix(b"data: "))
    lines.close()
    model.release.set()
    ended = asking.ended(asking.client.beta.threads.runs.retrieve(run["id"], thread_id=run["thread_id"]))
    assert ended.status == "completed"
    assert asking.texts(ended)[-1] == ("assistant", "Hello there")


def test_a_failing_run_ends_its_stream_with_the_failure(asking: "Service", model: "ScriptedModel") -> None:
    model.play(status=400, body=b'{"error": {"message": "context too long"}}')
    model.play(finish=None)
    assert [name for name, _ in asking.events(asking.thread("hi"))] == [*OPENING, "thread.run.failed", "done"]
    names = [name for name, _ in asking.events(asking.thread("hi"))]
    closing = ["thread.message.incomplete", "thread.run.step.failed", "thread.run.failed", "done"]
    deltas = ["thread.message.delta"] * names.count("thread.message.delta")
    assert names == OPENING + WRITING + deltas + closing


def test_a_stream_of_a_busy_thread_is_refused_as_an_error_not_as_a_stream(
    asking: "Service", model: "ScriptedModel"
) -> None:
    model.play(hold=True)
    thread, assistant = asking.thread("hi"), asking.assistant()
    asking.start(thread, assistant)
    body = {"assistant_id": assistant.id, "stream": True}
    answer = asking.call("POST", f"/threads/{thread.id}/runs", body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    model.release.set()


def test_many_runs_at_once_each_give_their_own_thread_one_reply(service: "Service") -> None:
    assistant = service.assistant()
    threads = [service.thread(f"number {n}") for n in range(20)]
    with ThreadPoolExecutor(10) as pool:
        runs = list(pool.map(lambda thread: service.start(thread, assistant), threads))
    for number, run in enumerate(runs):
        assert service.ended(run).status == "completed"
        texts = service.texts(run)
        assert len(texts) == 2
        assert texts[1][1].endswith(f"says: number {number}")


def _stream(service: "Service") -> Generator[bytes, None, None]:
    """The lines of a streamed run as they arrive; closing it closes the connection."""
    thread, assistant = service.thread("hi"), service.assistant()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    headers = {"Authorization": f"Bearer {service.key}", "Content-Type": "application/json"}
    body = json.dumps({"assistant_id": assistant.id, "stream": True})
    connection.request("POST", f"/threads/{thread.id}/runs", body, headers)
    response = connection.getresponse()
    try:
        while line := response.readline():
            yield line
    finally:
        response.close()
        connection.close()
