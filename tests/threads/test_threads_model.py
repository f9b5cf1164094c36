import socket
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from capably.threads.settings import ModelSettings, ThreadsSettings

if TYPE_CHECKING:
    from openai.types.beta.threads import Run
    from tests.threads.conftest import ScriptedModel, Serve, Service

KEY = "sk-secret-of-the-endpoint"


def _ended(service: "Service", **fields: Any) -> "Run":
    return service.ended(service.start(service.thread("hi"), **fields))


def test_the_endpoint_is_sent_the_conversation_and_the_options(asking: "Service", model: "ScriptedModel") -> None:
    assistant = asking.assistant(instructions="Be brief.", temperature=0.5)
    thread = asking.thread("hi")
    asking.ended(asking.start(thread, assistant))
    words, address = {"type": "text", "text": "and this?"}, {"url": "http://127.0.0.1/i.png"}
    content = [words, {"type": "image_url", "image_url": address}]
    asking.call("POST", f"/threads/{thread.id}/messages", {"role": "user", "content": content})
    asking.ended(asking.start(thread, assistant, max_completion_tokens=300, response_format={"type": "json_object"}))
    assert model.paths == ["/v1/chat/completions"] * 2
    headers, body = model.requests[1]
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body.pop("messages") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello there"},
        {
            "role": "user",
            "content": [words, {"type": "image_url", "image_url": address | {"detail": "auto"}}],
        },
    ]
    assert body == {
        "model": "test-model",
        "temperature": 0.5,
        "max_completion_tokens": 300,
        "response_format": {"type": "json_object"},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_without_a_key_none_is_sent_and_a_set_model_wins(serve: "Serve", model: "ScriptedModel") -> None:
    service = serve(model_url=model.url, model="local-model")
    assert _ended(service).model == "test-model"
    headers, body = model.requests[0]
    assert "authorization" not in headers
    assert body["model"] == "local-model"


def test_an_endpoint_that_does_not_stream_is_read_too(asking: "Service", model: "ScriptedModel") -> None:
    model.play(
        body=b'{"choices": [{"message": {"role": "assistant", "content": "All at once"}, "finish_reason": "stop"}],'
        b' "usage": {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}}'
    )
    run = _ended(asking)
    assert asking.texts(run)[-1] == ("assistant", "All at once")
    assert run.usage is not None
    assert run.usage.total_tokens == 4


@pytest.mark.parametrize("header", ["0", formatdate(usegmt=True)])
def test_a_busy_endpoint_is_asked_again_when_it_says(asking: "Service", model: "ScriptedModel", header: str) -> None:
    model.play(status=429, headers={"Retry-After": header}, body=b"{}")
    started = time.monotonic()
    assert _ended(asking).status == "completed"
    assert time.monotonic() - started < 5
    assert len(model.requests) == 2


def test_an_endpoint_that_asks_for_a_long_pause_is_not_waited_for(asking: "Service", model: "ScriptedModel") -> None:
    model.play(status=429, headers={"Retry-After": "3600"}, body=b'{"error": {"message": "slow down"}}')
    error = _ended(asking).last_error
    assert error is not None
    assert (error.code, len(model.requests)) == ("rate_limit_exceeded", 1)
    assert error.message.endswith("it answers 429: slow down")


def test_a_broken_endpoint_is_asked_three_times(asking: "Service", model: "ScriptedModel") -> None:
    for _ in range(3):
        model.play(status=503, body=b"<h1>down</h1>")
    run = _ended(asking)
    assert (run.status, run.completed_at, run.expires_at) == ("failed", None, None)
    assert run.failed_at is not None
    assert run.last_error is not None
    assert run.last_error.code == "server_error"
    assert run.last_error.message == (
        f"The model endpoint {model.url.removesuffix('/v1')} gave no reply: it answers 503: <h1>down</h1>"
    )
    assert len(model.requests) == 3


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"status": 400, "body": b'{"error": {"message": "too many tokens"}}'}, "invalid_prompt", "400: too many tokens"),
    ({"status": 422, "body": b'{"message": "bad role"}'}, "invalid_prompt", "422: bad role"),
    ({"status": 404, "body": b'{"error": "no such model"}'}, "server_error", "404: no such model"),
    (
        {"status": 401, "body": f'{{"error": "bad key {KEY}"}}'.encode()},
        "server_error",
        "environment variable OPENAI_API_KEY",
    ),
    ({"status": 418, "body": f"your key {KEY} is odd".encode()}, "server_error", "418: your key [key] is odd"),
    ({"status": 302, "headers": {"Location": "/elsewhere"}, "body": b""}, "server_error", "redirects elsewhere (302)"),
    ({"body": b"certainly!"}, "server_error", "not a chat completion"),
    ({"body": b'{"error": {"message": "overloaded"}}'}, "server_error", "overloaded"),
    ({"pieces": ("Hel",), "finish": None}, "server_error", "its answer broke off"),
    ({"pieces": ("x" * 2**21,)}, "server_error", "more than 1 MiB"),
    ({"pieces": ("x" * 2**18,)}, "server_error", "longer than a message may be"),
    ({"pieces": ()}, "server_error", "without any text"),
    ({"finish": "content_filter"}, "server_error", "content filter"),
]


