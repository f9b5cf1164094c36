"""The requests that are sent, with identifiers that vary."""

import json


def rest(number: int) -> bytes:
    return _get(f"/threads/thread_{number}/runs/run_{number}")


def mapped(number: int) -> bytes:
    return _get(f"/threads/thread_{number}/mapped/run_{number}")


def flow(number: int) -> bytes:
    return _get(f"/threads/thread_{number}/flow/run_{number}")


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def call_legacy(number: int) -> bytes:
    return _legacy(number, "tools/call", _call(number))


def call_modern(number: int) -> bytes:
    return _modern(number, "tools/call", _call(number), "Mcp-Name: get_run\r\n")


def list_legacy(number: int) -> bytes:
    return _legacy(number, "tools/list", {})


def list_modern(number: int) -> bytes:
    return _modern(number, "tools/list", {})


def _call(number: int) -> dict[str, object]:
    return {"name": "get_run", "arguments": {"threadId": f"thread_{number}", "runId": f"run_{number}"}}


def _legacy(number: int, method: str, parameters: dict[str, object]) -> bytes:
    return _message(number, method, parameters, "MCP-Protocol-Version: 2025-11-25\r\n")


def _modern(number: int, method: str, parameters: dict[str, object], headers: str = "") -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    }
    headers += f"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n"
    return _message(number, method, parameters | {"_meta": meta}, headers)


def _message(number: int, method: str, parameters: dict[str, object], headers: str) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters})
    head = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    accept = "Accept: application/json, text/event-stream\r\n"
    return f"{head}{accept}{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()
