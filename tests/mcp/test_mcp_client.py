"""The official client lists and calls the tools, in every mode it has."""

import asyncio
import warnings
from typing import Any

import mcp
import mcp_types
import pytest
from mcp.shared.exceptions import MCPError

from capably.plan.outcome import Fault, Outcome

MODES = ("auto", "legacy", "2026-07-28")
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25", "2026-07-28": "2026-07-28"}

every_mode = pytest.mark.parametrize("mode", MODES)


def _text(result: mcp_types.CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, mcp_types.TextContent)
    return block.text


@every_mode
@pytest.mark.parametrize("path", ["", "/", "/mcp"])
async def test_the_client_settles_on_the_newest_version_of_its_mode(base_url: str, mode: str, path: str) -> None:
    async with mcp.Client(base_url + path, mode=mode) as client:
        assert client.protocol_version == VERSIONS[mode]
        assert len((await client.list_tools()).tools) == 4


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_server_says_who_it_is_and_what_it_is_for(base_url: str, mode: str) -> None:
    async with mcp.Client(base_url, mode=mode) as client:
        assert client.server_info == mcp_types.Implementation(
            name="aimlapi-threads-runs-mcp", title="AIMLAPI Threads > Runs", version="1.2.0"
        )
        assert client.instructions == "MCP adapter for Threads > Runs."
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.resources is None


@every_mode
async def test_all_four_tools_are_listed_in_the_order_of_the_document(base_url: str, mode: str) -> None:
    async with mcp.Client(base_url, mode=mode) as client:
        tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == [
        "aimlapi-get-runs",
        "aimlapi-create-run",
        "aimlapi-update-run",
        "aimlapi-get-run",
    ]
    update = tools[2]
    assert update.title == "Update Run"
    assert update.description == "AIMLAPI Update Run"
    assert update.annotations == mcp_types.ToolAnnotations(title="Update Run")
    assert update.input_schema == {
        "type": "object",
        "properties": {
            "threadId": {"type": "string"},
            "runId": {"type": "string"},
            "body": {"type": "object", "description": "Request body (JSON)."},
        },
        "required": ["threadId", "runId"],
        "additionalProperties": False,
    }
    assert tools[0].annotations == mcp_types.ToolAnnotations(
        title="Get Runs", read_only_hint=True, destructive_hint=False, idempotent_hint=True
    )


@every_mode
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("aimlapi-get-runs", {"threadId": "thread_1"}),
        ("aimlapi-create-run", {"threadId": "thread_1", "body": {"assistant_id": "asst_1", "metadata": {"é": [1]}}}),
        ("aimlapi-update-run", {"threadId": "thread_1", "runId": "run_1", "body": {}}),
        ("aimlapi-get-run", {"threadId": "thread/1 ?", "runId": "run_1"}),
    ],
)
async def test_every_tool_is_called_with_its_arguments(
    base_url: str, calls: list[tuple[str, dict[str, Any]]], mode: str, tool: str, arguments: dict[str, Any]
) -> None:
    async with mcp.Client(base_url, mode=mode) as client:
        result = await client.call_tool(tool, arguments)
    assert calls == [(tool, arguments)]
    assert not result.is_error
    assert _text(result) == f'{{"tool": "{tool}"}}'
    assert result.structured_content == {"tool": tool}


@every_mode
async def test_an_upstream_error_is_a_tool_error_the_model_can_read(
    base_url: str, answers: dict[str, Outcome | Exception], mode: str
) -> None:
    answers["aimlapi-get-run"] = Outcome(404, "application/json", b'{"error":{"message":"No run found"}}')
    async with mcp.Client(base_url, mode=mode) as client:
        result = await client.call_tool("aimlapi-get-run", {"threadId": "t", "runId": "r"})
    assert result.is_error
    assert _text(result).splitlines() == [
        "The upstream API refused this call: 404 Not Found.",
        '{"error":{"message":"No run found"}}',
        "Check the identifiers in the arguments: what they name may not exist.",
    ]
    assert result.structured_content is None


