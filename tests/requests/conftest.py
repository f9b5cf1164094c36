"""A consumed operation in, the request that a tool calling it makes out."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from capably.examine import Examined, examine_with
from capably.plan.consumed import Consumed
from capably.plan.inputs import accept
from capably.plan.operation import Operation
from capably.plan.variables import Given
from capably.upstream.request import Request, build_request


@dataclass(frozen=True)
class Compiled:
    """A document with one tool `t` that calls `up.op`."""

    examined: Examined

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(item.code, item.message) for item in self.examined.diagnostics if item.code != "INP001"]

    @property
    def operation(self) -> Operation:
        assert self.examined.compiled is not None, self.told
        (server,) = self.examined.compiled.plan.servers
        (operation,) = server.operations
        return operation

    @property
    def inputs(self) -> list[str]:
        return [item.name for item in self.operation.inputs]

    @property
    def schemas(self) -> dict[str, Mapping[str, Any]]:
        return {item.name: item.schema for item in self.operation.inputs}

    def request(self, **inputs: Any) -> Request:
        work = self.operation.work
        assert isinstance(work, Consumed)
        return build_request(work.request, accept(self.operation, inputs))

    def url(self, **inputs: Any) -> str:
        return self.request(**inputs).url.removeprefix("https://up.test")

    def headers(self, **inputs: Any) -> dict[str, str]:
        return dict(self.request(**inputs).headers)


Compile = Callable[..., Compiled]


def written(operation: Any, path: str, api: Any, resource: Any, tool: Any) -> str:
    consumed = {
        "namespace": "up",
        "baseUri": "https://up.test",
        "resources": [{"name": "r", "path": path, "operations": [{"name": "op", **operation}], **resource}],
        **api,
    }
    server = {"type": "mcp", "namespace": "a", "port": 1, "tools": [{"name": "t", "call": "up.op", **tool}]}
    binds = [{"namespace": "env", "keys": {"KEY": "KEY"}}]
    return json.dumps(
        {"ikanos": "1.0.0-beta4", "binds": binds, "capability": {"consumes": [consumed], "exposes": [server]}}
    )


@pytest.fixture
def compiled(tmp_path: Path) -> Compile:
    """Compiles a document whose consumed operation is the one given."""

    def read(
        operation: Any = None, path: str = "/x", *, api: Any = None, resource: Any = None, tool: Any = None
    ) -> Compiled:
        file = tmp_path / "a.yaml"
        file.write_text(written(operation or {}, path, api or {}, resource or {}, tool or {}), encoding="utf-8")
        given = Given({}, {"KEY": "made-up", "FROM_OUTSIDE": "outer"})
        return Compiled(asyncio.run(examine_with(file, given)))

    return read
