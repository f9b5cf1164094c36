"""What is recorded beside HTTP requests: scripts of flows, and messages over standard input and output."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.telemetry.conftest import META, Serve, only, shape, written

from capably.examine import examine
from capably.plan.caller import Caller
from capably.plan.operation import Inputs, Operation
from capably.plan.outcome import Fault, Outcome
from capably.servers.mcp_protocol import Protocol
from capably.servers.mcp_stdio import Connection
from capably.telemetry import Status, Telemetry

if TYPE_CHECKING:
    from tests.conftest import Upstream

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_script_is_a_span_and_an_error_when_it_fails(serve: Serve, upstream: "Upstream", tmp_path: Path) -> None:
    (tmp_path / "shape.js").write_text("result = {count: 1}", encoding="utf-8")
    (tmp_path / "broken.js").write_text("throw new Error('no ship')", encoding="utf-8")

    def add(document: dict[str, Any]) -> None:
        resources = document["capability"]["exposes"][0]["resources"]
        for name in ("shape", "broken"):
            step = {"name": name, "type": "script", "language": "javascript", "file": f"{name}.js"}
            step |= {"location": f"file://{tmp_path}"}
            operation = {"name": name, "method": "GET", "steps": [step]}
            resources.append({"path": f"/{name}", "operations": [operation]})

    fleet = serve(change=add)
    assert fleet.get("/shape")[0] == 200
    assert fleet.get("/broken")[0] == 400

    broken, shaped = fleet.traces(2)
    assert shape(shaped) == [("rest.request", ["step.script"])]
    assert only(shaped, "step.script").attributes == {
        "ikanos.step.index": 0,
        "ikanos.step.name": "shape",
        "ikanos.step.script.file": "shape.js",
        "ikanos.step.script.language": "javascript",
    }
    assert only(shaped, "step.script").duration_ns > 0
    failed = only(broken, "step.script")
    assert failed.status is Status.ERROR
    assert "no ship" in failed.error
    assert [event.name for event in failed.events] == ["exception"]
    assert broken.status is Status.OK, "400 is the caller's mistake"


async def test_messages_over_stdio_are_requests_too_and_tell_their_trace_in_meta(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    file.write_text(json.dumps(written("up.test")), encoding="utf-8")
    compiled = examine(file).compiled
    assert compiled is not None
    server = next(item for item in compiled.plan.servers if item.namespace == "agent")
    telemetry = Telemetry()

    async def invoke(operation: Operation, _inputs: Inputs, _caller: Caller) -> Outcome:
        if operation.name == "keyed":
            raise Fault(504, "upstream-timeout", "The upstream did not answer in time", "try again")
        return Outcome(200, "application/json", b"{}")

    async def lines() -> AsyncIterator[bytes]:
        for number, name in enumerate(("list-ships", "keyed")):
            params = {"name": name, "arguments": {}, "_meta": {**META, "traceparent": PARENT}}
            yield json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode()
        listing = {"jsonrpc": "2.0", "id": 3, "method": "tools/list", "params": {"_meta": META}}
        yield json.dumps(listing).encode()
        yield b"no JSON"

    said: list[bytes] = []

    async def write(data: bytes) -> None:
        said.append(data)

    around = telemetry.around_messages(server, "Fleet")
    connection = Connection(Protocol(server), telemetry.around_tools(invoke), 20_000, write, around)
    await asyncio.wait_for(connection.serve(lines(), 5), 10)

    assert len(said) == 4
    of_caller = telemetry.traces.find(PARENT[3:35])
    assert of_caller is not None
    assert sorted(map(str, shape(of_caller))) == ["('mcp.request', ['mcp.tool'])"] * 2
    assert of_caller.status is Status.ERROR
    operations = [trace.operation for trace in telemetry.traces.recent()]
    assert sorted(operations) == ["_OTHER", "tools/call list-ships", "tools/list"]
