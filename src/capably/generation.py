"""A generation: documents that were examined together, and what serves them until others take their place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from capably.examine import Examined
from capably.opening import Address
from capably.plan.operation import ServerPlan
from capably.runtime import RunScript, Runtime
from capably.servers.desk import Document
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import Application
from capably.telemetry.recorder import Recorder
from capably.upstream.client import ClientLimits


class Backing:
    """What stands behind the servers of one document: what runs their operations, and who keeps their gates.

    An async context manager that owns the upstream connections.
    """

    def __init__(
        self, document: Examined, limits: ClientLimits, run_script: RunScript, recorder: Recorder | None = None
    ) -> None:
        """Prepare; nothing is opened."""
        self.document = document
        self.runtime = Runtime(limits, run_script, recorder=recorder)
        self.keeper = Gatekeeper(self.runtime.fetch)

    async def __aenter__(self) -> Self:
        """Be ready."""
        await self.runtime.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the upstream connections."""
        await self.runtime.__aexit__(*exc)


@dataclass(frozen=True, slots=True)
class Served:
    """A server of a generation.

    ``application`` answers for it, ``entry`` is the same with what stands before it; where ``address`` is ``None`` it
    speaks over standard input and output instead.
    """

    plan: ServerPlan
    backing: Backing
    address: Address | None
    application: object = None
    entry: Application | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """What is served at one time."""

    number: int
    documents: tuple[Document, ...] = ()
    backings: tuple[Backing, ...] = ()
    served: tuple[Served, ...] = ()


def documents_of(examined: Sequence[Examined], number: int, moment: datetime) -> tuple[Document, ...]:
    """Documents as servers may know them."""
    return tuple(
        Document(
            item.file,
            item.texts,
            item.capability,
            item.compiled.plan,
            item.compiled.variables,
            item.diagnostics,
            moment,
            number,
        )
        for item in examined
        if item.capability is not None and item.compiled is not None
    )
