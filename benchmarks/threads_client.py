"""A client of the threads service that expects it to die at any moment: it asks again, and never does a thing twice."""

import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self

import aiohttp

from threads_stories import MARK, Story

ACTIVE = ("queued", "in_progress", "requires_action", "cancelling")
AGAIN = 0.1  # seconds
Event = tuple[int, str, Any]
GONE = (aiohttp.ClientError, TimeoutError, ConnectionError)


class Client(AbstractAsyncContextManager["Client"]):
    """Asks any of the services on some ports, while its `async with` is open."""

    def __init__(self, ports: Sequence[int], key: str) -> None:
        self._ports = ports
        self._headers = {"Authorization": f"Bearer {key}"}
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_read=30)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{random.choice(self._ports)}/v1{path}"  # noqa: S311 - not a secret

    async def once(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and content of an answer; one of the exceptions `GONE` if nobody gives one."""
        async with self._session.request(method, self._url(path), json=body) as answer:
            return answer.status, await answer.json()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The content of the good answer to a request that may be repeated."""
        while True:
            try:
                status, content = await self.once(method, path, body)
            except GONE:
                await asyncio.sleep(AGAIN)
                continue
            if status != 200:
                raise AssertionError(f"{method} {path}: {status} {content}")
            return content

    async def new_assistant(self, tools: Sequence[Any]) -> str:
        """The id of a new assistant."""
        return str((await self.ask("POST", "/assistants", {"model": "any", "tools": tools}))["id"])

    async def new_thread(self, text: str) -> str:
        """The id of a new thread with a message; one that nobody has heard of stays empty and harms nobody."""
        return str((await self.ask("POST", "/threads", {"messages": [{"role": "user", "content": text}]}))["id"])

    async def new_run(self, thread: str, assistant: str, story: Story, *, brings: bool) -> Any:
        """A run, created once, behind the others of its thread; one that `brings` its message adds it itself."""
        body: dict[str, Any] = {"assistant_id": assistant, "metadata": {MARK: story.name}, "queue": True}
        if brings:
            body["additional_messages"] = [{"role": "user", "content": story.told}]
        while True:
            try:
                status, content = await self.once("POST", f"/threads/{thread}/runs", body)
            except GONE:
                await asyncio.sleep(AGAIN)
                made = (await self.ask("GET", f"/threads/{thread}/runs"))["data"]
                if found := [run for run in made if run["metadata"].get(MARK) == story.name]:
                    return found[0]
                continue
            if status != 200:
                raise AssertionError(f"a run on {thread}: {status} {content}")
            return content

    async def accompany(self, run: Any, story: Story, cancel_after: float | None) -> Any:
        """Give a run what it asks for until it has ended, or cancel it; the run at its end."""
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        if cancel_after is not None:
            await asyncio.sleep(cancel_after)
            await self._cancel(path)
        while (found := await self.ask("GET", path))["status"] in ACTIVE:
            if found["status"] == "requires_action":
                await self._submit(path, found, story.outputs)
            await asyncio.sleep(AGAIN * 2)
        return found

    async def _cancel(self, path: str) -> None:
        """Cancel a run; one that has ended meanwhile, or is being cancelled already, says so."""
        while True:
            try:
                await self.once("POST", f"{path}/cancel", {})
            except GONE:
                await asyncio.sleep(AGAIN)
                continue
            return

    async def _submit(self, path: str, run: Any, outputs: Sequence[str]) -> None:
        """Give a run what it waits for. Who has not heard whether it was taken looks at the run again."""
        action = run["required_action"]
        calls = action[action["type"]]["tool_calls"]
        if action["type"] == "submit_tool_approval":
            body: Any = {"tool_approvals": [{"tool_call_id": call["id"], "approve": True} for call in calls]}
        else:
            body = {"tool_outputs": [{"tool_call_id": c["id"], "output": outputs[_number(c)]} for c in calls]}
        try:
            await self.once("POST", f"{path}/submit_tool_outputs", body)
        except GONE:
            await asyncio.sleep(AGAIN)

    async def found(self, run: Any) -> tuple[list[Any], list[Any], list[Event]]:
        """The messages, the steps and the events of a run that has ended."""
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        within = f"?order=asc&limit=100&run_id={run['id']}"
        messages = (await self.ask("GET", f"/threads/{run['thread_id']}/messages{within}"))["data"]
        steps = (await self.ask("GET", f"{path}/steps?order=asc&limit=100"))["data"]
        replies = [message for message in messages if message["role"] == "assistant"]
        return replies, steps, await self.read(run)

    async def messages(self, thread: str, role: str) -> list[Any]:
        """The messages of a role, oldest first."""
        found = (await self.ask("GET", f"/threads/{thread}/messages?order=asc&limit=100"))["data"]
        return [message for message in found if message["role"] == role]

    async def read(self, run: Any) -> list[Event]:
        """The events of a run until it has ended, going on after the last one seen whenever the stream breaks."""
        seen: list[Event] = []
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        while True:
            try:
                await self._read_on(path, seen)
            except GONE:
                await asyncio.sleep(AGAIN)
                continue
            if (await self.ask("GET", path))["status"] not in ACTIVE and seen and _is_end(seen[-1][1]):
                return seen
            await asyncio.sleep(AGAIN)

    async def _read_on(self, path: str, seen: list[Event]) -> None:
        last = {"Last-Event-ID": str(seen[-1][0])} if seen else {}
        async with self._session.get(self._url(f"{path}/events"), headers=last) as answer:
            if answer.status != 200:
                raise AssertionError(f"{path}/events: {answer.status}")
            fields: dict[str, str] = {}
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif fields:
                    if "id" in fields:
                        seen.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
                    fields = {}


def _is_end(name: str) -> bool:
    return name in [f"thread.run.{status}" for status in ("completed", "failed", "cancelled", "incomplete", "expired")]


def _number(call: Any) -> int:
    """Which of a story's outputs a call asks for: its arguments say it."""
    return int(json.loads(call["function"]["arguments"])["number"])
