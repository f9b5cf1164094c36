"""Stands between a client that names things by fixed words and a running service, which gives ids of its own.

Suites made from an API's description ask for `/threads/thread_id/runs/run_id` and expect it to be there, in a state
that fits the question. What a request names is made through the service's own API, anew unless the request only reads,
and the request is passed on with the real ids in the places of the words. Answers are passed back as they are.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

WORDS = frozenset({"assistant_id", "thread_id", "message_id", "run_id", "step_id", "after", "before"})
FUNCTION = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
CALLS = 2  # turns in which a run calls the function before it replies; lists of steps have three entries then
Names = dict[str, str]


class UnpreparedError(Exception):
    """The service refused to make what a request names."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names: the collections it goes through and the words in them."""

    parts: tuple[str, ...]

    @property
    def waits(self) -> bool:
        """Whether the operation is about a run that has not ended."""
        return self.parts[-1] in ("cancel", "submit_tool_outputs")

    def has(self, *words: str) -> bool:
        """Whether one of the words occurs."""
        return not set(words).isdisjoint(self.parts)


class World:
    """Makes what requests name, through the API of the service.

    Args:
        session: asks the service with a good key.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._read: dict[tuple[Place, frozenset[tuple[str, str]]], Names] = {}

    async def names(self, method: str, place: Place, query: Mapping[str, str]) -> Names:
        """The ids behind the words of a request: of objects nobody else has, or only reads."""
        if method != "GET":
            return await self._made(method, place, query)
        key = (place, frozenset(query.items()))
        if key not in self._read:
            self._read[key] = await self._made(method, place, query)
        return self._read[key]

    async def _made(self, method: str, place: Place, query: Mapping[str, str]) -> Names:
        names = {"assistant_id": await self._assistant()}
        if place.has("thread_id"):
            thread = await self._ask("POST", "/threads", {"messages": [{"role": "user", "content": "hi"}] * 3})
            names["thread_id"] = thread["id"]
        within = f"/threads/{names.get('thread_id')}"
        if place.has("run_id") or "run_id" in query or (method == "GET" and place.has("runs")):
            names["run_id"] = await self._run(within, names["assistant_id"], waits=place.waits)
        if place.has("message_id"):
            names["message_id"] = (await self._ids(f"{within}/messages"))[0]
        if place.has("step_id"):
            names["step_id"] = (await self._ids(f"{within}/runs/{names['run_id']}/steps"))[0]
        if "after" in query or "before" in query:
            listed = "/".join(names.get(part, part) for part in place.parts)
            kept = {name: names.get(value, value) for name, value in query.items() if name in ("order", "run_id")}
            ids = await self._ids(f"/{listed}?{urlencode(kept)}")
            names |= {"after": ids[0], "before": ids[-1]}
        return names

    async def calls(self, names: Names) -> list[str]:
        """The calls a run waits for."""
        run = await self._ask("GET", f"/threads/{names['thread_id']}/runs/{names['run_id']}")
        return [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]

    async def _assistant(self) -> str:
        made = await self._ask("POST", "/assistants", {"model": "any", "tools": [FUNCTION]})
        return str(made["id"])

    async def _run(self, thread: str, assistant: str, *, waits: bool) -> str:
        run = await self._ask("POST", f"{thread}/runs", {"assistant_id": assistant})
        path = f"{thread}/runs/{run['id']}"
        for _ in range(0 if waits else CALLS):
            call = await self._required(path)
            outputs = [{"tool_call_id": call, "output": "found"}]
            await self._ask("POST", f"{path}/submit_tool_outputs", {"tool_outputs": outputs})
        await self._events(path)
        return str(run["id"])

    async def _required(self, path: str) -> str:
        await self._events(path)
        run = await self._ask("GET", path)
        return str(run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"])

    async def _events(self, path: str) -> None:
        """Until a run has ended or requires action: its events end there."""
        async with self._session.get(f"{path}/events") as answer:
            answer.raise_for_status()
            await answer.read()

    async def _ids(self, path: str) -> list[str]:
        return [item["id"] for item in (await self._ask("GET", path))["data"]]

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, path, json=body) as answer:
            found = await answer.json()
            if not answer.ok:
                raise UnpreparedError(f"{method} {path}: {answer.status} {found}")
            return found


class StandIn:
    """The server a suite is pointed at.

    Args:
        world: makes what is named.
        session: asks the service with a good key.
    """

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self._world = world
        self._session = session

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on, with real ids."""
        place = Place(tuple(request.path.strip("/").split("/")))
        try:
            names = await self._world.names(request.method, place, request.query)
        except (UnpreparedError, aiohttp.ClientError, LookupError, TypeError) as failure:
            # Not a status that clients try again at.
            return web.json_response({"error": {"message": f"not prepared: {failure!r}"}}, status=424)
        path = "/" + "/".join(names.get(part, part) for part in place.parts)
        query = [(name, names.get(value, value)) for name, value in request.query.items()]
        body = await self._body(await request.read(), names)
        headers = {"Content-Type": request.content_type} if body else {}
        async with self._session.request(
            request.method, path, params=query, data=body or None, headers=headers
        ) as found:
            kept = {name: value for name, value in found.headers.items() if name.lower() != "transfer-encoding"}
            answer = web.StreamResponse(status=found.status, headers=kept)
            await answer.prepare(request)
            async for piece in found.content.iter_any():
                await answer.write(piece)
            await answer.write_eof()
            return answer

    async def _body(self, sent: bytes, names: Names) -> bytes:
        if not sent:
            return sent
        body = json.loads(sent)
        if body.get("assistant_id") in WORDS:
            body["assistant_id"] = names["assistant_id"]
        if "tool_outputs" in body:
            calls = await self._world.calls(names)
            body["tool_outputs"] = [
                given | {"tool_call_id": call} for given, call in zip(body["tool_outputs"], calls, strict=True)
            ]
        return json.dumps(body).encode()


async def _complete(request: web.Request) -> web.Response:
    """The model of the service: calls the function in its first turns, then replies."""
    body = await request.json()
    done = sum(message["role"] == "tool" for message in body["messages"])
    message: dict[str, Any] = {"role": "assistant", "content": "Hello there"}
    if body.get("tools") and done < CALLS:
        call = {"id": f"call_{done}", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return web.json_response({"object": "chat.completion", "choices": [choice], "usage": usage})


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """The URL of an application on a free port of loopback."""
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def model() -> AsyncIterator[str]:
    """The URL of a chat-completions endpoint that runs can be answered with."""
    app = web.Application()
    app.router.add_post("/chat/completions", _complete)
    async with listening(app) as url:
        yield url


@asynccontextmanager
async def standing_in(service: str, key: str) -> AsyncIterator[str]:
    """The URL to point a suite at.

    Args:
        service: the URL of the running service, without a slash at its end.
        key: opens it; the suite's own key is put aside.
    """
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(service, headers=headers) as session:
        app = web.Application(client_max_size=2 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", StandIn(World(session), session).answer)
        async with listening(app) as url:
            yield url
