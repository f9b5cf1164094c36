"""Documents that are rewritten while they are served, and an upstream that says what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

from capably.app import Service, open_documents
from capably.servers.desk import Listener, Verdict
from capably.settings import Settings

SECRET = "sk-made-up-reload-0123456789"


class Echo:
    """An upstream: answers with the path and the header `X-Number` it was asked with; `/slow/...` waits for a test."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.connections = 0
        self.accepted = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.accepted += 1
        try:
            while line := await reader.readline():
                target = line.split()[1].decode()
                headers = {}
                while (field := (await reader.readline()).strip()) != b"":
                    name, _, value = field.partition(b":")
                    headers[name.lower()] = value.strip().decode()
                if target.startswith("/slow"):
                    self.asked.set()
                    await self.may_answer.wait()
                body = json.dumps(
                    {"path": int(target.rpartition("/")[2]), "header": int(headers[b"x-number"])}
                ).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.connections -= 1
            writer.close()


def outputs(number: int) -> list[dict[str, Any]]:
    """Constants that all say the number; many of them, so that an answer is not one write."""
    return [{"name": f"n{at}", "type": "integer", "value": number} for at in range(20)]


def document(number: int, upstream: str = "http://127.0.0.1:1", **more: Any) -> dict[str, Any]:
    """A document whose every answer says its number.

    `more` are keys of its servers: `rest` and `mcp` are merged into them, `exposes` stands beside them.
    """
    call = {"path": f"/fast/{number}", "slow": f"/slow/{number}"}
    operation = {"method": "GET", "inputParameters": [{"name": "X-Number", "in": "header", "value": str(number)}]}
    consumes = {
        "type": "http",
        "namespace": "echo",
        "baseUri": upstream,
        "resources": [
            {"name": name, "path": path, "operations": [{"name": f"get-{name}", **operation}]}
            for name, path in call.items()
        ],
    }
    rest = {
        "type": "rest",
        "namespace": "numbers-rest",
        "port": 0,
        "resources": [
            {
                "path": "/number",
                "operations": [{"method": "GET", "name": "number", "outputParameters": outputs(number)}],
            },
            {"path": "/echo", "operations": [{"method": "GET", "name": "echo", "call": "echo.get-path"}]},
            {"path": "/slow", "operations": [{"method": "GET", "name": "slow", "call": "echo.get-slow"}]},
        ],
        **more.get("rest", {}),
    }
    mcp = {
        "type": "mcp",
        "namespace": "numbers-mcp",
        "port": 0,
        "tools": [
            {"name": "number", "description": "Says its number.", "outputParameters": outputs(number)},
            {"name": "echo", "description": f"Generation {number}", "call": "echo.get-path"},
            {"name": "slow", "description": "Takes its time.", "call": "echo.get-slow"},
            *more.get("tools", []),
        ],
        **more.get("mcp", {}),
    }
    capability = {"consumes": [consumes], "exposes": [rest, mcp, *more.get("exposes", [])]}
    return {"ikanos": "1.0.0-beta4", "info": {"title": "Numbers"}, **more.get("root", {}), "capability": capability}


@dataclass
class Numbers:
    """A service that runs, and the file it serves."""

    file: Path
    echo: Echo
    service: Service
    http: aiohttp.ClientSession
    heard: list[Verdict] = field(default_factory=list)

    def write(self, number: int, **more: Any) -> None:
        self.file.write_text(json.dumps(document(number, self.echo.url, **more)), encoding="utf-8")

    async def reload(self, number: int, **more: Any) -> Verdict:
        self.write(number, **more)
        return await self.service.reload()

    def listener(self, namespace: str) -> Listener:
        return next(item for item in self.service.listeners if item.namespace == namespace)

    @property
    def rest(self) -> str:
        return self.listener("numbers-rest").url

    @property
    def mcp(self) -> str:
        return self.listener("numbers-mcp").url + "/mcp"

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        async with self.http.get(self.rest + path, **options) as response:
            return response.status, await response.json(content_type=None)


Serve = Callable[..., Any]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serves a document of a number in this process."""

    @asynccontextmanager
    async def serve(number: int = 1, settings: Settings | None = None, **more: Any) -> AsyncIterator[Numbers]:
        settings = settings or Settings(drain_s=2)
        file = tmp_path / "numbers.yaml"
        async with AsyncExitStack() as stack:
            echo = await stack.enter_async_context(Echo())
            file.write_text(json.dumps(document(number, echo.url, **more)), encoding="utf-8")
            service = Service(await open_documents([file], settings), settings)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            await stack.enter_async_context(service)
            numbers = Numbers(file, echo, service, http)
            service.join(numbers.heard.append)
            yield numbers

    return serve


@pytest.fixture
async def numbers(serve: Serve) -> AsyncIterator[Numbers]:
    async with serve() as running:
        yield running


Rewrite = Callable[..., Path]


@pytest.fixture
def rewrite(tmp_path: Path) -> Rewrite:
    """Writes a document of a number, in the place of the last one, as editors do."""
    file = tmp_path / "numbers.yaml"

    def rewrite(number: int, **more: Any) -> Path:
        beside = file.with_name(".numbers.yaml.swp")
        beside.write_text(json.dumps(document(number, **more)), encoding="utf-8")
        beside.replace(file)
        return file

    return rewrite
