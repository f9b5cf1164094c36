"""With several workers there is one control server: what it changes, every worker does."""

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.control.conftest import CAPABLY, written

if TYPE_CHECKING:
    from tests.control.conftest import Serve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers share addresses as Linux does it")

OFTEN = 24
"""Connections that would all reach one of two workers by chance once in eight million times."""
AUTHENTICATION = {"type": "digest", "username": "op", "password": "{{TOKEN}}"}


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
