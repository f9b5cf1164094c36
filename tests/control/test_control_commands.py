"""Commands that show and steer a running process, against `capably serve` as its own process."""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.control.conftest import ENVIRON, Serve, written
from tests.processes import CAPABLY

from capably.cli.main import main

MANAGEMENT = {
    "info": True,
    "reload": True,
    "validate": True,
    "logs": {"stream": True},
    "scripting": {},
    "config": True,
}


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ran]:
    """Runs a command in an empty folder, without anything in the environment that names a control server."""
    for name in tuple(os.environ):
        if name.startswith(("CAPABLY_CONTROL", "IKANOS_", "NAFTIKO_")):
            monkeypatch.delenv(name)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    def running(*arguments: str) -> Ran:
        capsys.readouterr()
        try:
            main(arguments)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return running


Run: TypeAlias = Callable[..., Ran]


def test_health_status_and_metrics_of_a_running_process(serve: Serve, run: Run) -> None:
    process = serve({"management": MANAGEMENT})
    at = ("--control", process.control)
    ran = run("health", *at)
    assert (ran.code, ran.out) == (0, "Liveness:  UP\nReadiness: UP (1/1 adapters started)\n")
    ran = run("status", *at)
    lines = ran.out.splitlines()
    assert lines[0] == "Fleet: UP"
    assert re.fullmatch(r"Uptime: +[0-9.]+s", lines[2])
    assert lines[3] == "Generation: 1"
    assert [line.split() for line in lines[-2:]] == [
        ["web", "rest", process.urls["web"], "started"],
        ["control", "control", process.control, "started"],
    ]
    assert json.loads(run("status", "--json", *at).out)["capability"]["display"] == "Fleet"
    assert process.hello == {"a": "hello"}
    ran = run("metrics", "--filter", "IKANOS_request_total", *at)
    assert [line for line in ran.out.splitlines() if not line.startswith("#")] != []
    samples = json.loads(run("metrics", "--filter", "^ikanos_request_total", "--json", *at).out)
    assert [(item["name"], item["value"]) for item in samples] == [("ikanos_request_total", 1.0)]
    assert run("metrics", "--filter", "(", *at).code == 2


def test_traces_are_listed_and_shown_as_a_tree(serve: Serve, run: Run) -> None:
    process = serve({"management": MANAGEMENT})
    at = ("--control", process.control)
    assert run("traces", *at).out == "No traces found.\n"
    assert process.hello == {"a": "hello"}
    lines = run("traces", "--operation", "/x", "--status", "ok", *at).out.splitlines()
    assert lines[0].split() == ["TRACE", "ID", "OPERATION", "DURATION", "STATUS", "SPANS", "TIME"]
    trace = lines[1].split()[0]
    tree = run("traces", trace, *at).out.splitlines()
    assert tree[0].startswith(f"{trace}  /x GET")
    assert tree[1].startswith("└── rest.request [SERVER]")
    ran = run("traces", "0" * 32, *at)
    assert (ran.code, "is kept: the last 100 are" in ran.err) == (1, True)


def test_scripts_are_switched_from_the_command_line(serve: Serve, run: Run) -> None:
    at = ("--control", serve({"management": MANAGEMENT}).control)
    assert run("scripting", *at).out.startswith("Scripting:   ENABLED\n")
    ran = run("scripting", "--set", "enabled=false", "--set", "allowedLanguages=python", *at)
    assert (ran.code, ran.err) == (0, "✓ scripting was updated\n")
    assert ran.out.startswith("Scripting:   DISABLED\n")
    assert "Allowed:     python\n" in ran.out
    ran = run("scripting", "--set", "timout=1", *at)
    assert (ran.code, ran.out) == (1, "")
    assert "`timout` cannot be changed: did you mean `timeout`?" in ran.err


