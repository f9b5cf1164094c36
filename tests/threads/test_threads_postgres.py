"""The same service on PostgreSQL, shared by processes."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.threads.conftest import Postgres, ScriptedModel, Service, Victim


@pytest.fixture
def pair(killed: "Callable[..., Victim]", postgres: "Postgres", model: "ScriptedModel") -> "tuple[Service, Service]":
    """Two services on one new database, started at once."""
    url = postgres.database()
    key = postgres.key(url)
    with ThreadPoolExecutor(2) as pool:
        started = [pool.submit(killed, model_url=model.url, database=url, key=key) for _ in range(2)]
        first, second = (each.result() for each in started)
    return first.service, second.service


def test_what_one_process_keeps_the_other_reads_and_each_run_is_executed_once(
    pair: "tuple[Service, Service]", model: "ScriptedModel"
) -> None:
    first, second = pair
    assistant = first.assistant()
    threads = [first.thread(str(number)) for number in range(20)]
    with ThreadPoolExecutor(10) as pool:
        runs = list(pool.map(lambda thread: first.start(thread, assistant), threads))
    for run in runs:
        assert second.ended(run).status == "completed"
        assert len(second.texts(run)) == 2
    assert len(model.requests) == 20


def test_a_stream_of_one_process_tells_what_the_other_executes(
    pair: "tuple[Service, Service]", model: "ScriptedModel"
) -> None:
    model.decide = lambda _body: {"pieces": tuple("abcdefgh"), "pause": 0.05}
    assistant = pair[0].assistant()
    for number in range(4):
        events = pair[number % 2].events(pair[0].thread(str(number)), assistant)
        deltas = [data["delta"]["content"][0]["text"]["value"] for name, data in events if name.endswith(".delta")]
        assert "".join(deltas) == "abcdefgh"
        assert len(deltas) > 1, "told while it was said"
        assert [name for name, _ in events][-2:] == ["thread.run.completed", "done"]


def test_a_run_is_cancelled_through_another_process(pair: "tuple[Service, Service]", model: "ScriptedModel") -> None:
    model.play(hold_after=True)
    first, second = pair
    run = first.start(first.thread("hi"))
    first.until_said(run)
    second.client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    assert first.ended(run).status == "cancelled"


def test_of_runs_created_at_once_through_two_processes_a_thread_takes_one(
    pair: "tuple[Service, Service]", model: "ScriptedModel"
) -> None:
    model.play(hold=True)
    thread, assistant = pair[0].thread("hi"), pair[0].assistant()
    barrier = threading.Barrier(8)

    def create(number: int) -> int:
        barrier.wait()
        path = f"/threads/{thread.id}/runs"
        return pair[number % 2].call("POST", path, {"assistant_id": assistant.id}).status

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == [200] + [400] * 7
    model.release.set()


def test_lists_errors_and_deletes_are_those_of_sqlite(pair: "tuple[Service, Service]") -> None:
    service = pair[0]
    thread = service.thread("one", "two", "three")
    found: Any = service.call("GET", f"/threads/{thread.id}/messages?order=asc&limit=2").json
    assert [message["content"][0]["text"]["value"] for message in found["data"]] == ["one", "two"]
    assert found["has_more"]
    rest = service.call("GET", f"/threads/{thread.id}/messages?order=asc&after={found['last_id']}").json
    assert [message["content"][0]["text"]["value"] for message in rest["data"]] == ["three"]
    odd = {"metadata": {"k": 'quote " and ✓'}}
    assert service.call("POST", f"/threads/{thread.id}", odd).json["metadata"] == odd["metadata"]
    assert service.call("DELETE", f"/threads/{thread.id}").json["deleted"] is True
    assert json.loads(service.call("GET", f"/threads/{thread.id}").body)["error"]["message"].startswith("No thread")
