"""What MCP keeps between messages belongs to the caller it was made for."""

import json
from typing import Any

CALL = {"jsonrpc": "2.0", "method": "tools/call"}
HEADERS = {"Content_Type": "application/json", "Accept": "application/json, text/event-stream"}


def opened(doors: Any, token: str, version: str = "2025-11-25") -> str:
    """A session of a caller."""
    client = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
    answer = doors.mcp(token, "initialize", **client)
    assert answer.status == 200
    return str(answer.headers["mcp-session-id"])


def in_session(doors: Any, token: str, session: str, message: Any, method: str = "POST") -> Any:
    bearer = {"Authorization": f"Bearer {token}", "Mcp_Session_Id": session}
    return doors.ask("mcp", "/mcp", method, json.dumps(message) if message else None, **HEADERS, **bearer)


def test_a_session_is_only_for_the_caller_that_began_it(serve: Any, block: Any, authority: Any) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    ann, again, bob = authority.token(), authority.token(jti="renewed"), authority.token(sub="bob")
    with serve(block) as doors:
        session = opened(doors, ann)
        assert in_session(doors, ann, session, ping).status == 200
        assert in_session(doors, again, session, ping).status == 200, "tokens may be renewed"
        assert in_session(doors, bob, session, ping).status == 404
        assert in_session(doors, bob, session, None, "DELETE").status == 404
        assert in_session(doors, bob, session, None, "GET").status == 404
        assert in_session(doors, "", session, ping).status == 401
        assert in_session(doors, ann, session, ping).status == 200, "nobody else could end it"


def test_a_token_is_asked_for_with_every_message_of_a_session(serve: Any, block: Any, authority: Any) -> None:
    with serve(block) as doors:
        session = opened(doors, authority.token())
        message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
        assert doors.ask("mcp", "/mcp", "POST", message, Mcp_Session_Id=session, **HEADERS).status == 401


def test_of_a_batch_nothing_is_run_when_something_in_it_may_not_be(serve: Any, block: Any, authority: Any) -> None:
    batch = [
        {**CALL, "id": 1, "params": {"name": "list-ships"}},
        {**CALL, "id": 2, "params": {"name": "make-ship"}},
    ]
    with serve(block) as doors:
        reader = authority.token()
        session = opened(doors, reader, "2025-03-26")
        refused = in_session(doors, reader, session, batch)
        assert refused.status == 403
        assert 'error="insufficient_scope"' in refused.challenges[0]
        assert in_session(doors, reader, session, batch[:1]).status == 200
