"""What a token grants decides what can be called, and what is listed."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.plan.principal import ANYBODY, Principal
from capably.servers.mcp_views import Entry, by_caller

METADATA = "https://fleet.example.com/.well-known/oauth-protected-resource/mcp"


def shortfall(scope: str) -> str:
    told = f'error="insufficient_scope", error_description="this needs a token with the scope {scope}"'
    return f'Bearer {told}, resource_metadata="{METADATA}", scope="{scope}"'


def names(answer: Any) -> list[str]:
    return [tool["name"] for tool in answer.body["result"]["tools"]]


def test_a_token_without_the_scopes_of_the_server_opens_nothing(serve: Any, block: Any, authority: Any) -> None:
    with serve(block) as doors:
        for scope in ("", "ships", "SHIPS:READ", "ships:write", None):
            token = authority.token(scope=scope)
            for answer in (doors.rest(token), doors.mcp(token, "tools/list")):
                assert (answer.status, answer.challenges) == (403, [shortfall("ships:read")])
                assert answer.body["type"] == "urn:problem-type:capably:insufficient-scope"


@pytest.mark.parametrize("claims", [{"scp": "ships:read"}, {"scp": ["ships:read"]}, {"scope": ["ships:read"]}])
def test_scopes_are_read_as_authorization_servers_write_them(
    serve: Any, block: Any, authority: Any, claims: dict[str, Any]
) -> None:
    with serve(block) as doors:
        assert doors.rest(authority.token(**{"scope": None, **claims})).status == 200


def test_an_operation_can_need_more_than_its_server(serve: Any, block: Any, authority: Any) -> None:
    reader, writer = authority.token(), authority.token(scope="ships:read ships:write")
    with serve(block) as doors:
        refused = doors.rest(reader, method="POST")
        assert (refused.status, refused.challenges) == (403, [shortfall("ships:read ships:write")])
        assert doors.rest(writer, method="POST").body == "made"
        assert doors.rest(authority.token(scope="ships:write"), method="POST").status == 403
        unknown = doors.rest(method="POST").challenges
        assert unknown == [f'Bearer resource_metadata="{METADATA}", scope="ships:read ships:write"']


def test_an_operation_can_ask_for_something_else_or_nobody(serve: Any, block: Any, authority: Any) -> None:
    with serve(block) as doors:
        assert doors.rest(path="/health").body == "fine"
        assert doors.rest(authority.token(), path="/admin").challenges == ['Bearer realm="capably"']
        assert doors.rest("open sesame", path="/admin").body == "welcome"
        assert doors.rest("open sesame").status == 401, "the key of one door opens no other"


def test_a_caller_sees_the_tools_it_may_use_and_can_call_no_other(serve: Any, block: Any, authority: Any) -> None:
    reader, writer = authority.token(), authority.token(scope="ships:write ships:read more")
    with serve(block) as doors:
        for _ in range(2):
            assert names(doors.mcp(reader, "tools/list")) == ["list-ships"]
            assert names(doors.mcp(writer, "tools/list")) == ["list-ships", "make-ship"]
        refused = doors.mcp(reader, "tools/call", name="make-ship")
        assert (refused.status, refused.challenges) == (403, [shortfall("ships:read ships:write")])
        assert doors.mcp(reader, "tools/call", name="list-ships").status == 200
        made = doors.mcp(writer, "tools/call", name="make-ship").body["result"]
        assert made["content"] == [{"type": "text", "text": '"made"'}]


SCOPES = st.sets(st.sampled_from("abcd"))


@given(st.lists(SCOPES, max_size=6), st.lists(SCOPES, max_size=6))
def test_a_view_holds_exactly_what_a_caller_may_use(needed: list[set[str]], callers: list[set[str]]) -> None:
    entries = [Entry(tuple(scopes), {"number": number}) for number, scopes in enumerate(needed)]
    listed = by_caller(entries, msgspec.json.encode)
    for granted in callers:
        principal = Principal("ann", frozenset(granted | {"unrelated"}))
        usable = [entry.shown for entry in entries if principal.may(entry.scopes)]
        assert msgspec.json.decode(listed(principal)) == usable
    assert len(msgspec.json.decode(listed(ANYBODY))) == len(entries)


def count(written: list[int]) -> Callable[[list[dict[str, Any]]], bytes]:
    def write(usable: list[dict[str, Any]]) -> bytes:
        written.append(len(usable))
        return b"%d" % len(usable)

    return write


def test_a_list_that_needs_no_scopes_is_written_once() -> None:
    written: list[int] = []
    listed = by_caller([Entry((), {}), Entry((), {})], count(written))
    assert {listed(Principal(str(number), frozenset({str(number)}))) for number in range(9)} == {b"2"}
    assert written == [2]


def test_views_are_bounded_whatever_tokens_grant() -> None:
    written: list[int] = []
    listed = by_caller([Entry((f"s{number}",), {}) for number in range(12)], count(written))
    for number in range(1000):
        listed(Principal("ann", frozenset({"s1", f"unrelated-{number}"})))
    assert written == [12, 1]
