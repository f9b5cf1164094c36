import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import OpenAI
from tests.processes import CAPABLY

if TYPE_CHECKING:
    from tests.threads.conftest import ScriptedModel, Serve, Service

COMMAND = [sys.executable, "-c", "from capably.cli.threads import threads; threads()", "serve", "--port", "0"]


class Process:
    """`capably threads serve` as a process of its own."""

    def __init__(self, data: Path, *options: str, **environment: str) -> None:
        command = [*COMMAND, "--data", str(data), *options]
        self.stderr = ""
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )
        self.port = self._port()

    def _port(self) -> int:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.stderr += line
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/v1", line):
                return int(found.group(1))
        raise AssertionError(f"the service did not start: {self.stderr}")

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def stop(self, signum: int) -> tuple[int, str, str]:
        """Exit code, stdout and stderr after a signal."""
        self._process.send_signal(signum)
        out, err = self._process.communicate(timeout=20)
        return self._process.returncode, out, self.stderr + err


Start = Callable[..., tuple[Process, "Service"]]


@pytest.fixture
def start(tmp_path: Path, key: str, make_service: Callable[..., "Service"]) -> Iterator[Start]:
    """Starts processes on the data directory of the test."""
    data = tmp_path / "data"
    with contextlib.ExitStack() as stack:

        def begin(*options: str, **environment: str) -> tuple[Process, "Service"]:
            process = Process(data, *options, **environment)
            stack.callback(process.kill)
            client = stack.enter_context(
                OpenAI(base_url=f"http://127.0.0.1:{process.port}/v1", api_key=key, max_retries=5)
            )
            service = make_service(process.port, key, data, client)
            _wait_until_it_answers(service)
            return process, service

        yield begin


def _wait_until_it_answers(service: "Service") -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            service.call("GET", "/health")
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def test_a_run_cut_off_by_a_kill_is_finished_after_the_restart_with_one_reply(
    start: Start, serve: "Serve", model: "ScriptedModel"
) -> None:
    model.play(hold_after=True, pieces=("Half an ans",))
    process, service = start("--model-url", model.url)
    run = service.start(service.thread("hi"))
    service.until(run, "in_progress")
    while not model.requests:
        time.sleep(0.01)
    process.kill()
    service = serve(model_url=model.url)
    ended = service.ended(run)
    assert ended.status == "completed"
    assert ended.started_at is not None
    assert service.texts(run) == [("user", "hi"), ("assistant", "Hello there")]
    assert len(model.requests) == 2
    assert service.ended(service.start(service.thread("again"), service.assistant())).status == "completed"


def test_nothing_that_was_answered_is_lost_by_kills(start: Start, serve: "Serve") -> None:
    answered: dict[str, Any] = {}
    runs = []
    for _ in range(2):
        process, service = start()
        assistant = service.assistant().id
        for number in range(6):
            thread = service.call("POST", "/threads", {"messages": [{"role": "user", "content": str(number)}]}).json
            answered[f"/threads/{thread['id']}"] = thread
            run = service.call("POST", f"/threads/{thread['id']}/runs", {"assistant_id": assistant}).json
            runs.append(run)
        process.kill()
    service = serve()
    for path, thread in answered.items():
        assert service.call("GET", path).json == thread
    for run in runs:
        path = f"/threads/{run['thread_id']}"
        deadline = time.monotonic() + 10
        while service.call("GET", f"{path}/runs/{run['id']}").json["status"] != "completed":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        roles = [message["role"] for message in service.call("GET", f"{path}/messages?order=asc").json["data"]]
        assert roles == ["user", "assistant"]


def test_a_stop_finishes_what_can_be_finished_and_is_a_success(
    start: Start, serve: "Serve", model: "ScriptedModel"
) -> None:
    model.play(hold_after=True)
    options = ("--model-url", model.url, "--model-key-env", "MY_MODEL_KEY")
    process, service = start(*options, MY_MODEL_KEY="sk-mine")
    run = service.start(service.thread("hi"))
    service.until(run, "in_progress")
    threading.Timer(0.5, model.release.set).start()
    code, out, err = process.stop(signal.SIGINT)
    assert (code, out) == (0, "")
    assert "Traceback" not in err
    service = serve()
    assert service.client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status == "completed"
    assert [headers["authorization"] for headers, _ in model.requests] == ["Bearer sk-mine"]


def test_a_run_that_outlives_the_stop_is_finished_later_even_if_somebody_watches_it(
    start: Start, serve: "Serve", model: "ScriptedModel"
) -> None:
    model.play(hold_after=True)
    process, service = start("--model-url", model.url)
    thread, assistant = service.thread("hi"), service.assistant()
    with service.client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id, stream=True) as stream:
        events = iter(stream)
        created = next(events)
        code, _, err = process.stop(signal.SIGTERM)
        with pytest.raises(openai.APIError, match="goes on later"):
            list(events)
    assert code == 0
    assert "Traceback" not in err
    service = serve(model_url=model.url)
    assert created.event == "thread.run.created"
    assert service.ended(created.data).status == "completed"
    assert service.texts(thread) == [("user", "hi"), ("assistant", "Hello there")]


def test_a_second_service_on_the_same_directory_or_port_is_refused(serve: "Serve") -> None:
    service = serve()
    for options, says, helps in (
        (["--port", "0", "--data", str(service.data)], "another threads service is using the directory", "--data"),
        (["--port", str(service.port), "--data", "other"], "Address already in use", "--port"),
    ):
        command = [str(CAPABLY), "threads", "serve", *options]
        refused = subprocess.run(command, cwd=service.data, capture_output=True, text=True, timeout=30, check=False)
        assert refused.returncode == 1
        assert says in refused.stderr
        assert helps in refused.stderr
