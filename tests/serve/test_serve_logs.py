"""`capably serve` logs to stderr as its options say: requests, failures, traces, never a secret."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.serve.conftest import MCP, REST, Process, Start

from capably.capabilities import THREADS_RUNS

if TYPE_CHECKING:
    from tests.conftest import Upstream

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def serve_with(start: Start, upstream: "Upstream", key: str) -> Any:
    def serve(*options: str) -> Process:
        ports = ("--port", f"{REST}=0", "--port", f"{MCP}=0", "--set", f"baseurl={upstream.address}")
        return start("serve", THREADS_RUNS, *ports, *options, env={"AIMLAPI_API_KEY": key}, ready=True)

    return serve


def logged(process: Process) -> list[dict[str, Any]]:
    """The JSON lines of its stderr; the others are for whoever started it."""
    return [json.loads(line) for line in process.stderr.splitlines() if line.startswith("{")]


def test_the_access_log_has_a_line_for_each_request(serve_with: Any, upstream: "Upstream") -> None:
    process = serve_with("--log-format", "json", "--access-log")
    process.served.call("GET", "/v1/threads/t-1/runs?api_key=not-told", headers={"traceparent": PARENT})
    process.served.call("GET", "/made/up")
    process.until("/made/up")

    first, second = logged(process)
    assert first["logger"] == "capably.access"
    assert {name: first[name] for name in ("method", "path", "status", "bytes", "namespace")} == {
        "method": "GET",
        "path": "/v1/threads/t-1/runs",
        "status": 200,
        "bytes": len(b'{"ok": true}'),
        "namespace": REST,
    }
    assert first["route"].startswith("/v1/threads/{")
    assert first["operation"] == f"{first['route']} GET"
    assert first["client"] == "127.0.0.1"
    assert 0 < first["duration_ms"] < 20_000
    assert first["trace_id"] == PARENT[3:35]
    assert "not-told" not in process.stderr
    assert (second["status"], second["operation"], second.get("route")) == (404, "_OTHER", None)
    assert upstream.only.header("traceparent") == PARENT, "nothing is recorded, so it is passed on as it came"


def test_a_line_for_people_tells_the_same(serve_with: Any) -> None:
    process = serve_with("--access-log")
    process.served.call("GET", "/v1/threads/t-1/runs")
    process.until("capably.access")

    (line,) = [line for line in process.stderr.splitlines() if "capably.access" in line]
    assert " INFO capably.access: GET /v1/threads/t-1/runs 200 12 bytes " in line
    assert "\x1b" not in line, "this is no terminal"


def test_requests_are_not_logged_unless_asked_for(serve_with: Any) -> None:
    process = serve_with("--log-level", "info")
    process.served.call("GET", "/v1/threads/t-1/runs")
    process.stop()
    assert "capably.access" not in process.stderr


def test_a_failing_upstream_is_logged_with_the_trace_when_requests_are_recorded(
    serve_with: Any, upstream: "Upstream"
) -> None:
    process = serve_with("--log-format", "json", "--control", "0")
    upstream.play(b"", close=True)
    process.served.call("GET", "/v1/threads/t-1/runs", headers={"traceparent": PARENT})
    process.until("capably.upstream")

    (line,) = logged(process)
    assert (line["level"], line["logger"], line["trace_id"]) == ("warning", "capably.upstream", PARENT[3:35])


def test_the_level_decides_what_is_logged(serve_with: Any, upstream: "Upstream") -> None:
    process = serve_with("--log-level", "error")
    upstream.play(b"", close=True)
    process.served.call("GET", "/v1/threads/t-1/runs")
    process.stop()
    assert "capably.upstream" not in process.stderr
