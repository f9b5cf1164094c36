"""With several workers there is one control server: what it changes, every worker does."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.control.conftest import written
from tests.processes import CAPABLY

if TYPE_CHECKING:
    from tests.control.conftest import Process, Serve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers share addresses as Linux does it")

OFTEN = 24
"""Connections that would all reach one of two workers by chance once in eight million times."""
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
AUTHENTICATION = {"type": "digest", "username": "op", "password": "{{TOKEN}}"}


def by_worker(process: "Process", metric: str) -> dict[str, float]:
    """A number of each worker."""
    status, text = process.ask("GET", "control", "/metrics")
    assert status == 200
    found = re.findall(rf'^{metric}{{.*worker="(\d)"}} (\S+)$', text.decode(), re.MULTILINE)
    return {worker: sum(float(value) for each, value in found if each == worker) for worker, _value in found}


def second_worker(process: "Process") -> int:
    """The process of the worker that has no control server."""
    pids = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children").read_text().split()
    return next(int(pid) for pid in pids if b'"number":2' in Path(f"/proc/{pid}/environ").read_bytes())


def order(record: dict[str, Any]) -> tuple[int, int]:
    return record["worker"], record["number"]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_switched_off_is_off_in_every_worker(serve: "Serve") -> None:
    process = serve(None, "--control", "0", "--workers", "2")
    assert {process.ask("POST", "web", "/x")[0] for _ in range(OFTEN)} == {200}
    status, told = process.ask("PUT", "control", "/scripting", {"enabled": False})
    assert (status, json.loads(told)["enabled"]) == (200, False)
    assert {process.ask("POST", "web", "/x")[0] for _ in range(OFTEN)} == {503}
    process.ask("PUT", "control", "/scripting", {"enabled": True})
    assert {process.ask("POST", "web", "/x")[0] for _ in range(OFTEN)} == {200}
    assert process.ask("PUT", "control", "/scripting", {"timeout": 0})[0] == 400


def test_a_reload_is_done_by_every_worker(serve: "Serve") -> None:
    process = serve(None, "--control", "0", "--workers", "2")
    process.document.write_text(written().replace("hello", "goodbye"), encoding="utf-8")
    status, told = process.ask("POST", "control", "/config/reload")
    assert (status, json.loads(told)["status"]) == (200, "applied")
    assert {process.ask("GET", "web", "/x") for _ in range(OFTEN)} == {(200, b'{"a":"goodbye"}')}
    worker = json.loads(process.ask("GET", "control", "/status")[1])["worker"]
    assert worker == {"number": 1, "of": 2}


def test_callers_are_asked_once_whoever_does_the_work(serve: "Serve") -> None:
    process = serve({"management": {"scripting": {}}, "authentication": AUTHENTICATION}, "--workers", "2")
    assert process.ask("PUT", "control", "/scripting", {"enabled": False})[0] == 401
    assert {process.ask("POST", "web", "/x")[0] for _ in range(OFTEN)} == {200}
    command = [str(CAPABLY), "scripting", "--set", "enabled=false", "--control", process.control, "--user", "op"]
    subprocess.run(command, env={**os.environ, "CAPABLY_CONTROL_PASSWORD": "let-me-in"}, check=True)
    assert {process.ask("POST", "web", "/x")[0] for _ in range(OFTEN)} == {503}


def test_what_every_worker_recorded_is_shown_as_one(serve: "Serve") -> None:
    process = serve(None, "--control", "0", "--workers", "2")
    for _ in range(OFTEN):
        assert process.ask("GET", "web", "/x", traceparent=f"00-{TRACE_ID}-b7ad6b7169203331-01")[0] == 200

    counted = by_worker(process, "ikanos_request_duration_seconds_count")
    assert set(counted) == {"1", "2"}, "each has its own series, for a worker that is started again counts from zero"
    assert sum(counted.values()) == OFTEN

    traces = json.loads(process.ask("GET", "control", "/traces?operation=%2Fx")[1])
    assert [(trace["traceId"], trace["spanCount"]) for trace in traces["traces"]] == [(TRACE_ID, OFTEN)]
    assert (traces["bufferUsed"], traces["bufferSize"]) == (1, 200)
    trace = json.loads(process.ask("GET", "control", f"/traces/{TRACE_ID}")[1])
    assert len(trace["spans"]) == OFTEN
    assert process.ask("GET", "control", f"/traces/{'1' * 32}")[0] == 404

    shown = json.loads(process.ask("GET", "control", "/console/pulse.json")[1])
    assert sum(shown["numbers"]["counts"]) == OFTEN
    (listed,) = json.loads(process.ask("GET", "control", "/console/traces.json")[1])["traces"]
    looked_up = json.loads(process.ask("GET", "control", f"/console/traces/{TRACE_ID}.json")[1])
    assert (listed["id"], listed["span_count"], len(looked_up["spans"])) == (TRACE_ID, OFTEN, OFTEN)


def test_the_log_of_every_worker_is_shown_and_followed(serve: "Serve") -> None:
    process = serve(None, "--control", "0", "--workers", "2")
    with process.following("/logs/stream?logger=capably&level=warning") as events:
        time.sleep(1)  # the first worker begins to follow the other one
        assert {process.ask("PUT", "web", "/x")[0] for _ in range(OFTEN)} == {502}
        followed = [next(events) for _ in range(OFTEN)]
    told = json.loads(process.ask("GET", "control", "/logs?level=warning&logger=capably&limit=1000")[1])["records"]

    assert {record["worker"] for record in followed} == {1, 2}
    assert sorted(told, key=order) == sorted(followed, key=order)
    assert [record["timestamp"] for record in told] == sorted(record["timestamp"] for record in told)


def test_a_worker_that_is_gone_is_left_out_until_it_is_back(serve: "Serve") -> None:
    process = serve(None, "--control", "0", "--workers", "2")
    with process.following("/logs/stream?logger=capably.upstream") as events:
        os.kill(second_worker(process), signal.SIGKILL)
        until(lambda: set(by_worker(process, "process_start_time_seconds")) == {"1"})
        until(lambda: set(by_worker(process, "process_start_time_seconds")) == {"1", "2"})
        time.sleep(1.5)  # it is followed again a second after it was lost
        assert {process.ask("PUT", "web", "/x")[0] for _ in range(OFTEN)} == {502}
        assert {next(events)["worker"] for _ in range(OFTEN)} == {1, 2}