@pytest.mark.parametrize(("act", "code", "says"), REFUSALS, ids=[says.replace(" ", "-") for _, _, says in REFUSALS])
def test_a_run_without_a_whole_reply_fails_and_says_why_but_never_the_key(
    asking: "Service", model: "ScriptedModel", act: dict[str, Any], code: str, says: str
) -> None:
    model.play(**act)
    run = _ended(asking)
    assert run.status == "failed"
    assert run.last_error is not None
    assert run.last_error.code == code
    assert says in run.last_error.message
    assert KEY not in run.model_dump_json()
    assert len(model.requests) == 1


def test_a_silent_endpoint_is_given_up(serve: "Serve", model: "ScriptedModel") -> None:
    model.play(hold=True)
    error = _ended(serve(model_url=model.url, model_timeout=0.3)).last_error
    assert error is not None
    assert (error.code, "no answer for 0.3 seconds" in error.message) == ("server_error", True)


def test_an_endpoint_that_is_not_there_is_named_without_its_password(serve: "Serve") -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = _ended(serve(model_url=f"http://user:hunter2@127.0.0.1:{port}/v1")).last_error
    assert error is not None
    assert error.message.startswith(f"The model endpoint http://127.0.0.1:{port} gave no reply: it cannot be reached")
    assert "hunter2" not in error.message


def test_a_reply_cut_at_the_token_limit_is_kept_as_incomplete(asking: "Service", model: "ScriptedModel") -> None:
    model.play(finish="length", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3})
    run = _ended(asking)
    assert run.incomplete_details is not None
    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_completion_tokens")
    reply = asking.client.beta.threads.messages.list(run.thread_id).data[0]
    assert reply.incomplete_details is not None
    assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_tokens")


def test_a_reply_that_broke_off_is_not_shown_to_the_model_again(asking: "Service", model: "ScriptedModel") -> None:
    model.play(finish=None)
    thread, assistant = asking.thread("hi"), asking.assistant()
    assert asking.ended(asking.start(thread, assistant)).status == "failed"
    assert asking.texts(thread)[-1] == ("assistant", "Hello there")
    asking.ended(asking.start(thread, assistant))
    assert model.requests[1][1]["messages"] == [{"role": "user", "content": "hi"}]


def test_the_key_is_not_in_the_settings_as_printed(asking: "Service", model: "ScriptedModel") -> None:
    assert KEY not in repr(ThreadsSettings(asking.data, models=(ModelSettings("*", "http://127.0.0.1", key=KEY),)))
    assert KEY not in asking.call("GET", "/").body.decode()
