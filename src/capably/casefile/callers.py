"""The caller of a story: over REST or over MCP, as clients of the servers call them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from capably.casefile.comparing import plain_json
from capably.document import Node, Scalar
from capably.plan.operation import REST_OF_PATH, Input, Location, Operation

_VERSION = "2026-07-28"
_UNRESERVED = "-._~"


@dataclass(frozen=True, slots=True)
class Came:
    """What a caller got.

    ``status`` is ``None`` over MCP. ``body`` is a JSON value, a text, or bytes in Base64; ``text`` what an error says.
    """

    is_error: bool
    body: Any
    text: str
    status: int | None = None
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to a REST server; the target is percent-encoded."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool; ``mirrors`` are the headers that repeat arguments, without ``Mcp-Param-``, by argument."""

    tool: str
    arguments: Mapping[str, Any]
    mirrors: Mapping[str, str]

    @property
    def headers(self) -> dict[str, str]:
        """What HTTP carries beside the body (MCP 2026-07-28, Streamable HTTP: Standard Request Headers)."""
        mirrored = {
            f"Mcp-Param-{header}": _header_value(_texts(self.arguments[name])[0])
            for name, header in self.mirrors.items()
            if self.arguments.get(name) is not None
        }
        named = {"Mcp-Method": "tools/call", "Mcp-Name": _header_value(self.tool)}
        return {"MCP-Protocol-Version": _VERSION, **named, **mirrored}


def request_for(operation: Operation, inputs: Mapping[str, Any], headers: Mapping[str, str]) -> HttpRequest:
    """The REST request that gives an operation these inputs, by their names.

    Raises:
        ValueError: an input of the path has no value, so there is no such request.
    """
    places: dict[Location, list[tuple[Input, Any]]] = {}
    for item in operation.inputs:
        if inputs.get(item.name) is not None:
            places.setdefault(item.location, []).append((item, inputs[item.name]))
    query = [(item.wire_name, text) for item, value in places.get(Location.QUERY, []) for text in _texts(value)]
    sent = {item.wire_name: ",".join(_texts(value)) for item, value in places.get(Location.HEADER, [])}
    cookies = [f"{item.wire_name}={_texts(value)[0]}" for item, value in places.get(Location.COOKIE, [])]
    target = _path(operation, {item.wire_name: value for item, value in places.get(Location.PATH, [])})
    target += f"?{urlencode(query)}" if query else ""
    body = _body([(item, inputs[item.name]) for item in operation.inputs if _in_body(item) and item.name in inputs])
    sent |= {"Cookie": "; ".join(cookies)} if cookies else {}
    sent |= {"Content-Type": "application/json"} if body is not None else {}
    return HttpRequest(operation.method or "GET", target, {**sent, **headers}, body)


def _in_body(item: Input) -> bool:
    return item.location is Location.BODY


def _body(given: list[tuple[Input, Any]]) -> bytes | None:
    if not given:
        return None
    whole = next((value for item, value in given if item.whole_body), None)
    fields = {item.wire_name: value for item, value in given if not item.whole_body}
    return json.dumps(whole | fields if isinstance(whole, dict) else fields or whole).encode()


def _path(operation: Operation, values: Mapping[str, Any]) -> str:
    if operation.route is None:
        raise ValueError("the operation has no path")
    parts = [_segment(segment, values) for segment in operation.route.segments]
    return "/" + "/".join(parts)


def _segment(segment: str | tuple[str, ...], values: Mapping[str, Any]) -> str:
    if isinstance(segment, str):
        return quote(segment, safe=_UNRESERVED)
    pieces = []
    for number, piece in enumerate(segment):
        if number % 2 == 0:
            pieces.append(quote(piece, safe=_UNRESERVED))
        elif piece not in values or _texts(values[piece])[0] == "":
            raise ValueError(f"`{piece}` is a part of the path")
        else:
            pieces.append(quote(_texts(values[piece])[0], safe=_UNRESERVED + ("/" if piece == REST_OF_PATH else "")))
    return "".join(pieces)


