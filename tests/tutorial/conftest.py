"""`capably serve` in front of `capably mock`: real processes on loopback, asked with real clients."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import mcp
import mcp_types
import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.asking import Answer, ask
from tests.processes import ready

MCP_TOKEN = "sk-mcp-YYYYYYYYYYYY"
TUTORIAL = Path(__file__).parents[2] / ".." / "shared" / "tutorial"
OPENAPI = [
    TUTORIAL / "shared" / f"naftiko-shipyard-{name}-api.yaml" for name in ("maritime-registry", "legacy-dockyard")
]
NAMESPACES = ("shipyard-tools", "shipyard-api", "shipyard-skills")


@contextmanager
def _mocks(folder: Path, *files: Path, **expected: str) -> Iterator[list[str]]:
    """Mocks of OpenAPI files; gives their URLs. They are strict when they expect something."""
    demands = [part for name, value in expected.items() for part in ("--expect", f"{name}={value}")]
    options = ["--strict", *demands] if expected else []
    with ready(folder, "mock", *files, "--port", "0", *options) as process:
        yield re.findall(r"http://127\.0\.0\.1:\d+\S*", process.stderr)


@dataclass(frozen=True)
class Served:
    """A document that is served: the URL of each server by its kind, and the token its tools want."""

    urls: dict[str, str] = field(default_factory=dict)
    token: str | None = None

    def ask(self, method: str, path: str, body: Any = None, kind: str = "rest") -> Answer:
        """One REST call."""
        return ask(urlsplit(self.urls[kind]).netloc, method, path, body)

    @asynccontextmanager
    async def tools(self, mode: str = "auto") -> AsyncIterator["Tools"]:
        """An MCP client that shows its token."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=20) as client,
            mcp.Client(streamable_http_client(self.urls["mcp"], http_client=client), mode=mode) as session,
        ):
            yield Tools(session)


@dataclass(frozen=True)
class Tools:
    """The tools of a server."""

    client: mcp.Client

    async def listed(self) -> dict[str, mcp_types.Tool]:
        return {tool.name: tool for tool in (await self.client.list_tools()).tools}

    async def call(self, name: str, **arguments: Any) -> Any:
        """The JSON that a tool answers with."""
        result = await self.client.call_tool(name, arguments)
        assert not result.is_error, result.content
        return json.loads(_text_of(result))

    async def error(self, name: str, **arguments: Any) -> str:
        """What a tool says of its failure."""
        result = await self.client.call_tool(name, arguments)
        assert result.is_error, result.content
        return _text_of(result)


def _text_of(result: mcp_types.CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, mcp_types.TextContent)
    return block.text


@contextmanager
def _serving(
    folder: Path, document: Path, namespaces: list[str], upstreams: dict[str, str], token: str | None = None
) -> Iterator[Served]:
    """A document that is served on free ports of loopback, in front of these upstreams."""
    ports = [part for name in namespaces for part in ("--port", f"{name}=0")]
    given = [part for name, url in upstreams.items() for part in ("--upstream", f"{name}={url}")]
    with ready(folder, "serve", document, "--strict", "--host", "127.0.0.1", *ports, *given) as process:
        rows = re.findall(r"^(rest|mcp|skill) +\S+ +(http://\S+)", process.stderr, re.MULTILINE)
        yield Served(dict(rows), token)


Mocks = Callable[..., AbstractContextManager[list[str]]]
Serving = Callable[..., AbstractContextManager[Served]]


@pytest.fixture(scope="session")
def mocks() -> Mocks:
    """Runs `capably mock`."""
    return _mocks


@pytest.fixture(scope="session")
def serving() -> Serving:
    """Runs `capably serve`."""
    return _serving


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tutorial")


Step = Callable[[int], Served]
# What the APIs are sent. The documents before step 3 prove nothing; the file that step 11 imports has the names of its
# secrets where it means their values.
EXPECTED = {
    1: {},
    3: {"bearerAuth": "dummy-token", "Registry-Version": "1.0.0-alpha2", "apiKeyAuth": "dummy-dockyard-key"},
    11: {"bearerAuth": "REGISTRY_TOKEN", "Registry-Version": "REGISTRY_VERSION", "apiKeyAuth": "dummy-dockyard-key"},
}


@pytest.fixture(scope="session")
def step(folder: Path) -> Iterator[Step]:
    """Serves a document of the tutorial, once, in front of mocks that verify what they are sent."""
    if not TUTORIAL.is_dir():
        pytest.skip("the tutorial is not here")
    served: dict[int, Served] = {}
    mocked: dict[int, dict[str, str]] = {}
    with ExitStack() as stack:

        def upstreams(number: int) -> dict[str, str]:
            first = max(known for known in EXPECTED if known <= number)
            if first not in mocked:
                urls = stack.enter_context(_mocks(folder, *OPENAPI, **EXPECTED[first]))
                mocked[first] = dict(zip(("registry", "legacy"), urls, strict=True))
            names = () if number == 1 else ("registry",) if number < 5 else ("registry", "legacy")
            return {name: mocked[first][name] for name in names}

        def serve(number: int) -> Served:
            if number not in served:
                (document,) = TUTORIAL.glob(f"step-{number}-*.yml")
                text = document.read_text(encoding="utf-8")
                namespaces = [name for name in NAMESPACES if f"namespace: {name}" in text]
                token = MCP_TOKEN if number >= 3 else None
                served[number] = stack.enter_context(_serving(folder, document, namespaces, upstreams(number), token))
            return served[number]

        yield serve
