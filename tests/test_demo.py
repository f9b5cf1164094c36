"""`capably demo` is followed as a new user would: what it prints is typed, and works."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest
from tests.processes import CAPABLY

PORTS = (
    "--port",
    "aimlapi-threads-runs-rest=0",
    "--port",
    "aimlapi-threads-runs-mcp=0",
    "--threads-port",
    "0",
    "--console-port",
    "0",
)


def read_until(child: "subprocess.Popen[str]", last: str) -> str:
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        lines.append(line)
        if line.strip() == last:
            break
    return "".join(lines)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What a running demo has printed."""
    data = tmp_path_factory.mktemp("demo")
    command = [str(CAPABLY), "demo", "--data", str(data), *PORTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        try:
            yield read_until(child, "asyncio.run(main())")
        finally:
            child.send_signal(signal.SIGTERM)
            assert child.wait(timeout=20) == 0


# What the printed lines ask of curl, for machines that have Python and nothing else.
CURL = """\
import argparse, sys, urllib.request
line = argparse.ArgumentParser()
line.add_argument("-s", action="store_true")
line.add_argument("-N", action="store_true")
line.add_argument("-d", dest="data")
line.add_argument("-H", dest="headers", action="append", default=[])
line.add_argument("url")
told = line.parse_args()
headers = dict(header.split(": ", 1) for header in told.headers)
body = told.data.encode() if told.data is not None else None
with urllib.request.urlopen(urllib.request.Request(told.url, body, headers)) as answer:
    sys.stdout.write(answer.read().decode())
"""


@pytest.fixture(scope="module", autouse=True)
def curl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The machine's curl, else one that knows the options that are printed."""
    with pytest.MonkeyPatch.context() as patch:
        if shutil.which("curl") is None:
            folder = tmp_path_factory.mktemp("bin")
            (folder / "curl").write_text(f"#!{sys.executable}\n{CURL}", encoding="utf-8")
            (folder / "curl").chmod(0o755)
            patch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{folder}")
        yield


def shell(script: str) -> str:
    command = ["bash", "-c", script]  # the lines are written for a shell
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def ends_as(read: str) -> str:
    """The status of a run once it has ended; reading it must not take long."""
    for _ in range(40):
        status: str = json.loads(shell(read))["status"]
        if status not in {"queued", "in_progress"}:
            return status
        time.sleep(0.1)
    return "still running"


def typed(printed: str) -> list[str]:
    return re.findall(r"^(?:RUN=|curl ).*$", printed, flags=re.MULTILINE)


def test_the_printed_lines_give_a_completed_run_and_its_message(demo: str) -> None:
    create, read, update, listing, messages, stream = typed(demo)
    run_id = shell(create).strip()
    assert run_id.startswith("run_")
    found = f"RUN={run_id}\n"
    assert ends_as(found + read) == "completed"
    assert json.loads(shell(found + update))["metadata"] == {"mood": "curious"}
    assert [item["id"] for item in json.loads(shell(listing))["data"]] == [run_id]
    answer = json.loads(shell(messages))["data"][0]
    assert answer["role"] == "assistant"
    assert answer["run_id"] == run_id
    assert "offline responder" in answer["content"][0]["text"]["value"]
    assert shell(stream).rstrip().endswith("event: done\ndata: [DONE]")


def test_the_printed_python_calls_a_tool(demo: str) -> None:
    snippet = textwrap.dedent(demo[demo.index("    import asyncio") :])
    done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, timeout=30, check=True)
    assert "is_error=False" in done.stdout


def test_the_printed_client_configuration_is_json(demo: str) -> None:
    line = next(line for line in demo.splitlines() if "mcpServers" in line)
    assert json.loads(line)["mcpServers"]["threads-runs"]["url"].endswith("/mcp")
