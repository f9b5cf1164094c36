"""Starting `capably serve`: what it needs, what it says, what it listens on."""

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mcp
import pytest
from tests.asking import ask

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.serve.conftest import Start

REST, MCP = "aimlapi-threads-runs-rest", "aimlapi-threads-runs-mcp"
RUNS = "/v1/threads/t1/runs"
ANY_PORTS = ("--port", f"{REST}=0", "--port", f"{MCP}=0")


async def test_the_table_of_servers_is_on_stderr_and_true(
    start: "Start", given: dict[str, Any], upstream: "Upstream", key: str
) -> None:
    began = time.monotonic()
    process = start("serve", *given["arguments"], env=given["env"], ready=True)
    assert time.monotonic() - began < 20
    assert re.search(r"^KIND +NAMESPACE +URL +OFFERS +UPSTREAM$", process.stderr, re.MULTILINE)
    assert re.search(rf"^rest +{REST} +http://127.0.0.1:\d+ +4 operations +\S", process.stderr, re.MULTILINE)
    assert re.search(rf"^mcp +{MCP} +http://127.0.0.1:\d+/mcp +4 tools +\S", process.stderr, re.MULTILINE)
    assert process.stderr.count(f"http://{upstream.address}") == 2
    assert process.served.call("GET", RUNS).json == {"ok": True}
    async with mcp.Client(process.urls[MCP]) as client:
        assert not (await client.call_tool("aimlapi-get-runs", {"threadId": "t1"})).is_error
    assert [seen.header("authorization") for seen in upstream.requests] == [f"Bearer {key}"] * 2
    assert process.stop() == 0
    assert process.stdout == ""
    assert "\x1b" not in process.stderr
    assert "without authentication" not in process.stderr


def test_the_table_of_servers_holds_no_secret_of_a_base_uri(
    start: "Start", given: dict[str, Any], upstream: "Upstream", key: str, tmp_path: Path
) -> None:
    text = Path(given["arguments"][0]).read_text(encoding="utf-8")
    document = tmp_path / "mine.yaml"
    document.write_text(text.replace("http://{{baseurl}}", "http://{{baseurl}}/{{env.AIMLAPI_API_KEY}}"), "utf-8")
    sets = ("--set", f"baseurl={upstream.address}")
    process = start("serve", document, *ANY_PORTS, *sets, env=given["env"], ready=True)
    assert process.stderr.count(f"http://{upstream.address}/<AIMLAPI_API_KEY>") == 2
    assert key not in process.stderr


def test_the_ports_of_the_document_are_listened_on(
    start: "Start", given: dict[str, Any], upstream: "Upstream", tmp_path: Path, free_port: Callable[[], int]
) -> None:
    text = Path(given["arguments"][0]).read_text(encoding="utf-8")
    ports = free_port(), free_port()
    text = text.replace("port: 8080", f"port: {ports[0]}").replace("port: 9090", f"port: {ports[1]}")
    document = tmp_path / "mine.yaml"
    document.write_text(text, encoding="utf-8")
    arguments = ("--set", f"baseurl={upstream.address}", "--set", "AIMLAPI_API_KEY=other")
    process = start("serve", document, *arguments, ready=True)
    assert process.urls == {REST: f"http://127.0.0.1:{ports[0]}", MCP: f"http://127.0.0.1:{ports[1]}/mcp"}
    for port in ports:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    process.served.call("GET", RUNS)
    assert upstream.only.header("authorization") == "Bearer other"


@pytest.mark.parametrize("name", ["baseurl", "BASEURL"])
def test_a_variable_comes_from_the_environment(
    start: "Start", given: dict[str, Any], upstream: "Upstream", name: str
) -> None:
    document = given["arguments"][0]
    process = start("serve", document, *ANY_PORTS, env=given["env"] | {name: upstream.address}, ready=True)
    assert process.served.call("GET", RUNS).status == 200
    assert len(upstream.requests) == 1


def test_what_is_set_beats_the_environment(start: "Start", given: dict[str, Any], upstream: "Upstream") -> None:
    env = {"baseurl": "127.0.0.1:1", "BASEURL": "127.0.0.1:1", "AIMLAPI_API_KEY": "from-the-environment"}
    process = start("serve", *given["arguments"], "--set", "AIMLAPI_API_KEY=from-set", env=env, ready=True)
    assert process.served.call("GET", RUNS).status == 200
    assert upstream.only.header("authorization") == "Bearer from-set"


def test_the_qualified_name_can_be_set(start: "Start", given: dict[str, Any], upstream: "Upstream") -> None:
    process = start("serve", *given["arguments"], "--set", "env.AIMLAPI_API_KEY=mine=1", ready=True)
    process.served.call("GET", RUNS)
    assert upstream.only.header("authorization") == "Bearer mine=1"


@pytest.mark.parametrize(("path", "before"), [("", ""), ("/", ""), ("/api/v2", "/api/v2"), ("/api/v2/", "/api/v2")])
def test_upstream_replaces_the_base_uri(
    start: "Start", given: dict[str, Any], upstream: "Upstream", path: str, before: str
) -> None:
    option = ("--upstream", f"aimlapi-threads-runs=http://{upstream.address}{path}")
    process = start("serve", given["arguments"][0], *ANY_PORTS, *option, env=given["env"], ready=True)
    assert process.served.call("GET", RUNS).status == 200
    assert upstream.only.target == f"{before}/threads/t1/runs"


def test_a_slow_upstream_is_given_the_time_that_was_asked_for(
    start: "Start", given: dict[str, Any], upstream: "Upstream"
) -> None:
    process = start("serve", *given["arguments"], "--timeout", "0.2", env=given["env"], ready=True)
    upstream.play(b"", hold=True)
    answer = process.served.call("GET", RUNS)
    assert (answer.status, answer.json["type"]) == (504, "urn:problem-type:capably:upstream-timeout")
    assert "timeout: no answer within 0.2 s" in process.stderr


def test_a_host_of_every_interface_is_shown_as_this_machine(
    start: "Start", given: dict[str, Any], upstream: "Upstream"
) -> None:
    process = start("serve", *given["arguments"], "--host", "0.0.0.0", env=given["env"], ready=True)  # noqa: S104
    for name in (REST, MCP):
        warned = (
            f"warning: `{name}` listens on 0.0.0.0 without authentication: whoever reaches it uses your credentials\n"
        )
        assert warned in process.stderr
    assert process.urls[REST].startswith("http://127.0.0.1:")
    headers = {"Host": "gateway.example", "Origin": "https://app.example"}
    assert process.served.call("GET", RUNS, headers=headers).status == 200


def test_several_documents_are_served_at_once(
    start: "Start", given: dict[str, Any], upstream: "Upstream", tmp_path: Path
) -> None:
    text = Path(given["arguments"][0]).read_text(encoding="utf-8").replace("runs-rest", "other-rest")
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("runs-mcp", "other-mcp"), encoding="utf-8")
    more = ("--port", "aimlapi-threads-other-rest=0", "--port", "aimlapi-threads-other-mcp=0")
    process = start("serve", *given["arguments"], other, *more, env=given["env"], ready=True)
    assert len(process.urls) == 4
    for namespace in (REST, "aimlapi-threads-other-rest"):
        assert ask(process.port(namespace), "GET", RUNS).status == 200
    assert len(upstream.requests) == 2
    assert process.stop() == 0


def test_help_explains_every_option(start: "Start") -> None:
    process = start("serve", "--help")
    assert process.end() == 0
    for word in ("--set", "--upstream", "--port", "--host", "--timeout", "Examples", "Exit codes"):
        assert word in process.stdout
