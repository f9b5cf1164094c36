"""A generation: documents that were examined together, and what serves them until others take their place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

from capably.examine import Examined
from capably.opening import Address
from capably.plan.operation import ServerPlan
from capably.runtime import RunScript, Runtime
from capably.servers.desk import Document
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import Application, Succeeding
from capably.sources import Stamp, certificates_of, stamps_of
from capably.telemetry.recorder import Recorder
from capably.upstream.client import ClientLimits
from capably.upstream.pool import Pool


class Backing:
    """What stands behind the servers of one document: what runs their operations, and who keeps their gates.

    An async context manager that gives up its upstream calls at the end.
    """

    def __init__(
        self,
        document: Examined,
        limits: ClientLimits,
        run_script: RunScript,
        recorder: Recorder | None = None,
        pool: Pool | None = None,
    ) -> None:
        """Prepare; nothing is opened."""
        self.document = document
        self.runtime = Runtime(limits, run_script, recorder=recorder, pool=pool)
        self.keeper = Gatekeeper(self.runtime.fetch)
        self._stamps = _stamps(document)

    def serves(self, document: Examined) -> bool:
        """Whether it stands behind this document already: word for word, and value for value."""
        return is_same(self.document, document) and self._stamps == _stamps(document)

    async def __aenter__(self) -> Self:
        """Be ready."""
        await self.runtime.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Give up the upstream calls that are not over."""
        await self.runtime.__aexit__(*exc)

    @property
    def gates(self) -> tuple[object, ...]:
        """What its keeper remembers things for."""
        if self.document.compiled is None:
            return ()
        servers = self.document.compiled.plan.servers
        return tuple((server.gate, *(operation.gate for operation in server.operations)) for server in servers)


def _stamps(document: Examined) -> Mapping[Path, Stamp]:
    """How the files look that the plan of a document names without holding what is in them."""
    return stamps_of(certificates_of(document.compiled.plan)) if document.compiled is not None else {}


@dataclass(frozen=True, slots=True)
class Served:
    """A server of a generation.

    ``application`` answers for it, ``entry`` is the same with what stands before it; where ``address`` is ``None`` it
    speaks over standard input and output instead. ``prefix`` is the path below which it is reached.
    """

    plan: ServerPlan
    backing: Backing
    address: Address | None
    prefix: str = ""
    application: object = None
    entry: Application | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """What is served at one time.

    ``entries`` are what answers at each address, ``certificates`` the fingerprints of those that are shown there.
    """

    number: int
    documents: tuple[Document, ...] = ()
    examined: tuple[Examined, ...] = ()
    backings: tuple[Backing, ...] = ()
    served: tuple[Served, ...] = ()
    entries: Mapping[Address, Application] = field(default_factory=dict)
    certificates: Mapping[Address, str] = field(default_factory=dict)

    @property
    def succeeding(self) -> tuple[Succeeding, ...]:
        """The applications that go on with the clients of earlier ones."""
        return tuple(item.application for item in self.served if isinstance(item.application, Succeeding))

    def has(self, served: Served) -> bool:
        """Whether a server of another generation is still served, at the same address."""
        return any(_place(item) == _place(served) for item in self.served)

    def application_of(self, server: ServerPlan, address: Address) -> object:
        """The application of a server that is served at this address already."""
        place = (address, server.kind, server.namespace)
        return next((item.application for item in self.served if _place(item) == place), None)


def _place(served: Served) -> tuple[object, ...]:
    return served.address, served.plan.kind, served.plan.namespace


def is_same(one: Examined, other: Examined) -> bool:
    """Whether two documents say the same and mean the same: the values they use are the same ones, too."""
    return (one.file, one.texts, one.compiled) == (other.file, other.texts, other.compiled)


def documents_of(examined: tuple[Examined, ...], before: Generation, moment: datetime) -> tuple[Document, ...]:
    """Documents as servers may know them; one that is served already stays what it is."""
    kept = {document.file: document for document in before.documents}
    same = {item.file for item in examined if any(is_same(item, other) for other in before.examined)}
    return tuple(
        kept[item.file] if item.file in same else _document(item, before.number + 1, moment)
        for item in examined
        if item.capability is not None and item.compiled is not None
    )


def _document(item: Examined, number: int, moment: datetime) -> Document:
    if item.capability is None or item.compiled is None:
        raise TypeError("a document that is served is compiled")
    compiled = item.compiled
    return Document(
        item.file,
        item.texts,
        item.capability,
        compiled.plan,
        compiled.variables,
        compiled.secrets,
        item.diagnostics,
        moment,
        number,
    )