def _texts(value: Any) -> list[str]:
    """A value as the texts it is on the wire; a list is a repeated parameter."""
    if isinstance(value, list):
        return [_texts(item)[0] for item in value]
    return [value if isinstance(value, str) else json.dumps(value)]


def written_request(line: str, body: Node | None, headers: Mapping[str, str]) -> HttpRequest:
    """The request that a story writes itself."""
    method, _space, target = line.partition(" ")
    is_text = isinstance(body, Scalar) and isinstance(body.value, str)
    data = None if body is None else str(plain_json(body)) if is_text else json.dumps(plain_json(body))
    sent = {"Content-Type": "application/json"} if data is not None else {}
    encoded = quote(target.strip(), safe="/:?#[]@!$&'()*+,;=%" + _UNRESERVED)
    return HttpRequest(method.upper(), encoded, {**sent, **headers}, data.encode() if data is not None else None)


async def over_rest(session: aiohttp.ClientSession, url: str, request: HttpRequest) -> Came:
    """Send a request to a server and read what comes back."""
    async with session.request(
        request.method,
        URL(url + request.target, encoded=True),
        headers=request.headers,
        data=request.body,
        allow_redirects=False,
    ) as response:
        data = await response.read()
        media_type = response.headers.get("content-type")
        body = _read(data, media_type)
        return Came(
            is_error=response.status >= 400,  # noqa: PLR2004 -- RFC 9110, section 15.5: client and server errors
            body=body,
            text=_said(body),
            status=response.status,
            media_type=media_type.partition(";")[0].strip() if media_type is not None else None,
            headers={name.lower(): value for name, value in response.headers.items()},
        )


def _read(data: bytes, media_type: str | None) -> Any:
    if not data:
        return None
    try:
        text = data.decode()
        return json.loads(text) if "json" in (media_type or "") else text
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()
    except ValueError:
        return data.decode()


def _said(body: Any) -> str:
    """What an error says: the words of a problem detail (RFC 9457), else the body."""
    if isinstance(body, str):
        return body
    if not isinstance(body, dict) or "detail" not in body:
        return json.dumps(body, ensure_ascii=False)
    errors = [item.get("detail", "") for item in body.get("errors", []) if isinstance(item, dict)]
    said = [part for part in (body.get("title", ""), body["detail"], *errors) if part]
    return "\n".join(dict.fromkeys(map(str, said)))


async def over_mcp(session: aiohttp.ClientSession, url: str, call: ToolCall, headers: Mapping[str, str]) -> Came:
    """Call a tool (MCP 2026-07-28, Streamable HTTP) and read its result."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": _VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "capably-test", "version": "1"},
    }
    params = {"name": call.tool, "arguments": dict(call.arguments), "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    sent = {"Accept": "application/json, text/event-stream", **call.headers, **headers}
    async with session.post(url, json=message, headers=sent) as response:
        data = await response.read()
        answer = _message(data, response.headers.get("content-type", ""))
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, dict):
            return Came(is_error=True, body=answer, text=_protocol_error(answer), status=None)
        return _result(result)


def _header_value(name: str) -> str:
    """A name as a header (MCP 2026-07-28, Streamable HTTP: Value Encoding)."""
    if name.isascii() and name.isprintable() and name == name.strip():
        return name
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


def _message(data: bytes, media_type: str) -> Any:
    """The JSON-RPC response: the body, or the last event of a stream."""
    text = data.decode("utf-8", "replace")
    if media_type.startswith("text/event-stream"):
        text = next((line[5:] for line in reversed(text.splitlines()) if line.startswith("data:")), "")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _protocol_error(answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else _said(answer)


def _result(result: Mapping[str, Any]) -> Came:
    if result.get("resultType") == "input_required":
        return Came(is_error=True, body=None, text="the tool asks its caller, and no story can answer")
    content = [item for item in result.get("content", []) if isinstance(item, dict)]
    text = "\n".join(str(item["text"]) for item in content if item.get("type") == "text")
    first = content[0] if content else {}
    held = first.get("resource", first)
    body: Any = text if first.get("type") == "text" else held.get("data") or held.get("blob")
    body = result.get("structuredContent", body)
    return Came(bool(result.get("isError")), body, text, None, held.get("mimeType"))