def test_levels_are_changed_and_taken_back_from_the_command_line(serve: Serve, run: Run) -> None:
    at = ("--control", serve({"management": MANAGEMENT}).control)
    ran = run("logs", "--level", "capably=debug", "--for", "5m", *at)
    assert re.fullmatch(r"✓ capably logs debug until \S+Z\n", ran.err)
    assert "capably debug" in run("logs", *at).err
    assert run("logs", "--reset", "capably", *at).err == "✓ capably logs warning\n"
    ran = run("logs", "--level", "capably=loud", *at)
    assert (ran.code, "`loud` is no level" in ran.err) == (1, True)


def test_the_log_is_followed_until_it_is_stopped(serve: Serve, tmp_path: Path) -> None:
    process = serve({"management": MANAGEMENT})
    printed = tmp_path / "followed"
    with printed.open("wb") as out:
        command = [str(CAPABLY), "logs", "--follow", "--control", process.control]
        follower = subprocess.Popen(command, stdout=out)
    deadline = time.monotonic() + 30
    for port in itertools.cycle((1, 2)):  # the log says each time that the control server does not move
        process.document.write_text(written({"port": port, "management": MANAGEMENT}), encoding="utf-8")
        process.ask("POST", "control", "/config/reload")
        if "the control server stays at" in printed.read_text():
            break
        assert time.monotonic() < deadline, printed.read_text()
        time.sleep(0.1)
    follower.send_signal(signal.SIGINT)
    assert follower.wait(20) == 0
    assert "WARNING  capably.control: the control server stays at" in printed.read_text()


def test_documents_are_reloaded_from_the_command_line(serve: Serve, run: Run) -> None:
    process = serve({"management": MANAGEMENT})
    at = ("--control", process.control)
    assert run("reload", *at).out == "✓ unchanged (generation 1)\n"
    process.document.write_text(written({"management": MANAGEMENT}).replace("hello", "goodbye"), encoding="utf-8")
    assert run("reload", "--check", *at).out.startswith("✓ valid (generation 1)\n  ")
    assert run("reload", *at).out.startswith("✓ applied (generation 2)\n  ")
    assert process.hello == {"a": "goodbye"}
    process.document.write_text("ikanos: [\n", encoding="utf-8")
    ran = run("reload", *at)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == "✗ rejected (generation 2): the document cannot be served"
    assert any(line.startswith(f"  {process.document}:2:1: error DOC002: ") for line in lines)
    assert "the last reload was rejected" in run("health", *at).out
    assert process.hello == {"a": "goodbye"}


def test_a_process_without_a_declared_control_server_gets_one(serve: Serve, run: Run) -> None:
    process = serve(None, "--control", "0")
    assert run("health", "--control", process.control).code == 0
    shown = re.findall(r"^control +control +\S+ +(.*)$", process.stderr, re.MULTILINE)
    assert shown == ["console, health, status, metrics, traces, logs, scripting, config"]


