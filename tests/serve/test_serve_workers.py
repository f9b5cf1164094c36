"""Several workers: one address, sessions that every worker knows, and nobody left behind."""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import mcp
import pytest
from tests.asking import Answer, ask

if TYPE_CHECKING:
    from tests.serve.conftest import Process, Served, Start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers share addresses as Linux does it")

RUNS = "/v1/threads/t1/runs"
OFTEN = 24
"""Connections that would all reach one of two workers by chance once in eight million times."""
ASKING = """
ikanos: 1.0.0-beta5
capability:
  exposes:
  - type: mcp
    namespace: asking
    port: 0
    tools:
    - name: greet
      description: Greets a person by name.
      steps:
      - name: who
        type: elicit
        message: Who is there?
        schema: {name: {type: string}}
      - {name: greeting, type: transform, value: 'Hello {{who.name}}'}
"""


def workers_of(process: "Process") -> list[int]:
    children = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children")
    return [int(each) for each in children.read_text().split()]


@pytest.fixture
def process(start: "Start", given: dict[str, Any]) -> "Process":
    return start("serve", "--workers", "2", *given["arguments"], env=given["env"], ready=True)


def post(url: str, message: dict[str, Any], **headers: str) -> tuple[int, Mapping[str, str], Any]:
    """One message over a connection of its own."""
    sent = {"Accept": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = ask(urlsplit(url).netloc, "POST", "/mcp", {"jsonrpc": "2.0", "id": 1, **message}, sent)
    return answer.status, answer.headers, answer.json if answer.body else None


def begin(url: str) -> str:
    """A session of the legacy era."""
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    status, headers, _body = post(url, {"method": "initialize", "params": client})
    assert status == 200
    return headers["mcp-session-id"]


def calls(served: "Served", times: int = OFTEN) -> list[Answer]:
    return [served.call("GET", RUNS) for _ in range(times)]


def until_workers(process: "Process", others_than: list[int]) -> None:
    deadline = time.monotonic() + 20
    while len(workers_of(process)) < 2 or workers_of(process) == others_than:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_session_is_known_whichever_worker_a_connection_reaches(process: "Process") -> None:
    url = process.urls["aimlapi-threads-runs-mcp"]
    sessions = {begin(url) for _ in range(OFTEN)}
    assert {each.partition(".")[0] for each in sessions} == {"w1", "w2"}
    for session in sorted(sessions)[:: OFTEN // 4]:
        for _ in range(OFTEN // 4):
            status, _headers, body = post(url, {"method": "tools/list"}, Mcp_Session_Id=session)
            assert (status, len(body["result"]["tools"])) == (200, 4)


def test_a_session_that_no_worker_has_is_not_found(process: "Process") -> None:
    url = process.urls["aimlapi-threads-runs-mcp"]
    for session in ("w1.none", "w2.none", "w3.none", "w0.none", "none", "w.", "w1.", "w99999999999999999999.x"):
        status, _headers, body = post(url, {"method": "tools/list"}, Mcp_Session_Id=session)
        assert (session, status) == (session, 404)
        assert "Session not found" in body["error"]["message"]


async def test_the_official_client_works_with_its_streams_and_its_goodbye(process: "Process") -> None:
    for mode in ("legacy", "2026-07-28"):
        for _ in range(4):
            async with mcp.Client(process.urls["aimlapi-threads-runs-mcp"], mode=mode) as client:
                result = await client.call_tool("aimlapi-get-runs", {"threadId": "t1"})
                assert result.is_error is False
                assert len((await client.list_tools()).tools) == 4


def test_what_one_worker_gives_a_client_to_keep_another_opens(start: "Start", tmp_path: Path) -> None:
    file = tmp_path / "asking.yaml"
    file.write_text(ASKING, encoding="utf-8")
    process = start("serve", file, "--workers", "2", "--port", "asking=0", ready=True)
    prefix = "io.modelcontextprotocol/"
    meta = {prefix + "protocolVersion": "2026-07-28", prefix + "clientCapabilities": {"elicitation": {}}}
    headers = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "tools/call", "Mcp_Name": "greet"}
    params: dict[str, Any] = {"name": "greet", "arguments": {}, "_meta": meta}
    _status, _headers, body = post(process.urls["asking"], {"method": "tools/call", "params": params}, **headers)
    asked = body["result"]
    answers = {key: {"action": "accept", "content": {"name": "Ada"}} for key in asked["inputRequests"]}
    params |= {"inputResponses": answers, "requestState": asked["requestState"]}
    for _ in range(OFTEN):
        _, _, body = post(process.urls["asking"], {"method": "tools/call", "params": params}, **headers)
        assert body["result"]["content"][0]["text"] == '"Hello Ada"'


def test_a_worker_that_ends_is_started_again_and_the_other_serves_meanwhile(process: "Process") -> None:
    served, workers = process.served, workers_of(process)
    os.kill(workers[0], signal.SIGKILL)
    process.until("ended (killed by SIGKILL); it is started again in")
    until_workers(process, workers)
    assert {answer.status for answer in calls(served)} == {200}
    assert process.stop() == 0


def test_the_first_worker_has_the_control_server(start: "Start", given: dict[str, Any]) -> None:
    process = start("serve", "--workers", "2", "--control", "0", *given["arguments"], env=given["env"], ready=True)
    (port,) = re.findall(r"^control +\S+ +http://127\.0\.0\.1:(\d+)", process.stderr, re.MULTILINE)
    for _ in range(OFTEN):
        assert ask(int(port), "GET", "/health/ready").status == 200


def test_stopping_leaves_nobody_behind(process: "Process") -> None:
    workers = workers_of(process)
    assert process.stop() == 0
    assert [each for each in workers if Path(f"/proc/{each}").exists()] == []
    assert "stopping" in process.stderr


def test_workers_end_when_their_supervisor_is_killed(process: "Process") -> None:
    workers = workers_of(process)
    process.popen.kill()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{each}").exists() for each in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_address_that_is_taken_is_told(process: "Process", start: "Start", given: dict[str, Any]) -> None:
    port = process.served.rest
    arguments = [*given["arguments"], "--port", f"aimlapi-threads-runs-rest={port}"]
    for more in ([], ["--workers", "2"]):
        second = start("serve", *arguments, *more, env=given["env"])
        assert second.end() == 1
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in second.stderr


def test_an_address_is_taken_over_from_one_process_whose_connections_are_hardly_over(
    start: "Start", given: dict[str, Any]
) -> None:
    alone = start("serve", *given["arguments"], env=given["env"], ready=True)
    port = alone.served.rest
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while connection.recv(65536):
            pass  # until the server has closed: its address is in use for another minute (TIME-WAIT)
    assert alone.stop() == 0
    arguments = [*given["arguments"], "--port", f"aimlapi-threads-runs-rest={port}"]
    assert start("serve", "--workers", "2", *arguments, env=given["env"], ready=True).served.rest == port


def test_one_process_serves_standard_input(start: "Start", given: dict[str, Any]) -> None:
    process = start("serve", "--stdio", "--workers", "2", *given["arguments"], env=given["env"])
    assert process.end() == 2
    assert "--stdio is served by one process\n  = leave --workers out" in process.stderr
