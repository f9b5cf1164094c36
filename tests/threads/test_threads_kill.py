"""Killed at any point, a run ends as if nothing had happened."""

import contextlib
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.threads.conftest import Postgres, ScriptedModel, Service, Victim

KILLS = 8
RUNS = 10
LOOK_UP: Any = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def _check(service: "Service", runs: list[Any]) -> None:
    """Every run has ended as one that nobody disturbed."""
    deadline = time.monotonic() + 60
    for run in runs:
        path = f"/threads/{run['thread_id']}"
        while (found := service.call("GET", f"{path}/runs/{run['id']}").json)["status"] != "completed":
            assert found["status"] in ("queued", "in_progress", "requires_action"), found
            assert time.monotonic() < deadline, found
            if found["status"] == "requires_action":
                _answer(service, found)
            time.sleep(0.05)
        said = service.call("GET", f"{path}/messages?order=asc").json["data"]
        texts = ["".join(part["text"]["value"] for part in message["content"]) for message in said]
        assert texts == ["hi", "Hello there"], texts
        assert [message["status"] for message in said] == ["completed"] * 2
        _check_log(service.parsed(service.call("GET", f"{path}/runs/{run['id']}/events").body))
        steps = service.call("GET", f"{path}/runs/{run['id']}/steps").json["data"]
        assert [(step["type"], step["status"]) for step in steps] == [
            ("message_creation", "completed"),
            ("tool_calls", "completed"),
        ]


def _check_log(log: list[tuple[int, str, Any]]) -> None:
    numbers = [number for number, _, _ in log[:-1]]
    assert numbers == sorted(set(numbers))
    names = [name for _, name, _ in log]
    for once in ("run.created", "run.requires_action", "run.completed", "message.created", "message.completed"):
        assert names.count(f"thread.{once}") == 1, (once, names)
    deltas = [data for _, name, data in log if name == "thread.message.delta"]
    assert "".join(delta["delta"]["content"][0]["text"]["value"] for delta in deltas) == "Hello there"


def _answer(service: "Service", run: Any) -> None:
    outputs = [
        {"tool_call_id": call["id"], "output": "x"}
        for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]
    ]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    service.call("POST", path, {"tool_outputs": outputs})


def _by_what_was_said(body: Any) -> dict[str, Any]:
    """The scripted model: calls a function first, then says hello, however often it is asked."""
    if body["messages"][-1]["role"] == "tool":
        return {"pieces": ("Hel", "lo", " the", "re"), "pause": 0.03}
    return {"pieces": (), "calls": (("call_1", "look_up", "{}"),), "finish": "tool_calls", "pause": 0.03}


def _kill_again_and_again(victim: "Victim", assistant: str, seed: int) -> list[Any]:
    chance = random.Random(seed)  # noqa: S311 - not a secret
    runs: list[Any] = []
    for _ in range(KILLS):
        with contextlib.suppress(OSError):
            for _ in range(RUNS // 5):
                body = {"assistant_id": assistant, "thread": {"messages": [{"role": "user", "content": "hi"}]}}
                runs.append(victim.service.call("POST", "/threads/runs", body).json)
                time.sleep(chance.random() * 0.1)
            for run in runs:
                found = victim.service.call("GET", f"/threads/{run['thread_id']}/runs/{run['id']}").json
                if found["status"] == "requires_action":
                    _answer(victim.service, found)
        time.sleep(chance.random() * 0.3)
        victim.kill()
        victim.start()
    return runs


@pytest.mark.timeout(180)
def test_a_service_killed_again_and_again_finishes_every_run_once(
    killed: Callable[..., "Victim"], model: "ScriptedModel"
) -> None:
    model.decide = _by_what_was_said
    victim = killed(model_url=model.url)
    assistant = victim.service.call("POST", "/assistants", {"model": "m", "tools": [LOOK_UP]}).json["id"]
    runs = _kill_again_and_again(victim, assistant, seed=1)
    _check(victim.service, runs)


@pytest.mark.timeout(240)
def test_on_postgresql_the_others_finish_what_a_killed_process_has_begun(
    killed: Callable[..., "Victim"], model: "ScriptedModel", postgres: "Postgres"
) -> None:
    model.decide = _by_what_was_said
    url = postgres.database()
    key = postgres.key(url)
    survivor = killed(model_url=model.url, database=url, key=key)
    victim = killed(model_url=model.url, database=url, key=key)
    assistant = survivor.service.call("POST", "/assistants", {"model": "m", "tools": [LOOK_UP]}).json["id"]
    runs = _kill_again_and_again(victim, assistant, seed=2)
    victim.kill()
    _check(survivor.service, runs)
