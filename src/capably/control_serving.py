"""Serving the control server of a process, beside the servers its callers are for."""

import logging
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Self

from capably.control_relay import DOOR_NAME, ControlRelay
from capably.listening import Entrance, Listening
from capably.plan.control import RELOAD, Control
from capably.plan.loopback import is_loopback
from capably.plan.operation import ServerPlan
from capably.records_relay import RECORDS_DOOR, RecordedByAll, RecordsDoor
from capably.relay import Neighbours
from capably.runtime import Runtime
from capably.seat import STATE_KEY
from capably.servers.console import Console
from capably.servers.control import ControlServer, Instruments
from capably.servers.desk import Listener
from capably.servers.gatekeeper import Gatekeeper, with_metadata
from capably.servers.http import Application
from capably.settings import Settings
from capably.telemetry.recorded import Recorded, RecordedHere
from capably.telemetry.telemetry import Telemetry
from capably.worker_gate import worker_gate

_log = logging.getLogger("capably.control")


class ControlServing:
    """A control server that is reached while the context lasts. It knows the process, and outlives its generations."""

    def __init__(
        self,
        plan: ServerPlan,
        sock: socket.socket,
        tls: ssl.SSLContext | None,
        instruments: Instruments,
        settings: Settings,
        *,
        neighbours: Neighbours | None = None,
    ) -> None:
        """Prepare; it answers from the moment the context is entered.

        Args:
            plan: what it may show and do, and who may ask.
            sock: where it listens.
            tls: how it speaks https, if it does.
            instruments: the process.
            settings: how the process serves.
            neighbours: the other workers, if there are any: what is changed here is changed there as well.
        """
        self._plan = plan
        # It asks authorization servers by itself: the calls of documents are given up with their generation.
        self._runtime = Runtime(settings.client)
        self._keeper = Gatekeeper(self._runtime.fetch)
        self._keeper.prepare(plan)
        limits = replace(settings.limits, local_only=is_loopback(sock.getsockname()[0]))
        self._instruments, self._limits = instruments, limits
        self._server = ControlServer(plan, instruments, limits, self._keeper, self._page())
        application: Application = self._server
        if neighbours is not None:
            application = ControlRelay(self._server, neighbours, _state_key(settings))
        entrance = Entrance(with_metadata(application, limits, plan))
        self._listening = Listening(sock, entrance, settings.drain_s, tls)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Answer."""
        await self._stack.enter_async_context(self._runtime)
        await self._listening.start()
        self._stack.push_async_callback(self._listening.aclose)
        self._stack.callback(self._server.close)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """End streams, then let open requests end."""
        await self._stack.aclose()

    def follow(self, plan: ServerPlan | None) -> None:
        """Take up what documents that were reloaded say of it; it stays where it is, which is told.

        A gate that other machines need goes only with the process.
        """
        at = self._listening
        if plan is None or (plan.address, plan.port, plan.tls) != (self._plan.address, self._plan.port, self._plan.tls):
            _log.warning("the control server stays at %s until the process ends", self.listener.url)
        if plan is None:
            return
        gate = plan.gate if plan.gate is not None or is_loopback(at.host) else self._plan.gate
        if (gate, plan.control) == (self._plan.gate, self._plan.control):
            return
        self._plan = replace(self._plan, gate=gate, control=plan.control)
        self._keeper.prepare(self._plan)
        self._server.follow(self._plan, self._page())

    def _page(self) -> Console:
        """The console, as the plan allows it."""
        may_reload = RELOAD in (self._plan.control or Control()).allows
        known = self._instruments
        return Console(
            known.desk, known.telemetry, known.recorded, self._limits, self._plan.gate, may_reload=may_reload
        )

    @property
    def listener(self) -> Listener:
        """Where it is reached."""
        at = self._listening
        return Listener(self._plan, at.host, at.port, at.is_private)


class WorkerControl:
    """The control server of a worker that is not the first: it listens nowhere, and only the first worker asks it."""

    def __init__(self, plan: ServerPlan, instruments: Instruments, settings: Settings) -> None:
        """Answer at the worker's door."""
        self._gate = worker_gate(_state_key(settings))
        self.application = ControlServer(self._with_gate(plan), instruments, settings.limits, Gatekeeper())
        self.doors: dict[str, Application] = {DOOR_NAME: self.application}
        if instruments.telemetry is not None:
            records = RecordsDoor(RecordedHere(instruments.telemetry), _state_key(settings))
            self.doors[RECORDS_DOOR] = records

    def follow(self, plan: ServerPlan | None) -> None:
        """Take up what documents that were reloaded say of it."""
        if plan is not None:
            self.application.follow(self._with_gate(plan))

    def _with_gate(self, plan: ServerPlan) -> ServerPlan:
        return replace(plan, gate=self._gate)


def recorded_of(telemetry: Telemetry | None, neighbours: Neighbours | None, settings: Settings) -> Recorded | None:
    """What the control server shows of what was recorded, by this worker or by all; ``None`` when nothing is."""
    if telemetry is None:
        return None
    here = RecordedHere(telemetry)
    return here if neighbours is None else RecordedByAll(here, neighbours, _state_key(settings))


def _state_key(settings: Settings) -> str:
    return settings.given.environ.get(STATE_KEY, "")
