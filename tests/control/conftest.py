"""Processes with a control server: served in this process, and asked over HTTP."""

import http.client
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.asking import ask
from tests.processes import Capably

from capably.app import Service, open_documents
from capably.plan.operation import Kind
from capably.plan.variables import Given
from capably.servers.desk import Listener
from capably.settings import ControlSettings, Settings

SCRIPT = {"name": "s", "type": "script", "language": "javascript", "file": "a.js"}
OPERATIONS: list[dict[str, Any]] = [
    {"method": "GET", "name": "hello", "outputParameters": [{"name": "a", "type": "string", "value": "hello"}]},
    {"method": "POST", "name": "compute", "steps": [SCRIPT]},
    {"method": "PUT", "name": "fail", "call": "up.op"},
]
CONSUMED = {
    "namespace": "up",
    "baseUri": "http://127.0.0.1:9/",
    "authentication": {"type": "bearer", "token": "{{env.KEY}}"},
    "resources": [
        {
            "name": "r",
            "path": "/x",
            "operations": [
                {
                    "name": "op",
                    "method": "PUT",
                    "inputParameters": [{"name": "X-Api-Key", "in": "header", "value": "written-out"}],
                }
            ],
        }
    ],
}


def written(control: dict[str, Any] | None = None, display: str = "Fleet") -> str:
    """A document with a REST server, and a control server when one is described."""
    web = {"type": "rest", "namespace": "web", "port": 0, "resources": [{"path": "/x", "operations": OPERATIONS}]}
    declared = [] if control is None else [{"type": "control", "port": 0, **control}]
    return json.dumps(
        {
            "ikanos": "1.0.0-beta4",
            "info": {"display": display},
            "binds": [{"namespace": "env", "keys": {"KEY": "FLEET_KEY"}}],
            "capability": {"consumes": [CONSUMED], "exposes": [web, *declared]},
        }
    )


@dataclass(frozen=True)
class Answer:
    """What a caller got; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def problem(self) -> tuple[int, str, str]:
        """Status, last part of the type, and detail of a problem."""
        assert self.headers["content-type"] == "application/problem+json"
        return self.status, self.json["type"].rpartition(":")[2], self.json["detail"]


@dataclass(frozen=True)
class Controlled:
    """A process that is served, and how it is asked."""

    service: Service
    session: aiohttp.ClientSession
    document: Path

    def listener(self, kind: Kind) -> Listener:
        (found,) = (item for item in self.service.listeners if item.kind is kind)
        return found

    @property
    def url(self) -> str:
        return self.listener(Kind.CONTROL).url

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask the control server; `_` in header names stands for `-`, bytes are sent as they are, the rest as JSON."""
        return await self._ask(method, self.url + path, body, headers)

    async def call(self, method: str = "GET") -> Answer:
        """Call the REST server."""
        return await self._ask(method, f"{self.listener(Kind.REST).url}/x", None, {})

    async def _ask(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body
        if body is not None and not isinstance(body, bytes):
            data, sent = json.dumps(body).encode(), {"content-type": "application/json", **sent}
        async with self.session.request(
            method, url, data=data, headers=sent, skip_auto_headers=["content-type"]
        ) as reply:
            text = await reply.text()
            return Answer(reply.status, {name.lower(): value for name, value in reply.headers.items()}, text)


Control: TypeAlias = Callable[..., Awaitable[Controlled]]


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    """Serves a document with a control server: everything on, unless one is described."""
    (tmp_path / "a.js").write_text("result = 41 + 1", encoding="utf-8")
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def serve(declared: dict[str, Any] | None = None, token: str = "", **settings: Any) -> Controlled:
            document = tmp_path / "fleet.yaml"
            document.write_text(written(declared), encoding="utf-8")
            asked = ControlSettings(0, None, token) if declared is None else None
            given = Given(environ=ENVIRON)
            chosen = replace(Settings(given=given, control=asked, drain_s=1.0), **settings)
            service = Service(await open_documents([document], chosen), chosen)
            return Controlled(await stack.enter_async_context(service), session, document)

        yield serve


ENVIRON = {"FLEET_KEY": "topsecret-0123", "TOKEN": "let-me-in"}


class Process(Capably):
    """`capably serve` as its own process."""

    @property
    def document(self) -> Path:
        return self.files[0].with_name("fleet.yaml")

    @property
    def control(self) -> str:
        return self.urls["control"]

    def ask(self, method: str, server: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """Status and body of one request, over a connection of its own."""
        answer = ask(urlsplit(self.urls[server]).netloc, method, path, body, headers)
        return answer.status, answer.body

    @contextmanager
    def following(self, path: str) -> "Iterator[Iterator[Any]]":
        """What the control server tells from now on, as server-sent events."""
        with closing(http.client.HTTPConnection(urlsplit(self.control).netloc, timeout=20)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            assert response.status == 200
            yield (json.loads(line[6:]) for line in response if line.startswith(b"data: "))

    @property
    def hello(self) -> Any:
        """What the REST server answers."""
        return json.loads(self.ask("GET", "web", "/x")[1])


Serve: TypeAlias = Callable[..., Process]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts `capably serve` in a folder of its own; ends it with SIGTERM."""
    started: list[Process] = []
    (tmp_path / "a.js").write_text("result = 41 + 1", encoding="utf-8")

    def start(control: dict[str, Any] | None = None, *arguments: str) -> Process:
        document = tmp_path / "fleet.yaml"
        document.write_text(written(control), encoding="utf-8")
        process = Process.start(tmp_path, "serve", document, *arguments, env=os.environ | ENVIRON)
        started.append(process)
        return process.until("ready")

    yield start
    for process in started:
        assert process.stop() == 0
