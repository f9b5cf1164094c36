"""With several workers, what all of them recorded is shown as one: the first worker asks the others for theirs.

They answer at the door by which workers bring each other requests, in MessagePack: the records as they are.
"""

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from capably.plan.outcome import Fault
from capably.relay import Neighbours
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import ClientGoneError, Receive, Scope, Send, read_body, send_body, send_fault, until_answered
from capably.telemetry.logs import Listener, LogRecord
from capably.telemetry.metrics import Family
from capably.telemetry.recorded import RecordedHere
from capably.telemetry.records import Trace
from capably.telemetry.together import families_of, logs_of, traces_of, united
from capably.upstream.reply import UpstreamError
from capably.upstream.request import Request
from capably.worker_gate import proof, worker_gate

_log = logging.getLogger("capably.control")

RECORDS_DOOR: Final = "*records"
"""What answers for the records of a worker at its door; no namespace can be called so."""
_WAIT_S: Final = 2.0
_AGAIN_S: Final = 1.0
_MOST_FOLLOWERS: Final = 1000
"""The first worker says how many may follow; each of them follows the others as well."""

_Told = TypeVar("_Told")


class RecordedByAll:
    """What all workers recorded, asked of each when it is wanted; one that gives no answer in time is left out."""

    def __init__(self, here: RecordedHere, neighbours: Neighbours, state_key: str) -> None:
        """Know this worker's records, and the way to the others."""
        self._here = here
        self._neighbours = neighbours
        self._proof = proof(state_key)
        seat = neighbours.seat
        self._own = seat.number
        self._silent: set[int] = set()
        self._others = [number for number in range(1, len(seat.doors) + 1) if number != seat.number]

    @property
    def capacity(self) -> int:
        """See :class:`capably.telemetry.recorded.Recorded`; each worker keeps as many."""
        return self._here.capacity * (1 + len(self._others))

    async def metrics(self) -> Sequence[Family]:
        """All numbers, each with the worker that counted it as its label ``worker``."""
        told = await self._told("metrics", {}, list[Family])
        return families_of({self._own: await self._here.metrics(), **told})

    async def traces(self) -> list[Trace]:
        """See :class:`capably.telemetry.recorded.Recorded`."""
        told = await self._told("traces", {}, list[Trace])
        return traces_of([await self._here.traces(), *told.values()])

    async def trace(self, trace_id: str) -> Trace | None:
        """See :class:`capably.telemetry.recorded.Recorded`."""
        told = await self._told("trace", {"trace_id": trace_id}, list[Trace])
        own = await self._here.trace(trace_id)
        parts = [*([own] if own is not None else []), *chain.from_iterable(told.values())]
        return united(parts) if parts else None

    async def logs(self, level: str = "debug", logger: str = "") -> list[LogRecord]:
        """See :class:`capably.telemetry.recorded.Recorded`."""
        told = await self._told("logs", {"level": level, "logger": logger}, list[LogRecord])
        return logs_of({self._own: await self._here.logs(level, logger), **told})

    @contextmanager
    def following(self, most: int) -> Iterator[AsyncIterator[LogRecord]]:
        """See :class:`capably.telemetry.recorded.Recorded`."""
        with self._here.telemetry.logs.listening(most) as listener:
            following = [asyncio.ensure_future(self._follow(number, listener)) for number in self._others]
            try:
                yield self._marked(listener)
            finally:
                for task in following:
                    task.cancel()

    async def _marked(self, listener: Listener) -> AsyncIterator[LogRecord]:
        async for record in listener:
            yield record if record.worker else replace(record, worker=self._own)

    async def _told(self, what: str, asked: Mapping[str, str], kind: type[_Told]) -> dict[int, _Told]:
        bodies = await asyncio.gather(*(self._ask(number, what, asked) for number in self._others))
        return {
            number: msgspec.msgpack.decode(body, type=kind)
            for number, body in zip(self._others, bodies, strict=True)
            if body is not None
        }

    async def _ask(self, number: int, what: str, asked: Mapping[str, str]) -> bytes | None:
        try:
            async with asyncio.timeout(_WAIT_S):
                reply = await self._neighbours.fetch(number, self._request(what, asked))
        except (UpstreamError, TimeoutError):
            if number not in self._silent:
                _log.warning("worker %d does not tell what it recorded: what is shown is without it", number)
            self._silent.add(number)
            return None
        self._silent.discard(number)
        return reply.body if reply.status == 200 else None  # noqa: PLR2004 -- OK

    def _request(self, what: str, asked: Mapping[str, str]) -> Request:
        return Request("GET", f"/{RECORDS_DOOR}/{what}?{urlencode(asked)}", (self._proof,), None)

    async def _follow(self, number: int, listener: Listener) -> None:
        """Tell what another worker logs, also after it was started again."""
        while True:
            with suppress(UpstreamError):
                reply = await self._neighbours.ask(number, self._request("following", {}))
                if reply.stream is not None:
                    try:
                        await _hand_on(reply.stream, number, listener)
                    finally:
                        await reply.stream.aclose()
            await asyncio.sleep(_AGAIN_S)


async def _hand_on(stream: AsyncIterable[bytes], number: int, listener: Listener) -> None:
    rest = b""
    async for part in stream:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            listener.tell(replace(msgspec.json.decode(line, type=LogRecord), worker=number))


class RecordsDoor:
    """What a worker recorded, for the first one to ask: an ASGI application."""

    def __init__(self, here: RecordedHere, state_key: str) -> None:
        """Know this worker's records, and how the first worker proves who it is."""
        self._here = here
        self._gate = worker_gate(state_key)
        self._keeper = Gatekeeper()
        self._answers: dict[str, Callable[..., Awaitable[Any]]] = {
            "/metrics": here.metrics,
            "/traces": here.traces,
            "/trace": self._trace,
            "/logs": here.logs,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._keeper.admit(self._gate, scope)
            await read_body(scope, receive, 0)
            if scope["path"] == "/following":
                await until_answered(scope, receive, self._tell(send))
                return
            await send_body(send, 200, "application/msgpack", await self._answer(scope))
        except Fault as fault:
            await send_fault(send, fault)
        except ClientGoneError:
            return

    async def _answer(self, scope: Scope) -> bytes:
        answer = self._answers.get(scope["path"])
        if answer is None:
            raise Fault(404, "no-route", "Nothing has this path", "this is no record of a worker")
        asked = dict(parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True))
        return msgspec.msgpack.encode(await answer(**asked), enc_hook=str)

    async def _trace(self, trace_id: str) -> list[Trace]:
        found = await self._here.trace(trace_id)
        return [found] if found is not None else []

    async def _tell(self, send: Send) -> None:
        """Send every log record as a line of JSON, until the caller leaves."""
        headers: list[Any] = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with self._here.following(_MOST_FOLLOWERS) as records:
            async for record in records:
                line = msgspec.json.encode(record, enc_hook=str) + b"\n"
                await send({"type": "http.response.body", "body": line, "more_body": True})
