"""The metadata of a protected resource (RFC 9728), which strangers may read."""

import json
from typing import Any

import pytest

from capably.plan.gate_oauth2 import Jwks, OAuthGate

ROOT = "/.well-known/oauth-protected-resource"


@pytest.mark.parametrize("kind", ["rest", "mcp"])
@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/mcp"])
def test_everybody_may_read_where_tokens_come_from(
    serve: Any, block: Any, authority: Any, kind: str, path: str
) -> None:
    with serve(block) as doors:
        answer = doors.ask(kind, path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.body == {
            "resource": "https://fleet.example.com/mcp",
            "authorization_servers": [authority.issuer],
            "scopes_supported": ["ships:read", "ships:write"],
            "bearer_methods_supported": ["header"],
        }
        head = doors.ask(kind, path, "HEAD")
        assert (head.status, head.body, head.headers["content-length"]) == (
            200,
            "",
            str(len(json.dumps(answer.body, separators=(",", ":")))),
        )


def test_web_pages_may_ask_first_and_nobody_may_write(serve: Any, block: Any) -> None:
    with serve(block) as doors:
        preflight = doors.ask("mcp", ROOT, "OPTIONS", Access_Control_Request_Headers="mcp-protocol-version")
        assert (preflight.status, preflight.headers["access-control-allow-headers"]) == (204, "*")
        assert doors.ask("mcp", ROOT, "POST", "{}").status == 405


def test_the_host_is_checked_before_anything_is_told(serve: Any, block: Any) -> None:
    with serve(block) as doors:
        assert doors.ask("mcp", ROOT, Host="rebound.example.com").status == 421
        assert doors.ask("mcp", ROOT, Origin="https://evil.example.com").status == 403


def test_other_servers_have_no_metadata(serve: Any) -> None:
    with serve({"type": "bearer", "token": "{{env.DOOR}}"}) as doors:
        assert doors.ask("mcp", ROOT).status == 401


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://a.test", f"https://a.test{ROOT}"),
        ("https://a.test/", f"https://a.test{ROOT}"),
        ("https://a.test:8443/x/mcp", f"https://a.test:8443{ROOT}/x/mcp"),
        ("https://a.test/x?y=1", f"https://a.test{ROOT}/x?y=1"),
    ],
)
def test_the_metadata_stands_where_the_resource_says(resource: str, url: str) -> None:
    """RFC 9728, section 3.1."""
    gate = OAuthGate("https://login.test", "https://login.test", resource, resource, (), Jwks("", ()))
    assert gate.metadata_url == url
