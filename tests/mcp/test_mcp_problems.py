"""HTTP that is refused before a message is read: a problem detail says what to do instead."""

from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
import pytest

JSON = {"Content-Type": "application/json"}
PING = b'{"jsonrpc":"2.0","id":7,"method":"ping"}'


class Problem(NamedTuple):
    """HTTP that is refused, and how; ``words`` are part of the detail."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int
    kind: str
    words: str
    body: bytes = PING


@pytest.mark.parametrize(
    "row",
    [
        Problem("GET", "/mcp", {}, 405, "method-not-allowed", "sends JSON-RPC messages here with POST"),
        Problem("DELETE", "/", {}, 405, "method-not-allowed", "are for sessions"),
        Problem("GET", "/mcp", {"Mcp-Session-Id": "of-yesterday"}, 404, "session-not-found", "`initialize`"),
        Problem("DELETE", "/mcp", {"Mcp-Session-Id": "of-yesterday"}, 404, "session-not-found", "`initialize`"),
        Problem("PUT", "/mcp", JSON, 405, "method-not-allowed", "with POST"),
        Problem("POST", "/mcp/tools", JSON, 404, "not-found", "`/mcp`"),
        Problem("GET", "/favicon.ico", {}, 404, "not-found", "`/mcp`"),
        Problem("POST", "/mcp", {}, 415, "unsupported-media-type", "`Content-Type: application/json`"),
        Problem("POST", "/mcp", {"Content-Type": "text/plain"}, 415, "unsupported-media-type", "application/json"),
        Problem("POST", "/", {**JSON, "Accept": "text/event-stream"}, 406, "not-acceptable", "`application/json`"),
        Problem("POST", "/", {**JSON, "Origin": "https://evil.example"}, 403, "wrong-origin", "other origins"),
        Problem("POST", "/", {**JSON, "Host": "evil.example:9090"}, 421, "wrong-host", "loopback"),
        Problem("OPTIONS", "/mcp", {"Origin": "https://evil.example"}, 403, "wrong-origin", "other origins"),
        Problem("POST", "/mcp", JSON, 413, "body-too-large", "at most 20,000 bytes", b" " * 20_001),
    ],
    ids=lambda row: f"{row.status} {row.method}",
)
async def test_http_that_cannot_be_served_is_a_problem(base_url: str, row: Problem) -> None:
    async with (
        aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.request(row.method, base_url + row.path, data=row.body, headers=row.headers) as response,
    ):
        problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["status"]) == (row.status, row.status)
    assert problem["type"].endswith(row.kind)
    assert row.words in problem["detail"]
    assert response.headers.get("Allow") == ("POST, GET, DELETE, OPTIONS" if row.status == 405 else None)
