"""The requests that are sent, with identifiers that vary."""

import asyncio
import json
import re

import load

REVISION = "2025-11-25"
"""That of the legacy era."""
_VERSION = f"MCP-Protocol-Version: {REVISION}\r\n"


def rest(number: int) -> bytes:
    return _get(f"/threads/thread_{number}/runs/run_{number}")


def rest_of(operations: int) -> load.Message:
    """The same, of each of so many operations in turn."""
    return lambda number: _get(f"/threads/thread_{number}/runs{number % operations or ''}/run_{number}")


def rest_below(documents: int) -> load.Message:
    """The same, of each of so many documents in turn that are served behind one address."""
    return lambda number: _get(f"/rest{number % documents}/threads/thread_{number}/runs/run_{number}")


def mapped(number: int) -> bytes:
    return _get(f"/threads/thread_{number}/mapped/run_{number}")


def flow(number: int) -> bytes:
    return _get(f"/threads/thread_{number}/flow/run_{number}")


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def call_legacy(number: int) -> bytes:
    return _legacy(number, "tools/call", _call(number))


def in_session(port: int) -> load.Message:
    """The same as a client asks that has initialized; servers that keep no sessions name none."""
    client = {"name": "benchmark", "version": "1"}
    parameters = {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client}
    head = asyncio.run(load.asked(port, _legacy(0, "initialize", parameters)))
    named = re.search(r"^mcp-session-id:.*\n", head, re.IGNORECASE | re.MULTILINE)
    session = named[0] if named is not None else ""
    asyncio.run(load.asked(port, _post({"jsonrpc": "2.0", "method": "notifications/initialized"}, session + _VERSION)))
    return lambda number: _legacy(number, "tools/call", _call(number), session)


def call_modern(number: int) -> bytes:
    return _modern(number, "tools/call", _call(number), "Mcp-Name: get_run\r\n")


def call_of(tools: int) -> load.Message:
    """The same, of each of so many tools in turn."""

    def message(number: int) -> bytes:
        name = f"get_run_{at}" if (at := number % tools) else "get_run"
        return _modern(number, "tools/call", _call(number, name), f"Mcp-Name: {name}\r\n")

    return message


def list_legacy(number: int) -> bytes:
    return _legacy(number, "tools/list", {})


def list_modern(number: int) -> bytes:
    return _modern(number, "tools/list", {})


def _call(number: int, name: str = "get_run") -> dict[str, object]:
    return {"name": name, "arguments": {"threadId": f"thread_{number}", "runId": f"run_{number}"}}


def _legacy(number: int, method: str, parameters: dict[str, object], headers: str = "") -> bytes:
    return _message(number, method, parameters, headers + _VERSION)


def _modern(number: int, method: str, parameters: dict[str, object], headers: str = "") -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    }
    headers += f"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n"
    return _message(number, method, parameters | {"_meta": meta}, headers)


def _message(number: int, method: str, parameters: dict[str, object], headers: str) -> bytes:
    return _post({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}, headers)


def _post(message: dict[str, object], headers: str) -> bytes:
    body = json.dumps(message)
    head = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    accept = "Accept: application/json, text/event-stream\r\n"
    return f"{head}{accept}{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()