@pytest.mark.parametrize(
    "case",
    [
        ({"type": "bearer", "token": "{{TOKEN}}"}, ("--token", "let-me-in"), {}),
        ({"type": "bearer", "token": "{{TOKEN}}"}, ("--token", "@{file}"), {}),
        ({"type": "bearer", "token": "{{TOKEN}}"}, (), {"CAPABLY_CONTROL_TOKEN": "let-me-in"}),
        ({"type": "bearer", "token": "{{TOKEN}}"}, ("--control", "{document}"), ENVIRON),
        ({"type": "basic", "username": "op", "password": "{{TOKEN}}"}, ("--user", "op:@{file}"), {}),
        (
            {"type": "digest", "username": "op", "password": "{{TOKEN}}"},
            ("--user", "op"),
            {"CAPABLY_CONTROL_PASSWORD": "let-me-in"},
        ),
        ({"type": "digest", "username": "op", "password": "{{TOKEN}}"}, ("--control", "{document}"), ENVIRON),
        ({"type": "apikey", "key": "X-Key", "value": "{{TOKEN}}"}, ("--header", "X-Key: let-me-in"), {}),
        (
            {"type": "apikey", "key": "k", "value": "{{TOKEN}}", "placement": "query"},
            ("--control", "{document}"),
            ENVIRON,
        ),
    ],
)
def test_whoever_has_the_secret_is_let_in(
    serve: Serve,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[dict[str, str], tuple[str, ...], dict[str, str]],
) -> None:
    authentication, arguments, environ = case
    port = free_port()
    process = serve({"port": port, "authentication": authentication, "management": MANAGEMENT})
    secret = tmp_path / "secret"
    secret.write_text("let-me-in\n", encoding="utf-8")
    if authentication["type"] == "bearer" and not environ:
        refused = run("scripting", "--control", process.control)
        assert (refused.code, f"{process.control} asks who you are" in refused.err) == (1, True)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    given = [item.format(file=secret, document=process.document) for item in arguments]
    at = [] if "--control" in given else ["--control", process.control]
    ran = run("scripting", *given, *at)
    assert (ran.code, ran.err) == (0, "")
    assert run("scripting", "--set", "timeout=5", *given, *at).code == 0
    assert "let-me-in" not in ran.out + ran.err


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_a_document_here_names_the_control_server_and_the_environment_beats_it(
    serve: Serve, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = serve({"port": free_port(), "management": MANAGEMENT})
    monkeypatch.chdir(process.document.parent)
    assert run("health").code == 0
    monkeypatch.setenv("CAPABLY_CONTROL", "127.0.0.1:1")
    ran = run("health")
    assert ran.code == 1
    assert "no control server answers at http://127.0.0.1:1 (CAPABLY_CONTROL): Connection refused" in ran.err
    assert run("health", "--control", process.control.rpartition(":")[2]).code == 0
    monkeypatch.delenv("CAPABLY_CONTROL")
    monkeypatch.setenv("IKANOS_CONTROL_PORT", "1")
    assert "(IKANOS_CONTROL_PORT and IKANOS_CONTROL_ADDRESS)" in run("health").err


def test_where_nothing_is_served_it_is_told_what_to_do(run: Run) -> None:
    ran = run("status", "--control", "127.0.0.1:1")
    assert (ran.code, ran.out) == (1, "")
    assert "error: no control server answers at http://127.0.0.1:1 (--control): Connection refused" in ran.err
    assert "serve with one: `capably serve FILE --control 9090`" in ran.err


@pytest.mark.parametrize("place", ["here", "127.0.0.1:", ":9090", "1.2.3.4:many"])
def test_a_place_that_is_none_is_told(run: Run, place: str) -> None:
    ran = run("health", "--control", place)
    assert (ran.code, f"--control: {place} is no address of a control server" in ran.err) == (2, True)


def test_what_the_document_does_not_allow_is_told_with_what_to_write(serve: Serve, run: Run) -> None:
    process = serve({})
    ran = run("status", "--control", process.control)
    assert ran.code == 1
    assert "the document does not allow /status: set `management.info` of its control server" in ran.err
    assert "`- {type: control, port: 9090, management: {...}}`" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--control", "x"), "--control x: this is no address"),
        (("--control", "::1:9090"), "--control ::1:9090: this is no address"),
        (("--control", "65536"), "--control 65536: this is no address"),
        (("--control-token-env", "X"), "--control-token-env needs --control"),
        (("--control", "0", "--control-token-env", "X_ABSENT"), "the variable is not set, or empty"),
        (("--control", "19999", "--port", "web=19999"), "the control server and `web` both listen on 127.0.0.1:19999"),
        (("--control", "0.0.0.0:0"), "other machines could reach 0.0.0.0 without being asked who they are"),
    ],
)
def test_serving_tells_what_is_wrong_with_the_control_server_that_is_asked_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.setenv("FLEET_KEY", "topsecret-0123")
    (tmp_path / "a.js").write_text("result = 1", encoding="utf-8")
    (tmp_path / "a.yaml").write_text(written(), encoding="utf-8")
    ran = run("serve", str(tmp_path / "a.yaml"), *arguments)
    assert (ran.code, message in ran.err) == (2, True), ran.err
