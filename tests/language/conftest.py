"""A document in, what capably makes of it out: findings, operations, and the request that given inputs would make."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from capably.examine import Examined, examine_with
from capably.plan.consumed import Consumed
from capably.plan.operation import Operation
from capably.plan.variables import Given
from capably.render.text import render_text
from capably.upstream.request import Request, build_request


def called(operation: Operation) -> Consumed:
    """The work of an operation, which is to call a consumed one."""
    assert isinstance(operation.work, Consumed)
    return operation.work


@dataclass(frozen=True)
class Reading:
    """What became of a document."""

    examined: Examined

    @property
    def findings(self) -> list[str]:
        """Every finding: how bad, which code, where, what."""
        return [
            f"{item.severity} {item.code} {item.span.line}:{item.span.column} {item.message}"
            for item in self.examined.diagnostics
        ]

    @property
    def told(self) -> list[tuple[str, str]]:
        """Code and message of what a document was told beyond the usual: that its inputs are inferred."""
        return [(item.code, item.message) for item in self.examined.diagnostics if item.code != "INP001"]

    @property
    def codes(self) -> list[str]:
        return [code for code, _message in self.told]

    @property
    def help(self) -> list[str]:
        """All help lines, without those about inferred inputs."""
        return [line for item in self.examined.diagnostics if item.code != "INP001" for line in item.help]

    @property
    def rendered(self) -> str:
        """What `capably check` prints, for a file called `a.yaml`."""
        text = render_text(self.examined.diagnostics, self.examined.texts)
        return text.replace(self.examined.file, "a.yaml")

    @property
    def operations(self) -> list[Operation]:
        assert self.examined.compiled is not None, self.findings
        return [item for server in self.examined.compiled.plan.servers for item in server.operations]

    @property
    def operation(self) -> Operation:
        (only,) = self.operations
        return only

    @property
    def decisions(self) -> list[str]:
        """For each operation, the rule that decided what it calls, and what that is."""
        works = [called(operation) for operation in self.operations]
        return [f"{work.decided_by}: {work.target.method} {work.target.path}" for work in works]

    @property
    def inputs(self) -> dict[str, str]:
        """Each input as `location type`, with `?` behind it when it is optional, `*` when it is the whole body."""
        return {
            item.name: f"{item.location} {item.type}{'' if item.required else '?'}{'*' if item.whole_body else ''}"
            for item in self.operation.inputs
        }

    @property
    def missing(self) -> list[str]:
        assert self.examined.compiled is not None
        return [variable.name for variable in self.examined.compiled.missing]

    def request(self, **inputs: Any) -> Request:
        return build_request(called(self.operation).request, inputs)

    def sent(self, **inputs: Any) -> str:
        """Method and URL of the request, and its body when it has one."""
        request = self.request(**inputs)
        line = f"{request.method} {request.url}"
        return line if request.body is None else f"{line} {request.body.decode()}"


class Language:
    """Writes documents down and examines them."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "a.yaml"

    def read(self, text: str | bytes, *, reveal: bool = True, **given: Mapping[str, str]) -> Reading:
        """Examine a text. `sets`, `environ` and `upstreams` are what is given from outside."""
        self.file.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return Reading(asyncio.run(examine_with(self.file, Given(**given), reveal=reveal)))

    def data(self, document: Any, **given: Any) -> Reading:
        """Examine a document written as data."""
        return self.read(json.dumps(document), **given)

    def tool(
        self, consumed: Any = None, exposed: Any = None, *, path: str = "/ships", api: Any = None, **given: Any
    ) -> Reading:
        """Examine one MCP tool that calls `up.op`; the parts given are laid over the simplest ones."""
        server = {"type": "mcp", "namespace": "agent", "port": 9090}
        tool = {"name": "op", "description": "It.", "call": "up.op", **(exposed or {})}
        return self.data(_document(_api(consumed, path, api), {**server, "tools": [tool]}), **given)

    def route(
        self,
        route: str,
        consumed: Any = None,
        exposed: Any = None,
        *,
        path: str = "/ships",
        api: Any = None,
        **given: Any,
    ) -> Reading:
        """Examine one REST operation that calls `up.op`; `route` is its method and path."""
        method, _, front = route.partition(" ")
        operation = {"name": "op", "method": method, "call": "up.op", **(exposed or {})}
        server = {"type": "rest", "namespace": "web", "port": 8080}
        resources = [{"path": front, "operations": [operation]}]
        return self.data(_document(_api(consumed, path, api), {**server, "resources": resources}), **given)


def _api(consumed: Any, path: str, api: Any) -> dict[str, Any]:
    operation = {"name": "op", "method": "GET", **(consumed or {})}
    resources = [{"name": "all", "path": path, "operations": [operation]}]
    return {"type": "http", "namespace": "up", "baseUri": "https://up.test", "resources": resources, **(api or {})}


def _document(consumed: Any, *servers: Any) -> dict[str, Any]:
    binds = [{"namespace": "env", "keys": {"KEY": "KEY_OF_UP", "USER": "USER_OF_UP"}}]
    capability = {"consumes": [consumed], "exposes": list(servers)}
    return {"ikanos": "1.0.0-beta4", "binds": binds, "capability": capability}


@pytest.fixture
def language(tmp_path: Path) -> Language:
    return Language(tmp_path)
