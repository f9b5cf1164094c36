"""On loopback, only local names and local pages are answered; elsewhere whoever reaches the server is."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.serve.conftest import Serve, Served

RUNS = "/v1/threads/t1/runs"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
LOCAL = [
    "localhost",
    "localhost:8080",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.8.8.8",
    "[::1]:8080",
    "app.localhost",
    "LOCALHOST",
]
FOREIGN = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "[::2]",
    "[",
    "",
]


@pytest.mark.parametrize("host", LOCAL)
def test_a_local_host_is_answered(bundled: "Served", upstream: "Upstream", host: str) -> None:
    assert bundled.call("GET", RUNS, headers={"Host": host}).status == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_refused_and_calls_nothing(bundled: "Served", upstream: "Upstream", host: str) -> None:
    answer = bundled.call("GET", RUNS, headers={"Host": host})
    assert (answer.status, answer.json["type"]) == (421, "urn:problem-type:capably:wrong-host")
    assert upstream.requests == []


@pytest.mark.parametrize("host", LOCAL)
def test_a_page_of_this_machine_is_answered(bundled: "Served", upstream: "Upstream", host: str) -> None:
    for scheme in ("http", "https"):
        assert bundled.call("GET", RUNS, headers={"Origin": f"{scheme}://{host}"}).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("origin", [*(f"https://{host}" for host in FOREIGN), "null", "localhost", "file://"])
def test_a_foreign_page_is_refused_and_calls_nothing(
    bundled: "Served", upstream: "Upstream", origin: str, method: str
) -> None:
    answer = bundled.call(method, RUNS, headers={"Origin": origin})
    assert (answer.status, answer.json["type"]) == (403, "urn:problem-type:capably:wrong-origin")
    assert "access-control-allow-origin" not in answer.headers
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("header", "status"), [({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403), ({}, 200)]
)
def test_the_mcp_server_looks_as_closely(bundled: "Served", header: dict[str, str], status: int) -> None:
    port = int(bundled.mcp.rpartition(":")[2])
    by_mcp = replace(bundled, rest=port)
    sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"} | header
    assert by_mcp.call("POST", "/mcp", json.dumps(PING).encode(), sent).status == status


def test_a_server_for_other_machines_answers_to_every_name(serve: "Serve", upstream: "Upstream") -> None:
    served = serve(host="0.0.0.0")  # noqa: S104 -- what is tested
    headers = {"Host": "gateway.example", "Origin": "https://app.example"}
    assert served.call("GET", RUNS, headers=headers).status == 200


def test_a_server_on_ipv6_loopback_is_reached_and_looks_as_closely(serve: "Serve", upstream: "Upstream") -> None:
    served = serve(host="::1")
    assert served.mcp.startswith("http://[::1]:")
    assert served.call("GET", RUNS, headers={"Host": "[::1]"}, host="::1").status == 200
    assert served.call("GET", RUNS, headers={"Host": "evil.example"}, host="::1").status == 421
