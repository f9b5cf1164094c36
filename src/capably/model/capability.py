"""A capability: the whole of what a document says."""

from dataclasses import dataclass

from capably.document import Node
from capably.model.consumes import Consumes
from capably.model.control import ExposesControl
from capably.model.exposes import Exposes
from capably.model.fields import Record, key
from capably.model.flows import Aggregate
from capably.model.scripting import Scripting


@dataclass(frozen=True, slots=True, kw_only=True)
class Info(Record):
    """What the capability is called and who answers for it."""

    display: str | None = key("display", "Its title.")
    description: str | None = key("description", "What it is for.")
    version: str | None = key("version", "The capability's own version.", since="1.0.0-beta4")
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=())
    created: str | None = key("created", "The date it was written.")
    modified: str | None = key("modified", "The date it was last changed.")
    stakeholders: Node | None = key("stakeholders", "People who answer for it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind(Record):
    """Values that are not in the document: variables of the environment, or keys of a file."""

    namespace: str | None = key("namespace", "The name before the dot in `{{env.KEY}}`.")
    keys: dict[str, str] | None = key("keys", "Variables of the document and where each is found.")
    location: str | None = key("location", "The file that holds the values; the environment when absent.")
    description: str | None = key("description", "What the values are for.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability(Record):
    """A capability document, decoded.

    ``exposes`` holds one record of its kind per server, ``not_imported`` the namespaces whose import failed.
    """

    file: str
    version: str
    info: Info | None = None
    binds: tuple[Bind, ...] = ()
    consumes: tuple[Consumes, ...] = ()
    exposes: tuple[Exposes, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    not_imported: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """The capability's title, or the file's name."""
        return (self.info.display if self.info is not None else None) or self.file

    @property
    def scripting(self) -> Scripting | None:
        """What the first control server with anything to say of scripts says; it holds for the whole document."""
        stated = (item.management for item in self.exposes if isinstance(item, ExposesControl))
        return next((item.scripting for item in stated if item is not None and item.scripting is not None), None)
