"""MCP clients over a reload: sessions go on, changed lists are told in both eras, who may not listen hears no more."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import mcp
import mcp_types
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.processes import CAPABLY

if TYPE_CHECKING:
    from tests.reload.conftest import Numbers, Rewrite, Serve

EVERY_MODE = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
MORE = {"name": "more", "description": "One more.", "outputParameters": [{"name": "n", "type": "integer", "value": 9}]}
OLD = {"authentication": {"type": "bearer", "token": "old-token"}}
NEW = {"authentication": {"type": "bearer", "token": "new-token"}}


class Heard:
    """Counts that the list of tools has changed."""

    def __init__(self) -> None:
        self.count = 0
        self.moved = asyncio.Event()

    def hear(self) -> None:
        self.count += 1
        self.moved.set()

    async def once_more(self) -> None:
        async with asyncio.timeout(20):
            await self.moved.wait()
        self.moved.clear()


@asynccontextmanager
async def hearing(server: Any, mode: str) -> AsyncIterator[tuple[mcp.Client, Heard]]:
    """The official client, connected, and told of changes as its era has it."""
    heard = Heard()

    async def handle(message: Any) -> None:
        if mode == "legacy" and isinstance(getattr(message, "root", message), mcp_types.ToolListChangedNotification):
            heard.hear()

    async with mcp.Client(server, mode=mode, message_handler=handle) as client:
        if mode == "legacy":
            yield client, heard
            return
        async with client.listen(tools_list_changed=True) as subscription:

            async def follow() -> None:
                async for _event in subscription:
                    heard.hear()

            following = asyncio.create_task(follow())
            yield client, heard
            following.cancel()


async def names(client: mcp.Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


@EVERY_MODE
async def test_the_official_client_hears_of_changed_tools_over_http(numbers: "Numbers", mode: str) -> None:
    async with hearing(numbers.mcp, mode) as (client, heard):
        assert await names(client) == ["number", "echo", "slow"]
        await asyncio.sleep(0.2)  # the legacy client opens its stream beside its calls
        await numbers.reload(1, tools=[MORE])
        await heard.once_more()
        assert await names(client) == ["number", "echo", "slow", "more"]
        assert (await client.call_tool("more", {})).structured_content == {"n": 9}
        await numbers.reload(1, tools=[MORE], rest={"resources": []})
        await numbers.reload(1)
        await heard.once_more()
        assert heard.count == 2, "a reload that leaves the tools as they were is not told"


@EVERY_MODE
async def test_the_official_client_hears_of_changed_tools_over_stdio(mode: str, rewrite: "Rewrite") -> None:
    file = rewrite(1)
    server = StdioServerParameters(command=str(CAPABLY), args=["serve", "--stdio", "--watch", str(file)])
    async with hearing(stdio_client(server), mode) as (client, heard):
        assert json.loads(text(await client.call_tool("number", {})))["n0"] == 1
        rewrite(2, tools=[MORE])
        await heard.once_more()
        assert "more" in await names(client)
        assert json.loads(text(await client.call_tool("number", {})))["n0"] == 2


def text(result: Any) -> str:
    return str(result.content[0].text)


async def test_a_call_of_a_tool_in_flight_ends_well(numbers: "Numbers") -> None:
    async with mcp.Client(numbers.mcp, mode="2026-07-28") as client:
        slow = asyncio.create_task(client.call_tool("slow", {}))
        await numbers.echo.asked.wait()
        await numbers.reload(2)
        assert json.loads(text(await client.call_tool("echo", {}))) == {"path": 2, "header": 2}
        numbers.echo.may_answer.set()
        assert json.loads(text(await slow)) == {"path": 1, "header": 1}


async def opened(numbers: "Numbers", token: str) -> Any:
    """A stream that listens, opened by hand."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"notifications": {"toolsListChanged": True}, "_meta": meta}
    headers = {
        "Authorization": f"Bearer {token}",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "subscriptions/listen",
        "Accept": "application/json, text/event-stream",
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
    response = await numbers.http.post(numbers.mcp, json=message, headers=headers)
    assert response.status == 200
    assert b"acknowledged" in await response.content.readuntil(b"\n\n")
    return response


async def test_who_may_not_call_any_more_hears_no_more(serve: "Serve") -> None:
    async with serve(mcp=OLD) as numbers:
        response = await opened(numbers, "old-token")
        await numbers.reload(1, mcp=NEW, tools=[MORE])
        rest = await asyncio.wait_for(response.read(), 5)
        assert b"list_changed" not in rest, "what is offered now is none of its business"
        listening = await opened(numbers, "new-token")
        listening.close()


async def test_who_may_still_call_goes_on_listening(serve: "Serve") -> None:
    async with serve(mcp=OLD) as numbers:
        response = await opened(numbers, "old-token")
        await numbers.reload(1, mcp=OLD, tools=[MORE])
        assert b"list_changed" in await asyncio.wait_for(response.content.readuntil(b"\n\n"), 5)
        await numbers.reload(1, mcp=OLD)
        assert b"list_changed" in await asyncio.wait_for(response.content.readuntil(b"\n\n"), 5)
        response.close()


async def test_streams_do_not_keep_what_they_do_not_use(serve: "Serve") -> None:
    async with serve() as numbers, hearing(numbers.mcp, "legacy") as (client, heard):
        await names(client)
        await asyncio.sleep(0.2)
        for number in range(2, 6):
            await numbers.reload(number)
            await heard.once_more()
        await asyncio.sleep(0.1)
        assert numbers.service.retiring == 0


async def test_a_server_that_goes_ends_its_streams(serve: "Serve") -> None:
    other = {"type": "mcp", "namespace": "other", "port": 0, "tools": [MORE]}
    async with serve(exposes=[other]) as numbers:
        url = numbers.listener("other").url + "/mcp"
        async with hearing(url, "2026-07-28") as (client, _heard):
            assert await names(client) == ["more"]
            await numbers.reload(1)
            async with asyncio.timeout(5):
                while not numbers.service.is_settled:  # noqa: ASYNC110 -- the process says it, and nobody is told
                    await asyncio.sleep(0.05)
