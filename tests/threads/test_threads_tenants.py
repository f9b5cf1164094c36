import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from capably.threads.database import locate
from capably.threads.keys import create_key
from capably.threads.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.threads.conftest import Serve, Service


@pytest.fixture
def other(service: "Service", make_service: "Callable[..., Service]") -> "Service":
    """The same service, with a key of another tenant."""
    key = asyncio.run(create_key(locate(service.data, None), "other", "another"))
    return make_service(service.port, key, service.data, service.client.with_options(api_key=key))


def test_a_tenant_finds_nothing_of_another(service: "Service", other: "Service") -> None:
    thread, assistant = service.thread("secret"), service.assistant()
    run = service.ended(service.start(thread, assistant))
    message = service.client.beta.threads.messages.list(thread.id).data[0]
    step = service.client.beta.threads.runs.steps.list(run.id, thread_id=thread.id).data[0]
    base = f"/threads/{thread.id}"
    reads = ["", "/messages", f"/messages/{message.id}", "/runs", f"/runs/{run.id}", f"/runs/{run.id}/events"]
    reads += [f"/runs/{run.id}/steps", f"/runs/{run.id}/steps/{step.id}"]
    for path in [*(base + rest for rest in reads), f"/assistants/{assistant.id}"]:
        assert other.call("GET", path).status == 404, path
    for path in (base, f"/assistants/{assistant.id}", f"{base}/messages/{message.id}"):
        assert other.call("DELETE", path).status == 404
        assert other.call("POST", path, {"metadata": {}}).status == 404
    for path in ("cancel", "submit_tool_outputs"):
        assert other.call("POST", f"{base}/runs/{run.id}/{path}", {"tool_outputs": []}).status == 404
    assert other.call("POST", f"{base}/messages", {"role": "user", "content": "x"}).status == 404
    for path in ("/threads", "/assistants"):
        listed = [item["id"] for item in other.call("GET", f"{path}?limit=100").json["data"]]
        assert not {thread.id, assistant.id} & set(listed)
    own = other.call("POST", "/threads", {"messages": [{"role": "user", "content": "hi"}]}).json
    body = {"assistant_id": assistant.id}
    assert other.call("POST", f"/threads/{own['id']}/runs", body).status == 404
    assert service.call("GET", base).status == 200


def test_keys_of_one_tenant_see_the_same(other: "Service", service: "Service") -> None:
    thread = other.call("POST", "/threads", {}).json
    key = asyncio.run(create_key(locate(service.data, None), "second", "another"))
    second = {"Authorization": f"Bearer {key}"}
    assert other.call("GET", f"/threads/{thread['id']}", headers=second).status == 200


def test_a_key_that_asks_too_often_is_told_when_to_come_back(serve: "Serve") -> None:
    service = serve(rate=3)
    answers = [service.call("GET", "/assistants") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    error = answers[3].json["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20
    assert service.call("GET", "/health").status == 200
    mine = asyncio.run(create_key(locate(service.data, None)))
    assert service.call("GET", "/assistants", headers={"Authorization": f"Bearer {mine}"}).status == 200


def test_the_allowance_of_a_key_grows_back_evenly() -> None:
    now = 0.0
    rates = Rates(60, lambda: now)
    assert [rates.take("a") for _ in range(60)] == [0.0] * 60
    assert rates.take("a") == pytest.approx(1.0)
    now = 2.0
    assert [rates.take("a") > 0 for _ in range(3)] == [False, False, True]
    assert rates.take("b") == 0


AIMLAPI: dict[str, Any] = {"dialect": "aimlapi"}


def test_the_dialect_of_aimlapi_says_201_uuids_bare_lists_and_its_own_errors(serve: "Serve") -> None:
    service = serve(**AIMLAPI)
    assistant = service.call("POST", "/assistants", {"model": "m"})
    thread = service.call("POST", "/threads", {"messages": [{"role": "user", "content": "hi"}]})
    run = service.call("POST", f"/threads/{thread.json['id']}/runs", {"assistant_id": assistant.json["id"]})
    assert [answer.status for answer in (assistant, thread, run)] == [201, 201, 201]
    identity = run.json["id"]
    assert [len(part) for part in identity.split("-")] == [8, 4, 4, 4, 12]
    path = f"/v1/threads/{thread.json['id']}/runs"
    deadline = time.monotonic() + 10
    while service.call("GET", f"{path}/{identity}").json["status"] != "completed":
        assert time.monotonic() < deadline
    listed = service.call("GET", path)
    assert (listed.status, [item["id"] for item in listed.json]) == (200, [identity])
    message = service.call("GET", f"/threads/{thread.json['id']}/messages").json["data"][0]
    assert "-" in message["id"]
    missing = service.call("GET", f"{path}/none")
    assert missing.status == 404
    assert missing.json.keys() == {"message", "path", "requestId", "statusCode", "timestamp"}
    assert (missing.json["path"], missing.json["statusCode"]) == (f"{path}/none", 404)
    assert missing.json["requestId"] == missing.headers["x-request-id"]
    streamed = service.call("POST", path, {"assistant_id": assistant.json["id"], "stream": True})
    assert streamed.status == 201
    assert streamed.body.endswith(b"data: [DONE]\n\n")
