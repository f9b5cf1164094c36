"""Tools with names that clients refuse are served under safe ones."""

from dataclasses import replace

import msgspec

from capably.plan.operation import ServerPlan
from capably.plan.tool_names import SAFE_NAME, with_safe_names
from capably.servers.mcp_call import Call
from capably.servers.mcp_eras import NO_HEADERS
from capably.servers.mcp_messages import Reply
from capably.servers.mcp_protocol import Protocol


def served(server: ServerPlan, *names: str) -> list[str]:
    tools = [replace(server.operations[0], name=name) for name in names]
    return [tool.wire_name for tool in with_safe_names(tools)]


def test_a_safe_name_is_served_as_it_is(server: ServerPlan) -> None:
    assert served(server, "get-runs", "a_B-9") == ["get-runs", "a_B-9"]


def test_an_unsafe_name_loses_what_clients_refuse(server: ServerPlan) -> None:
    assert served(server, "List café orders (v2)", "a.b/c") == ["List_cafe_orders_v2", "a_b_c"]


def test_names_that_would_clash_are_told_apart_whatever_their_order(server: ServerPlan) -> None:
    names = served(server, "a.b", "a/b", "a_c", "a.c", "船", "a" * 70)
    assert len(set(names)) == 6
    assert all(SAFE_NAME.fullmatch(name) for name in names)
    assert names[2] == "a_c"
    assert names[4].startswith("tool_")
    assert dict(zip(reversed(["a.b", "a/b"]), served(server, "a/b", "a.b"), strict=True)) == {
        "a/b": names[1],
        "a.b": names[0],
    }


def test_the_written_name_is_the_title_and_the_safe_one_is_called(server: ServerPlan) -> None:
    tools = with_safe_names([replace(server.operations[0], name="get runs", title="")])
    protocol = Protocol(replace(server, operations=tools))
    listed = protocol.handle(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', NO_HEADERS)
    assert isinstance(listed, Reply)
    (tool,) = msgspec.json.decode(listed.body)["result"]["tools"]
    assert (tool["name"], tool["title"], tool["annotations"]["title"]) == ("get_runs", "get runs", "get runs")
    params = b'{"name":"get_runs","arguments":{"threadId":"t"}}'
    call = protocol.handle(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + params + b"}", NO_HEADERS)
    assert isinstance(call, Call)
    assert call.name == "get runs"
