"""The four tools of the Threads > Runs document as a plan, a made-up engine behind them, and a real server in front."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from capably.diagnostics import Span
from capably.inbound.server import Server
from capably.plan.answer import Answer
from capably.plan.caller import Caller, Invoke
from capably.plan.consumed import Consumed, Target
from capably.plan.operation import Hints, Input, Inputs, Kind, Location, Operation, Origin, ServerPlan
from capably.plan.outcome import Fault, Outcome
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import Application, Limits
from capably.servers.mcp import build_app
from capably.servers.mcp_protocol import Protocol
from capably.upstream.request import RequestTemplate

SPAN = Span("threads-runs.yaml", 1, 1, 1, 2)
NAMESPACE = "aimlapi-threads-runs-mcp"


def _identifier(name: str) -> Input:
    schema = {"type": "string"}
    return Input(name, Location.ARGUMENT, name, "string", required=True, origin=Origin.WITH, schema=schema)


def _body() -> Input:
    schema = {"type": "object", "description": "Request body (JSON)."}
    return Input(
        "body", Location.ARGUMENT, "body", "object", required=False, origin=Origin.WITH, schema=schema, whole_body=True
    )


def _tool(name: str, description: str, method: str, inputs: tuple[Input, ...], hints: Hints | None) -> Operation:
    return Operation(
        server=Kind.MCP,
        namespace=NAMESPACE,
        name=name,
        title=description.removeprefix("AIMLAPI "),
        description=description,
        inputs=inputs,
        work=Consumed(
            Target("aimlapi-threads-runs", "threads-threadId-runs", name, method, "/threads/{threadId}/runs"),
            decided_by="name",
            request=RequestTemplate(method, "http://upstream.test", ("/threads",)),
        ),
        answer=Answer(),
        span=SPAN,
        hints=hints,
    )


@pytest.fixture(scope="session")
def server() -> ServerPlan:
    thread, run, body = _identifier("threadId"), _identifier("runId"), _body()
    reads = Hints(read_only=True, destructive=False, idempotent=True)
    writes = Hints(read_only=False, destructive=False, idempotent=False)
    return ServerPlan(
        kind=Kind.MCP,
        namespace=NAMESPACE,
        address=None,
        port=9090,
        description="MCP adapter for Threads > Runs.",
        title="AIMLAPI Threads > Runs",
        version="1.2.0",
        operations=(
            _tool("aimlapi-get-runs", "AIMLAPI Get Runs", "GET", (thread,), reads),
            _tool("aimlapi-create-run", "AIMLAPI Create Run", "POST", (thread, body), writes),
            _tool("aimlapi-update-run", "AIMLAPI Update Run", "POST", (thread, run, body), None),
            _tool("aimlapi-get-run", "AIMLAPI Get Run", "GET", (thread, run), Hints(read_only=True)),
        ),
        span=SPAN,
        port_span=SPAN,
    )


@pytest.fixture
def protocol(server: ServerPlan) -> Protocol:
    return Protocol(server)


@pytest.fixture
def calls() -> list[tuple[str, dict[str, Any]]]:
    """What the engine was asked to run: tool names with their inputs, in order."""
    return []


@pytest.fixture
def answers() -> dict[str, Outcome | Exception]:
    """What the engine gives back, by tool name; a tool without an entry echoes what it was asked."""
    return {}


@pytest.fixture
def invoke(calls: list[tuple[str, dict[str, Any]]], answers: dict[str, Outcome | Exception]) -> Invoke:
    async def invoke(operation: Operation, inputs: Inputs, _caller: Caller) -> Outcome:
        await asyncio.sleep(0)
        calls.append((operation.name, dict(inputs)))
        answer = answers.get(operation.name, _echo(operation))
        if isinstance(answer, Exception):
            raise answer
        return answer

    return invoke


def _echo(operation: Operation) -> Outcome:
    return Outcome(200, "application/json", b'{"tool": "%b"}' % operation.name.encode())


@pytest.fixture
def app(server: ServerPlan, invoke: Invoke) -> Application:
    return build_app(server, invoke, Limits(body_bytes=20_000), Gatekeeper())


@pytest.fixture(scope="session")
def serve() -> Callable[[Application], AbstractAsyncContextManager[str]]:
    """Run an application on loopback; the context gives the base URL."""

    @asynccontextmanager
    async def serve(app: Application) -> AsyncIterator[str]:
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(app)
        await server.start(listener)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await server.end(0.1)

    return serve


@pytest.fixture
async def base_url(
    app: Application, serve: Callable[[Application], AbstractAsyncContextManager[str]]
) -> AsyncIterator[str]:
    async with serve(app) as url:
        yield url


@pytest.fixture
def refusal() -> Fault:
    return Fault(502, "upstream-unreachable", "The upstream API could not be reached", "nothing listens there")
