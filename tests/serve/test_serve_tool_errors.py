"""What goes wrong behind a tool is told to the model in words it can act on, and gives nothing away."""

from typing import TYPE_CHECKING

import mcp
import mcp_types
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Upstream
    from tests.serve.conftest import Serve, Served

every_mode = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


async def error_of(served: "Served", mode: str, tool: str = "aimlapi-get-runs") -> str:
    """The text of a tool error."""
    async with mcp.Client(served.mcp, mode=mode) as client:
        result = await client.call_tool(tool, {"threadId": "t1"})
    assert result.is_error
    assert result.structured_content is None
    (block,) = result.content
    assert isinstance(block, mcp_types.TextContent)
    return block.text


def check_nothing_leaks(text: str, upstream: "Upstream", key: str) -> None:
    for secret in (key, "Bearer", upstream.address, str(upstream.port), "Traceback", "aiohttp"):
        assert secret not in text


@every_mode
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_a_refusal_is_told_with_its_status_and_body(
    bundled: "Served", upstream: "Upstream", key: str, mode: str, status: int
) -> None:
    upstream.answer(status, {"error": {"message": "No thread found with id 't1'."}}, {"Retry-After": "7"})
    text = await error_of(bundled, mode)
    assert str(status) in text
    assert "No thread found with id 't1'." in text
    assert "7 seconds" in text
    check_nothing_leaks(text, upstream, key)


@every_mode
async def test_an_upstream_that_is_not_there_is_told(
    serve: "Serve", upstream: "Upstream", key: str, free_port: "Callable[[], int]", mode: str
) -> None:
    port = free_port()
    text = await error_of(serve(baseurl=f"127.0.0.1:{port}"), mode)
    assert text.startswith("The upstream cannot be reached: `aimlapi-threads-runs`")
    assert str(port) not in text
    check_nothing_leaks(text, upstream, key)


@every_mode
async def test_an_upstream_that_does_not_answer_in_time_is_told_and_let_go(
    serve: "Serve", upstream: "Upstream", key: str, mode: str
) -> None:
    held = upstream.play(b"", hold=True)
    text = await error_of(serve(answer_s=0.2), mode)
    assert text.startswith("The upstream did not answer in time")
    assert held.gone.wait(5)
    check_nothing_leaks(text, upstream, key)


@every_mode
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_an_answer_that_breaks_off_is_told(
    bundled: "Served", upstream: "Upstream", key: str, mode: str, kind: str
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 99\r\n\r\n".encode()
    upstream.play(head + b"data: {", close=True)
    text = await error_of(bundled, mode, "aimlapi-create-run")
    assert text.startswith("The upstream's answer broke off")
    assert len(upstream.requests) == 1
    check_nothing_leaks(text, upstream, key)


@every_mode
async def test_a_redirect_to_another_host_is_told_and_not_followed(
    bundled: "Served", upstream: "Upstream", key: str, mode: str
) -> None:
    upstream.answer(302, headers={"Location": f"http://localhost:{upstream.port}/"})
    text = await error_of(bundled, mode)
    assert text.startswith("The upstream redirected the call")
    assert len(upstream.requests) == 1
    check_nothing_leaks(text, upstream, key)


@every_mode
async def test_wrong_arguments_are_told_with_what_was_expected_and_call_nothing(
    bundled: "Served", upstream: "Upstream", mode: str
) -> None:
    async with mcp.Client(bundled.mcp, mode=mode) as client:
        result = await client.call_tool("aimlapi-update-run", {"threadId": 7, "body": []})
    assert result.is_error
    for words in ("`threadId` must be a string, not 7", "`runId` is required", "`body` must be an object, not a list"):
        assert words in str(result.content)
    assert upstream.requests == []
