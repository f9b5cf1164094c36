"""The service: documents being served, from one generation of them to the next."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from capably.control import control_server
from capably.differences import differences
from capably.errors import EXIT_USAGE, CommandError
from capably.examine import Examined
from capably.generation import Generation
from capably.observing import telemetry_of
from capably.opening import Address, accepted, control_address, examine_all
from capably.plan.caller import Invoke
from capably.plan.operation import ServerPlan
from capably.plan.watch import Watch
from capably.relay import Neighbours
from capably.retirement import Retirement
from capably.scripts.governance import Governance
from capably.scripts.sandboxes import Sandboxes
from capably.scripts.switchboard import Switchboard
from capably.seat import STATE_KEY
from capably.servers.desk import Difference, Document, Listener, Standing, Verdict
from capably.servers.http import Application, Closing
from capably.servers.mcp_state import Seal
from capably.settings import Settings, shown
from capably.sources import files_of
from capably.succession import Process, Succession, bound_for, tls_for
from capably.telemetry.redaction import Redactor
from capably.upstream.pool import Pool

if TYPE_CHECKING:
    from capably.control_serving import ControlServing, WorkerControl

_log = logging.getLogger("capably.service")

DOOR: Final = Address("", 0, "the door of a worker")

Sources: TypeAlias = Callable[[], tuple[Sequence[Path], Settings]]
"""Says which documents to serve now, and how. Raises :class:`CommandError` when there are none."""


class Service:
    """Documents being served: an async context manager, and the desk of servers that show the process."""

    def __init__(
        self,
        documents: Sequence[Examined],
        settings: Settings,
        stop: asyncio.Event | None = None,
        sources: Sources | None = None,
    ) -> None:
        """Prepare; nothing is opened before the context is entered.

        Args:
            documents: what to serve.
            settings: how to serve it.
            stop: set when the client of a server over stdio has gone: whoever serves waits for it.
            sources: what a reload reads; the files of ``documents`` when left out.
        """
        files = [Path(item.file) for item in documents]
        self.started_at = datetime.now(UTC)
        self.is_stopping = False
        self._first = tuple(documents)
        self._settings = settings
        self._sources = sources or (lambda: (files, settings))
        self._sandboxes = Sandboxes(Switchboard(self._governance))
        self._stack = AsyncExitStack()
        self._generation = Generation(0)
        self._turn = asyncio.Lock()
        self._hearers: dict[Callable[[Verdict], None], None] = {}
        self._retirement = Retirement()
        self._looked_into: tuple[Examined, ...] = ()
        self._files: frozenset[Path] | None = None
        self._control: ControlServing | None = None
        self._worker_control: WorkerControl | None = None
        self._control_plan = control_server(documents, settings)
        self.telemetry = telemetry_of(self._control_plan, documents, settings)
        self._process = Process(
            self,
            self._sandboxes.run_script,
            Pool(settings.client.connect_s),
            _seal(settings),
            stop or asyncio.Event(),
            self.telemetry,
        )
        if settings.seat is not None:
            self._process.neighbours = Neighbours(settings.seat, self._entry_of)

    @property
    def generation(self) -> int:
        """How often documents were taken up."""
        return self._generation.number

    @property
    def documents(self) -> tuple[Document, ...]:
        """What is served."""
        return self._generation.documents

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Every server that runs."""
        found = []
        for served in self._generation.served:
            if served.address is None:
                found.append(Listener(served.plan, is_started=not self.is_stopping))
            else:
                at = self._process.listenings[served.address]
                is_started = not self.is_stopping
                found.append(Listener(served.plan, at.host, at.port, at.is_private, served.prefix, is_started))
        if self._control is not None:
            found.append(self._control.listener)
        return tuple(found)

    @property
    def examined(self) -> tuple[Examined, ...]:
        """The documents that are served, as they were found."""
        return self._generation.examined

    def files(self) -> frozenset[Path]:
        """The files that what is served is made of, and those of documents that were refused last."""
        if self._files is None:
            self._files = files_of((*self._generation.examined, *self._looked_into))
        return self._files

    @property
    def retiring(self) -> int:
        """How many documents of earlier generations have requests that are not answered yet."""
        return len(self._retirement)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be done of the last reload."""
        return self._retirement.is_idle

    def invoke_for(self, server: ServerPlan, watch: Watch | None = None) -> Invoke:
        """What runs the operations of a server.

        Raises:
            LookupError: the server is not served any more.
        """
        for served in self._generation.served:
            if served.plan is server:
                runtime = served.backing.runtime
                return runtime.invoke if watch is None else runtime.watched(watch).invoke
        raise LookupError(f"`{server.namespace}` is not served as it was any more")

    def join(self, hear: Callable[[Verdict], None]) -> Callable[[], None]:
        """Hear of every reload until the function that is returned is called."""
        self._hearers[hear] = None
        return lambda: self._hearers.pop(hear, None)

    async def __aenter__(self) -> Self:
        """Serve.

        Raises:
            CommandError: an address cannot be listened on.
        """
        async with AsyncExitStack() as stack:
            # The control server begins before the others and ends after them, to tell of both.
            await self._begin_control(stack)
            if self.telemetry is not None:
                await stack.enter_async_context(self.telemetry)
            await stack.enter_async_context(self._sandboxes)
            await stack.enter_async_context(self._process.pool)
            neighbours = self._process.neighbours
            if neighbours is not None:
                await stack.enter_async_context(neighbours)
                self._process.listenings[DOOR] = neighbours.door
            async with Succession(self._process, self._generation, self._first, self._settings) as succession:
                await succession.start()
                self._settle(succession)
            self._stack = stack.pop_all()
        return self

    async def _begin_control(self, stack: AsyncExitStack) -> None:
        control, settings, seat = self._control_plan, self._settings, self._settings.seat
        if control is None:
            return
        # Only where there is one: what it needs takes longer to import than all servers together.
        from capably.control_serving import ControlServing, WorkerControl, recorded_of  # noqa: PLC0415
        from capably.servers.control import Instruments  # noqa: PLC0415

        neighbours = self._process.neighbours
        recorded = recorded_of(self.telemetry, neighbours, settings)
        instruments = Instruments(self, self._sandboxes.switchboard, self.telemetry, recorded, shown(settings))
        if seat is not None and not seat.is_first:
            self._worker_control = WorkerControl(control, instruments, settings)
            stack.callback(self._worker_control.application.close)
            return
        sock = bound_for(control, control_address(control), settings)
        stack.callback(sock.close)
        tls = tls_for(control, settings)
        serving = ControlServing(control, sock, tls, instruments, settings, neighbours=neighbours)
        self._control = await stack.enter_async_context(serving)

    def _entry_of(self, namespace: str) -> Application | None:
        """What answers for a server, for another worker that has a request for it."""
        if self._worker_control is not None and namespace in self._worker_control.doors:
            return self._worker_control.doors[namespace]
        return next((item.entry for item in self._generation.served if item.plan.namespace == namespace), None)

    def _governance(self) -> Governance:
        """What the first document with anything to say of scripts says."""
        examined = self._generation.examined
        said = (item for item in examined if item.capability is not None and item.capability.scripting is not None)
        first = next(said, examined[0] if examined else None)
        return first.governance if first is not None else Governance()

    async def __aexit__(self, *exc: object) -> None:
        """Drain the servers: together, so that none takes new calls while another drains."""
        self.is_stopping = True
        async with self._turn:
            pass  # a reload that is under way comes to its end; there will be no other
        process = self._process
        for listening in process.listenings.values():
            listening.stop()
        for served in self._generation.served:
            if isinstance(served.application, Closing):
                served.application.close()
        if process.stdio is not None:
            await process.stdio.__aexit__(None, None, None)
        await asyncio.gather(*(listening.aclose() for listening in process.listenings.values()))
        await self._retirement.aclose()
        for backing in self._generation.backings:
            await backing.__aexit__(None, None, None)
        await self._stack.aclose()

    async def validate(self) -> Verdict:
        """Say what :meth:`reload` would do now, and do nothing."""
        async with self._turn:
            return await self._judged(self._looked_at)

    async def reload(self) -> Verdict:
        """Serve the documents as they are now, unless they cannot be served."""
        async with self._turn:
            verdict = await self._judged(self._taken_up)
        for hear in tuple(self._hearers):
            hear(verdict)
        return verdict

    async def _judged(self, judge: "Callable[[_Attempt], Awaitable[Standing]]") -> Verdict:
        """The verdict on the documents as they are now; whatever is wrong with them is in it."""
        attempt = _Attempt(self._settings)
        standing, reason = Standing.REFUSED, ""
        advice: tuple[str, ...] = ()
        try:
            if self.is_stopping:
                raise CommandError("the process is stopping")  # noqa: TRY301
            files, attempt.settings = self._sources()
            # In a thread, for requests are answered meanwhile.
            attempt.examined = await asyncio.to_thread(asyncio.run, examine_all(files, attempt.settings))
            attempt.served = accepted(attempt.examined, attempt.settings)
            attempt.control = control_server(attempt.served, attempt.settings)
            standing = await judge(attempt)
        except CommandError as problem:
            reason, advice = problem.message, problem.help_lines
        except Exception:  # noqa: BLE001 -- whatever it was, what is served goes on
            _log.exception("the documents could not be reloaded")
            reason = "something went wrong in this program: its log says what"
        self._looked_into, self._files = tuple(attempt.examined), None
        return attempt.verdict(standing, self.generation, reason, advice)

    async def _looked_at(self, attempt: "_Attempt") -> Standing:
        async with self._succession(attempt) as succession:
            attempt.differences = self._differences(attempt.served)
            return Standing.UNCHANGED if self._is_same(succession.generation) else Standing.VALID

    async def _taken_up(self, attempt: "_Attempt") -> Standing:
        async with self._succession(attempt) as succession:
            if self._is_same(succession.generation):
                return Standing.UNCHANGED
            attempt.differences = self._differences(attempt.served)
            await succession.start()
            self._settings = attempt.settings
            self._settle(succession)
            self._follow_control(attempt.control)
            return Standing.APPLIED

    def _succession(self, attempt: "_Attempt") -> Succession:
        return Succession(self._process, self._generation, attempt.served, attempt.settings)

    def _settle(self, succession: Succession) -> None:
        left = succession.settle()
        self._generation = succession.generation
        for application in self._generation.succeeding:
            self._retirement.begin(application.take_over())
        self._retirement.take(left, self._settings.patience_s)

    def _follow_control(self, control: ServerPlan | None) -> None:
        ours = self._control or self._worker_control
        if ours is not None:
            ours.follow(control)
        elif control is not None:
            _log.warning("the control server is not opened before the process starts anew")

    def _is_same(self, after: Generation) -> bool:
        before = self._generation
        return before.certificates == after.certificates and before.backings == after.backings

    def _differences(self, examined: Sequence[Examined]) -> tuple[Difference, ...]:
        before, after = (
            [item.compiled for item in items if item.compiled is not None]
            for items in (self._generation.examined, examined)
        )
        redactor = Redactor(variable for compiled in (*before, *after) for variable in compiled.secrets)
        return differences([item.plan for item in before], [item.plan for item in after], redactor.hide)


@dataclass(slots=True)
class _Attempt:
    """What was found out about the documents as they are now: ``examined`` all of them, ``served`` what would be."""

    settings: Settings
    examined: Sequence[Examined] = ()
    served: Sequence[Examined] = ()
    control: ServerPlan | None = None
    differences: tuple[Difference, ...] = ()

    def verdict(self, standing: Standing, generation: int, reason: str, advice: tuple[str, ...]) -> Verdict:
        diagnostics = tuple(diagnostic for item in self.examined for diagnostic in item.diagnostics)
        texts = {file: text for item in self.examined for file, text in item.texts.items()}
        return Verdict(standing, generation, self.differences, diagnostics, texts, reason, advice)


def _seal(settings: Settings) -> Seal:
    """What seals the states that MCP clients keep.

    Raises:
        CommandError: a key is none.
    """
    seal = Seal(settings.given.environ.get(STATE_KEY, "").split())
    try:
        seal.check()
    except ValueError:
        advice = "a key is 32 bytes as URL-safe Base64, as `openssl rand -base64 32 | tr +/ -_` makes it"
        raise CommandError(f"{STATE_KEY} holds no key", advice, exit_code=EXIT_USAGE) from None
    return seal
