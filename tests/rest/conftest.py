"""A REST server in front of the upstream, with operations of the test's own."""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.asking import Answer, ask
from tests.serving import serving

from capably.examine import Examined, examine
from capably.plan.operation import ServerPlan
from capably.servers.desk import Listener
from capably.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Upstream


@dataclass(frozen=True)
class Served:
    """A REST server that runs."""

    listener: Listener
    context: ssl.SSLContext | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.listener.port}"

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One call."""
        return ask(self.listener.port, method, path, body, headers, tls=self.context)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def written(*operations: Any, base: str = "http://up.test", path: str = "/x", **server: Any) -> dict[str, Any]:
    """A document: each operation is `GET /x` calling an operation of its own unless it says otherwise.

    Keys of the consumed operation stand below `consumed`.
    """
    resources, exposed = [], []
    for number, stated in enumerate(operations):
        operation = {"method": "GET", "name": f"op{number}", **stated}
        consumed = operation.pop("consumed", {})
        at = operation.pop("path", path)
        entry = {"name": f"op{number}", "method": operation["method"], **consumed}
        resources.append({"name": f"r{number}", "path": entry.pop("path", "/up"), "operations": [entry]})
        if "call" not in operation:
            operation["call"] = f"up.op{number}"
        exposed.append({"path": at, "operations": [{k: v for k, v in operation.items() if v is not None}]})
    rest = {"type": "rest", "namespace": "web", "port": 8080, "resources": exposed, **server}
    api = {"type": "http", "namespace": "up", "baseUri": base, "resources": resources}
    return {"ikanos": "1.0.0-beta4", "capability": {"consumes": [api], "exposes": [rest]}}


Examine = Callable[..., Examined]
Serve = Callable[..., Served]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a document down."""

    def write(*operations: Any, **more: Any) -> Path:
        file = tmp_path / "written.json"
        file.write_text(json.dumps(written(*operations, **more)), encoding="utf-8")
        return file

    return write


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[..., ServerPlan]:
    """The plan of a REST server, without serving it."""

    def plan_of(*operations: Any, **server: Any) -> ServerPlan:
        file = tmp_path / "planned.json"
        file.write_text(json.dumps(written(*operations, **server)), encoding="utf-8")
        compiled = examine(file).compiled
        assert compiled is not None
        return compiled.plan.servers[0]

    return plan_of


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., list[tuple[str, str]]]:
    """Code and message of what a document is told, but for what is inferred."""

    def told(*operations: Any, **server: Any) -> list[tuple[str, str]]:
        file = tmp_path / "told.json"
        file.write_text(json.dumps(written(*operations, **server)), encoding="utf-8")
        return [(d.code, d.message) for d in examine(file).diagnostics if d.code not in {"INP001", "SEC002"}]

    return told


@pytest.fixture
def serve(tmp_path: Path, shared_upstream: "Upstream") -> Iterator[Serve]:
    """Serves operations in front of the upstream; keywords are keys of the server."""
    with ExitStack() as stack:

        def serve(
            *operations: Any, settings: Settings | None = None, context: ssl.SSLContext | None = None, **server: Any
        ) -> Served:
            document = written(*operations, base=f"http://{shared_upstream.address}", **server)
            file = tmp_path / "served.json"
            file.write_text(json.dumps(document), encoding="utf-8")
            running = stack.enter_context(serving(settings or Settings(ports={"web": 0}), file))
            return Served(running.by_kind["rest"], context)

        yield serve