@every_mode
async def test_a_fault_of_the_engine_is_a_tool_error(
    base_url: str, answers: dict[str, Outcome | Exception], refusal: Fault, mode: str
) -> None:
    answers["aimlapi-get-runs"] = refusal
    async with mcp.Client(base_url, mode=mode) as client:
        result = await client.call_tool("aimlapi-get-runs", {"threadId": "t"})
    assert result.is_error
    assert _text(result) == "The upstream API could not be reached: nothing listens there"


@every_mode
async def test_wrong_arguments_are_a_tool_error_that_names_them_and_call_nothing(
    base_url: str, calls: list[tuple[str, dict[str, Any]]], mode: str
) -> None:
    async with mcp.Client(base_url, mode=mode) as client:
        result = await client.call_tool("aimlapi-update-run", {"threadId": 7, "body": "text"})
    assert result.is_error
    assert _text(result) == (
        "The request's inputs are not valid: `threadId` must be a string, not 7; "
        "`runId` is required: give a string; `body` must be an object, not the string `text`"
    )
    assert calls == []


@every_mode
async def test_an_unknown_tool_is_a_protocol_error_with_the_nearest_name(base_url: str, mode: str) -> None:
    async with mcp.Client(base_url, mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("aimlapi-get-rums", {})
    assert caught.value.error.code == -32602
    assert caught.value.error.message == "Unknown tool: aimlapi-get-rums. Did you mean `aimlapi-get-runs`?"


@every_mode
async def test_a_crash_of_the_engine_is_told_without_its_words(
    base_url: str,
    answers: dict[str, Outcome | Exception],
    mode: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers["aimlapi-get-runs"] = ZeroDivisionError("the secret is 42")
    async with mcp.Client(base_url, mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("aimlapi-get-runs", {"threadId": "t"})
        assert (await client.call_tool("aimlapi-get-run", {"threadId": "t", "runId": "r"})).is_error is False
    assert (caught.value.error.code, caught.value.error.message) == (-32603, "Internal error")
    (record,) = [record for record in caplog.records if record.name == "capably.mcp"]
    assert record.exc_info is not None
    assert "aimlapi-get-runs" in record.getMessage()


@every_mode
async def test_an_image_arrives_as_an_image(base_url: str, answers: dict[str, Outcome | Exception], mode: str) -> None:
    answers["aimlapi-get-runs"] = Outcome(200, "image/png", b"\x89PNG")
    async with mcp.Client(base_url, mode=mode) as client:
        result = await client.call_tool("aimlapi-get-runs", {"threadId": "t"})
    assert result.content == [mcp_types.ImageContent(type="image", data="iVBORw==", mime_type="image/png")]


@pytest.mark.parametrize(("mode", "structured"), [("legacy", None), ("2026-07-28", [1, 2])])
async def test_a_list_is_structured_content_where_the_revision_allows_it(
    base_url: str, answers: dict[str, Outcome | Exception], mode: str, structured: list[int] | None
) -> None:
    answers["aimlapi-get-runs"] = Outcome(200, "application/json", b"[1, 2]")
    async with mcp.Client(base_url, mode=mode) as client:
        result = await client.call_tool("aimlapi-get-runs", {"threadId": "t"})
    assert result.structured_content == structured
    assert _text(result) == "[1, 2]"


async def test_a_legacy_client_can_ping(base_url: str) -> None:
    async with mcp.Client(base_url, mode="legacy") as client:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mcp.MCPDeprecationWarning)
            assert await client.send_ping() == mcp_types.EmptyResult()


async def test_many_calls_at_once_get_their_own_answers(base_url: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
    names = ["aimlapi-get-runs", "aimlapi-create-run"] * 20
    async with mcp.Client(base_url) as client:
        results = await asyncio.gather(*(client.call_tool(name, {"threadId": "t"}) for name in names))
    assert [result.structured_content for result in results] == [{"tool": name} for name in names]
    assert len(calls) == 40
