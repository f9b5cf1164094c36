"""A capability whose requests are recorded, served in a thread beside the test."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.asking import ask
from tests.serving import serving

from capably.app import Service
from capably.plan.variables import Given
from capably.settings import ControlSettings, Settings
from capably.telemetry import Span, SpanKind, Telemetry, Trace
from capably.upstream.client import ClientLimits

if TYPE_CHECKING:
    from tests.conftest import Upstream

SECRET = "hunter22-and-more"
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
STEPS = [
    {"name": "ships", "type": "call", "call": "up.list"},
    {"name": "crew", "type": "call", "call": "up.crew"},
    {"name": "found", "type": "lookup", "index": "ships", "match": "id", "lookupValue": "$.crew.ship"},
]


def written(address: str, observability: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A document with operations of every kind over REST, MCP and skills, and a control server."""
    consumed = [
        {"name": "ships", "path": "/ships", "operations": [{"name": "list", "method": "GET"}]},
        {"name": "ship", "path": "/ships/{imo}", "operations": [{"name": "get", "method": "GET"}]},
        {"name": "crew", "path": "/crew", "operations": [{"name": "crew", "method": "GET"}]},
        {
            "name": "keyed",
            "path": "/keyed",
            "operations": [
                {
                    "name": "keyed",
                    "method": "GET",
                    "inputParameters": [
                        {"name": "q", "in": "query", "value": "{{PASSPHRASE}}"},
                        {"name": "api_key", "in": "query", "value": "not-declared"},
                    ],
                }
            ],
        },
    ]
    works: dict[str, dict[str, Any]] = {
        "list-ships": {"call": "up.list"},
        "keyed": {"call": "up.keyed"},
        "steps": {"steps": STEPS, "mappings": [{"targetName": "crew", "value": "$.crew"}]},
        "board": {"ref": "fleet.board"},
    }
    rest = [
        {"path": f"/{name}", "operations": [{"name": name, "method": "GET", **work}]} for name, work in works.items()
    ]
    rest.append({"path": "/ships/{imo}", "operations": [{"name": "get", "method": "GET", "call": "up.get"}]})
    forward = {"path": "/raw/{path}", "forward": {"targetNamespace": "up"}}
    tools = [{"name": name, "description": "T.", **work} for name, work in works.items()]
    control: dict[str, Any] = {"type": "control", "address": "127.0.0.1", "port": 9990}
    if observability is not None:
        control["observability"] = dict(observability)
    return {
        "ikanos": "1.0.0-beta4",
        "info": {"display": "Fleet", "description": "Ships."},
        "binds": [{"namespace": "env", "keys": {"PASSPHRASE": "PASSPHRASE"}}],
        "capability": {
            "consumes": [{"type": "http", "namespace": "up", "baseUri": f"http://{address}", "resources": consumed}],
            "aggregates": [
                {
                    "display": "Fleet",
                    "namespace": "fleet",
                    "flows": [{"name": "board", "description": "B.", "steps": STEPS}],
                }
            ],
            "exposes": [
                {"type": "rest", "namespace": "web", "port": 8080, "resources": [*rest, forward]},
                {"type": "mcp", "namespace": "agent", "port": 9090, "tools": tools},
                {
                    "type": "skill",
                    "namespace": "skills",
                    "port": 9091,
                    "skills": [{"name": "sailing", "description": "S.", "tools": []}],
                },
                control,
            ],
        },
    }


@dataclass(frozen=True)
class Recorded:
    """A service whose requests are recorded, and ways to call it."""

    service: Service
    stop: Callable[[], None]

    @property
    def telemetry(self) -> Telemetry:
        assert self.service.telemetry is not None
        return self.service.telemetry

    def port(self, namespace: str) -> int:
        return next(item.port for item in self.service.listeners if item.namespace == namespace)

    def get(self, path: str, headers: Mapping[str, str] | None = None, *, namespace: str = "web") -> tuple[int, bytes]:
        return self.send("GET", path, None, headers, namespace)

    def send(
        self, method: str, path: str, body: Any, headers: Mapping[str, str] | None, namespace: str
    ) -> tuple[int, bytes]:
        answer = ask(self.port(namespace), method, path, body, headers)
        return answer.status, answer.body

    def rpc(
        self, method: str, params: Mapping[str, Any], headers: Mapping[str, str] | None = None, **meta: Any
    ) -> dict[str, Any]:
        """One MCP message of the modern era."""
        era = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Content-Type": "application/json"}
        if "name" in params:
            era["Mcp-Name"] = params["name"]
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": {**META, **meta}}}
        _status, answer = self.send("POST", "/mcp", json.dumps(body), {**era, **(headers or {})}, "agent")
        told: dict[str, Any] = json.loads(answer)
        return told

    def tool(self, name: str, headers: Mapping[str, str] | None = None, **meta: Any) -> dict[str, Any]:
        return self.rpc("tools/call", {"name": name, "arguments": {}}, headers, **meta)

    def traces(self, count: int = 1) -> list[Trace]:
        """The newest traces with their spans, once there are so many: the last of an answer is sent before they end."""
        deadline = time.monotonic() + 10
        while len(found := list(self.telemetry.traces.recent())) < count:
            assert time.monotonic() < deadline, f"{len(found)} traces of {count}"
            time.sleep(0.002)
        whole = [self.telemetry.traces.find(trace.trace_id) for trace in found]
        return [trace for trace in whole if trace is not None]

    @property
    def trace(self) -> Trace:
        (trace,) = self.traces()
        return trace


def shape(trace: Trace) -> list[Any]:
    """The spans of a trace as a tree of their names."""
    ids = {span.span_id for span in trace.spans}
    return [_shape(trace, span) for span in trace.spans if span.parent_id not in ids]


def _shape(trace: Trace, span: Span) -> Any:
    inner = [_shape(trace, below) for below in trace.spans if below.parent_id == span.span_id]
    return (span.name, inner) if inner else span.name


def only(trace: Trace, name: str) -> Span:
    (span,) = [span for span in trace.spans if span.name == name]
    return span


def entry(trace: Trace) -> Span:
    (span,) = [span for span in trace.spans if span.kind is SpanKind.SERVER]
    return span


@contextmanager
def recorded(document: Mapping[str, Any], folder: Path, settings: Settings) -> Iterator[Recorded]:
    """Serve a document on free ports, in a thread."""
    file = folder / "fleet.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with serving(settings, file) as running:
        yield Recorded(running.service, running.stop)


Serve = Callable[..., Recorded]


@pytest.fixture
def serve(upstream: "Upstream", tmp_path: Path) -> Iterator[Serve]:
    """Serves the document, its requests recorded as `observability` says."""
    with ExitStack() as stack:

        def start(
            observability: Mapping[str, Any] | None = None,
            environ: Mapping[str, str] | None = None,
            change: Callable[[dict[str, Any]], None] | None = None,
            **more: Any,
        ) -> Recorded:
            document = written(upstream.address, observability)
            if change is not None:
                change(document)
            given = Given({}, {"PASSPHRASE": SECRET, **(environ or {})})
            settings = Settings(
                given,
                ports={"web": 0, "agent": 0, "skills": 0},
                drain_s=1,
                control=ControlSettings(0),
                client=ClientLimits(answer_s=2),
            )
            return stack.enter_context(recorded(document, tmp_path, replace(settings, **more)))

        yield start


@pytest.fixture
def fleet(serve: Serve) -> Recorded:
    """The document, with everything recorded."""
    return serve()
