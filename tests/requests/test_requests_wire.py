"""Requests as they go over a real connection."""

import asyncio
from typing import Any

import pytest

from capably.plan.caller import SilentCaller
from capably.runtime import Runtime
from capably.upstream.client import ClientLimits


async def seen(compiled: Any, operation: Any, **inputs: Any) -> tuple[bytes, dict[str, str], bytes]:
    """The request line, the headers and the body that an upstream gets."""
    got: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0")
        got.extend([head, await reader.readexactly(int(length))])
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await asyncio.to_thread(compiled, operation, api={"baseUri": f"http://127.0.0.1:{port}"})
    async with server, Runtime(ClientLimits()) as runtime:
        assert (await runtime.invoke(found.operation, inputs, SilentCaller())).status == 204
    line, *lines = got[0].removesuffix(b"\r\n\r\n").decode().split("\r\n")
    return line.encode(), {name.lower(): value for name, _, value in (item.partition(": ") for item in lines)}, got[1]


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_a_declared_body_is_sent_with_any_method(compiled: Any, method: str) -> None:
    line, headers, body = await seen(compiled, {"method": method, "body": {"a": "{{x}}"}}, x="v")
    assert (line, body) == (f"{method} /x HTTP/1.1".encode(), b'{"a":"v"}')
    assert (headers["content-type"], headers["content-length"]) == ("application/json", "9")


async def test_reserved_headers_replace_the_usual_ones(compiled: Any) -> None:
    stated = {"User-Agent": "ships/1", "Accept": "text/csv", "Authorization": "Key k", "Cookie": "a=1"}
    parameters = [{"name": name, "in": "header", "value": value} for name, value in stated.items()]
    _line, headers, _body = await seen(compiled, {"inputParameters": parameters})
    assert {name: headers[name.lower()] for name in stated} == stated


async def test_encoded_names_and_values_are_not_touched_on_the_way(compiled: Any) -> None:
    parameters = [{"name": "filter[a b]", "in": "query", "value": "%2F /?#é"}]
    line, _headers, _body = await seen(compiled, {"inputParameters": parameters})
    assert line == b"GET /x?filter%5Ba%20b%5D=%252F%20%2F%3F%23%C3%A9 HTTP/1.1"
