"""A document with skills and their files, and a client of the server that is made of it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from capably.app import open_documents, running
from capably.plan.variables import Given
from capably.settings import Settings

DOCUMENT = """\
ikanos: 1.0.0-beta4
binds: [{namespace: env, keys: {DOOR: DOOR}}]
capability:
  consumes:
  - {namespace: up, type: http, baseUri: https://up.test,
     resources: [{name: ships, path: /ships, operations: [{name: list, method: GET}]}]}
  exposes:
  - {type: rest, namespace: web, port: 0,
     resources: [{path: /ships, operations: [{method: GET, name: list-ships, call: up.list}]}]}
  - {type: mcp, namespace: tools, port: 0, tools: [{name: list-ships, description: Lists., call: up.list}]}
  - type: skill
    namespace: skills
    port: 0
    description: What can be done with ships.
    skills:
      fleet-ops:
        description: Find ships. Use it when somebody asks for one.
        license: Apache-2.0
        compatibility: any agent
        argument-hint: '[name]'
        allowed-tools: list-ships
        user-invocable: true
        disable-model-invocation: false
        metadata: {owner: harbour}
        location: ./fleet
        tools:
          list-ships: {description: All ships., from: {sourceNamespace: tools, action: list-ships}}
          by-rest: {description: The same., from: {sourceNamespace: WEB, action: List_Ships}}
          guide: {description: How to choose., instruction: docs/guide.md}
      about: {description: A description alone.}
"""
GUIDE = "# How to choose\n\nTake the nearest. ⚓\n"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The document, its skill's folder beside it, and a secret beside that."""
    (tmp_path / "fleet" / "docs").mkdir(parents=True)
    (tmp_path / "fleet" / "SKILL.md").write_text("---\nname: fleet-ops\n---\n", encoding="utf-8")
    (tmp_path / "fleet" / "docs" / "guide.md").write_text(GUIDE, encoding="utf-8")
    (tmp_path / "fleet" / "docs" / "a b.bin").write_bytes(bytes(range(256)))
    (tmp_path / "fleet" / ".env").write_text("SECRET=1", encoding="utf-8")
    (tmp_path / "fleet" / "docs" / "linked.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "fleet" / "linked").symlink_to(tmp_path)
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    path = tmp_path / "fleet.yaml"
    path.write_text(DOCUMENT, encoding="utf-8")
    return path


class Agent:
    """Asks a server, and reads each answer to its end. `..` in a path stays what it is."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self.session = url, session

    async def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> aiohttp.ClientResponse:
        answer = await self.session.request(method, URL(f"{self.url}{path}", encoded=True), headers=headers)
        await answer.read()
        return answer

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> aiohttp.ClientResponse:
        return await self.ask("GET", path, headers)


Client = Callable[[Path], AbstractAsyncContextManager[Agent]]


@pytest.fixture
def client() -> Client:
    """Serves a document and gives an agent that asks its skill server."""

    @asynccontextmanager
    async def client(path: Path) -> AsyncIterator[Agent]:
        settings = Settings(given=Given(environ={"DOOR": "open"}))
        async with running(await open_documents([path], settings), settings) as listeners:
            url = next(item.url for item in listeners if item.plan.kind.value == "skill")
            async with aiohttp.ClientSession() as session:
                yield Agent(url, session)

    return client
