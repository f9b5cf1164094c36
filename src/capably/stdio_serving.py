"""Serving one MCP server over standard input and output, beside whatever else the process does."""

import asyncio
from types import TracebackType
from typing import Final, Self

from capably.plan.caller import Invoke
from capably.servers.mcp_protocol import Protocol
from capably.servers.mcp_stdio import Connection
from capably.settings import Settings
from capably.standard_io import input_lines, taken_output
from capably.telemetry.entry import RecordedMessages

_END_S: Final = 1.0
"""How long the work of a client that is still there may take to end, in seconds, once it has been told to."""


class StdioServing:
    """One client, served while the context lasts. When it has gone, ``stop`` is set: the process shall end as well."""

    def __init__(
        self,
        protocol: Protocol,
        invoke: Invoke,
        settings: Settings,
        stop: asyncio.Event,
        recorded: RecordedMessages | None = None,
    ) -> None:
        """Prepare; standard output is taken when the context is entered."""
        self._recorded = recorded
        self.protocol = protocol
        self._invoke = invoke
        self._settings = settings
        self._stop = stop
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None

    def swap(self, protocol: Protocol, invoke: Invoke) -> None:
        """Answer as a successor of the protocol decides from now on, and tell the client what has changed."""
        self.protocol, self._invoke = protocol, invoke
        if self._connection is not None:
            self._connection.swap(protocol, invoke)

    @property
    def calls(self) -> "frozenset[asyncio.Task[None]]":
        """The calls that run just now."""
        return self._connection.calls if self._connection is not None else frozenset()

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End: what is left of the work is cancelled."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_END_S)
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _serve(self) -> None:
        cap = self._settings.limits.body_bytes
        try:
            with taken_output() as write:
                self._connection = Connection(self.protocol, self._invoke, cap, write, self._recorded)
                await self._connection.serve(input_lines(cap, self._stop), self._settings.drain_s)
        finally:
            self._stop.set()
