"""Flows against a real upstream: many at once, deadlines, and callers that go away."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flows.conftest import Flows, written

from capably.examine import examine
from capably.plan.caller import InputRequiredError, Response, SilentCaller
from capably.plan.operation import Operation
from capably.plan.outcome import Fault
from capably.runtime import Runtime
from capably.telemetry import Telemetry
from capably.upstream.client import ClientLimits

Serve = Callable[[str], Awaitable[Any]]
GET = {"name": "ship", "type": "call", "call": "up.get-ship", "with": {"imo": "tools.imo"}}


def port(name: str, of: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "call", "call": "up.get-port", "with": {"id": of}, **more}


@asynccontextmanager
async def upstream(answer: Serve, gone: asyncio.Queue[str] | None = None) -> AsyncIterator[str]:
    """An HTTP server that answers a path with JSON; ``gone`` collects paths whose caller hung up first."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                path = line.decode().split(" ")[1]
                while (await reader.readline()).strip():
                    pass
                answering = asyncio.ensure_future(answer(path))
                hanging_up = asyncio.ensure_future(reader.read(1))
                await asyncio.wait([answering, hanging_up], return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    answering.cancel()
                    if gone is not None:
                        gone.put_nowait(path)
                    return
                hanging_up.cancel()
                await asyncio.gather(hanging_up, return_exceptions=True)
                body = json.dumps(answering.result()).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def compiled(folder: Path, base: str, *steps: dict[str, Any], **tool: Any) -> Operation:
    file = folder / "a.json"
    file.write_text(written({"steps": list(steps), **tool}, base), encoding="utf-8")
    return Flows(examine(file)).operation


async def test_a_thousand_calls_at_once_do_not_mix_their_values(tmp_path: Path) -> None:
    async def answer(path: str) -> Any:
        await asyncio.sleep(0)
        return {"path": path, "id": path.rpartition("/")[2]}

    async with upstream(answer) as base, Runtime(ClientLimits()) as runtime:
        steps = (GET, port("a", "a{{ship.id}}"), port("b", "b{{ship.id}}"), port("c", "{{a.id}}{{b.id}}"))
        last = {"name": "all", "type": "transform", "value": ["$.a.id", "$.b.id", "{{c.id}}", "{{tools.imo}}"]}
        operation = compiled(tmp_path, base, *steps, last)

        async def called(number: int) -> Any:
            return json.loads((await runtime.invoke(operation, {"imo": f"n{number}"}, SilentCaller())).body)

        told = await asyncio.gather(*(called(number) for number in range(1000)))
    assert told == [[f"an{n}", f"bn{n}", f"an{n}bn{n}", f"n{n}"] for n in range(1000)]


async def test_a_caller_that_goes_away_cancels_what_it_started(tmp_path: Path) -> None:
    arrived: list[str] = []
    both = asyncio.Event()
    gone: asyncio.Queue[str] = asyncio.Queue()

    async def answer(path: str) -> Any:
        arrived.append(path)
        if len(arrived) == 2:
            both.set()
        await asyncio.sleep(60)

    async with upstream(answer, gone) as base, Runtime(ClientLimits()) as runtime:
        operation = compiled(tmp_path, base, port("a", "1"), port("b", "2"), port("c", "{{a.x}}{{b.x}}"))
        call = asyncio.create_task(runtime.invoke(operation, {}, SilentCaller()))
        await asyncio.wait_for(both.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        left = [await asyncio.wait_for(gone.get(), 5) for _call in range(2)]
    assert sorted(left) == sorted(arrived) == ["/ports/1", "/ports/2"]


async def test_a_deadline_ends_a_flow(tmp_path: Path) -> None:
    async def answer(_path: str) -> Any:
        await asyncio.sleep(60)

    async with upstream(answer) as base, Runtime(ClientLimits()) as runtime:
        operation = compiled(tmp_path, base, port("a", "1"), deadline="50ms")
        with pytest.raises(Fault) as raised:
            await runtime.invoke(operation, {}, SilentCaller())
    assert (raised.value.status, raised.value.kind) == (504, "flow-deadline")
    assert raised.value.detail == "`t` did not end within 0.05 s; what it had started was stopped"


class Returning(SilentCaller):
    """A caller that can only answer when it comes again."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Response] = []
        self.steps: list[str] = []

    async def ask_all(self, questions: Any) -> tuple[Response, ...]:
        if not self.answers:
            raise InputRequiredError(*questions)
        return tuple(self.answers)

    async def progress(self, done: float, total: float | None, message: str) -> None:
        self.steps.append(f"{done:g} of {total:g}: {message}")


async def test_a_caller_that_comes_again_finds_what_was_done(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(path: str) -> Any:
        asked.append(path)
        return {"id": path}

    ask = {"name": "ask", "type": "elicit", "message": "Go on?"}
    mappings = [{"target": "a", "value": "$.a.id"}, {"target": "b", "value": "$.b.id"}]
    async with upstream(answer) as base, Runtime(ClientLimits()) as runtime:
        operation = compiled(tmp_path, base, port("a", "1"), ask, port("b", "2"), mappings=mappings)
        caller = Returning()
        with pytest.raises(InputRequiredError) as required:
            await runtime.invoke(operation, {}, caller)
        assert [question.message for question in required.value.questions] == ["Go on?"]
        assert caller.journal == {"a": {"id": "/ports/1"}}
        caller.answers = [Response("accept")]
        outcome = await runtime.invoke(operation, {}, caller)
    assert json.loads(outcome.body) == {"a": "/ports/1", "b": "/ports/2"}
    assert asked == ["/ports/1", "/ports/2"]
    assert caller.steps[-1] == "3 of 3: step `b`: done"


class Watching:
    """Is told what a runtime performs, and forgets it."""

    def performed(self, key: str, effect: object, answer: object, seconds: float) -> None:
        pass

    def ended(self, progress: object) -> None:
        pass


@given(imo=st.text("ab.%/ é", max_size=3), has_steps=st.booleans(), is_there=st.booleans())
@settings(max_examples=40, deadline=None)
async def test_who_watches_and_who_records_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, imo: str, *, has_steps: bool, is_there: bool
) -> None:
    asked: list[str] = []

    async def answer(path: str) -> Any:
        asked.append(path)
        return {"at": path}

    async def told(base: str, watch: Watching | None, telemetry: Telemetry | None) -> object:
        folder = tmp_path_factory.mktemp("flow")
        work = (GET, port("port", "$.ship.at")) if has_steps else ()
        operation = compiled(folder, base, *work, **({} if work else {key: GET[key] for key in ("call", "with")}))
        recorder = telemetry.recorder if telemetry is not None else None
        asked.clear()
        async with Runtime(ClientLimits(), watch=watch, recorder=recorder) as runtime:
            try:
                outcome = await runtime.invoke(operation, {"imo": imo}, SilentCaller())
            except Fault as fault:
                return fault.status, fault.kind, fault.detail, tuple(asked)
        return outcome, tuple(asked)

    async with upstream(answer) as base:
        ways = product([None, Watching()], [None, Telemetry()])
        found = {await told(base if is_there else "http://127.0.0.1:1", *way) for way in ways}
    assert len(found) == 1
