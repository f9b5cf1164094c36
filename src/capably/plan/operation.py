"""What a plan is made of: operations that are ready to be served.

Servers read these values and nothing else. Names of inputs, routes, requests and answers are resolved; nothing here is
looked up in the document again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from capably.diagnostics import Span
from capably.folder import Folder
from capably.plan.answer import Answer
from capably.plan.consumed import Consumed
from capably.plan.content import StatedContent
from capably.plan.contract import StatedAnswer
from capably.plan.control import Control
from capably.plan.cors import Cors
from capably.plan.gate import Gate
from capably.plan.output_schema import OutputSchema
from capably.plan.prompt import PromptPlan
from capably.plan.schema_check import SchemaCheck, check_of
from capably.plan.steps import Flow
from capably.plan.uri_template import UriTemplate
from capably.upstream.auth import Scheme
from capably.upstream.auth.certificate import Certificate
from capably.upstream.auth.oauth2 import OAuth2
from capably.upstream.request import RequestTemplate

Inputs: TypeAlias = Mapping[str, Any]
"""Values of one call by input name, already checked and converted; an absent optional input has no key."""


class Kind(StrEnum):
    """The kinds of server a plan can hold operations for."""

    REST = "rest"
    MCP = "mcp"
    SKILL = "skill"
    CONTROL = "control"


class Location(StrEnum):
    """Where a server finds the value of an input."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    COOKIE = "cookie"
    BODY = "body"
    ARGUMENT = "argument"


class Origin(StrEnum):
    """Which part of the document made an input known."""

    DECLARED = "declared"
    ROUTE = "route"
    WITH = "with"
    TARGET = "target"
    FLOW = "flow"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Input:
    """One value that a caller gives.

    ``wire_name`` is the name on the wire (the route placeholder ``threadid``), ``name`` the one in the document
    (``threadId``). ``whole_body`` marks the input that is the entire JSON body instead of a field of it. ``schema``
    is its JSON Schema (2020-12), as far as the document knows it; ``check`` is set when that says more than a type and
    choices, ``is_any_text`` when it says that every text will do.
    """

    name: str
    location: Location
    wire_name: str
    type: str
    required: bool
    origin: Origin
    schema: Mapping[str, Any]
    description: str = ""
    whole_body: bool = False
    check: SchemaCheck | None = field(init=False, repr=False, compare=False)
    is_any_text: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """See whether the schema needs compiling, or says no more than that the value is text."""
        object.__setattr__(self, "check", check_of(self.schema))
        is_any_text = self.type == "string" and self.check is None and not self.schema.get("enum")
        object.__setattr__(self, "is_any_text", is_any_text)


REST_OF_PATH = "path"
"""The placeholder that takes the rest of a path, when it is the last segment."""


@dataclass(frozen=True, slots=True)
class Route:
    """A REST path, cut at its slashes: a segment is literal text, or text and placeholders in turn.

    ``("v", "major", ".", "minor", "")`` is ``v{major}.{minor}``: text stands at even places, perhaps empty.
    """

    path: str
    segments: tuple[str | tuple[str, ...], ...]

    @property
    def takes_rest(self) -> bool:
        """Whether a last ``{path}`` takes all segments that are left."""
        return bool(self.segments) and self.segments[-1] == ("", REST_OF_PATH, "")


@dataclass(frozen=True, slots=True)
class Hints:
    """What a tool says of its effects (MCP tool annotations); ``None`` where the document is silent."""

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


@dataclass(frozen=True, slots=True)
class Mock:
    """The work of an operation that answers by itself: its outputs state their values, nothing is called."""

    decided_by: str = "mock"


Work: TypeAlias = Consumed | Mock | Flow
"""Where an operation's answer comes from."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One exposed operation: a REST method on a path, or an MCP tool.

    ``parts`` are the ranges of the document that say what it does; an error in one of them leaves it out. ``scopes``
    are what a caller's token must grant on top of what the gate asks; ``gate`` is asked instead of the server's.
    A tool is served under ``served_as`` when its name is none that clients take. ``stated_schema`` is the schema of its
    inputs where the document states one as a whole, ``output`` that of its structured answer. A mock with ``contents``
    answers with these; ``tells_failure`` says that they tell one. ``contract`` is what a REST operation states of its
    answers.
    """

    server: Kind
    namespace: str
    name: str
    title: str
    description: str
    inputs: tuple[Input, ...]
    work: Work
    answer: Answer
    span: Span
    method: str | None = None
    route: Route | None = None
    hints: Hints | None = None
    parts: tuple[Span, ...] = ()
    scopes: tuple[str, ...] = ()
    gate: Gate | None = None
    served_as: str = ""
    stated_schema: Mapping[str, Any] | None = None
    output: OutputSchema | None = None
    contents: tuple[StatedContent, ...] = ()
    contract: tuple[StatedAnswer, ...] = ()
    tells_failure: bool = False
    stated_check: SchemaCheck | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare the check of a stated schema."""
        check = SchemaCheck(self.stated_schema) if self.stated_schema is not None else None
        object.__setattr__(self, "stated_check", check)

    @property
    def wire_name(self) -> str:
        """The name callers know it by."""
        return self.served_as or self.name


@dataclass(frozen=True, slots=True)
class Forward:
    """A REST path that passes requests on to a consumed API as they are.

    ``request`` holds what the document adds to every request: base URI, authentication, parameters of the entry;
    ``inputs`` are those the path's placeholders give, ``trusted`` the headers, in lower case, that callers may send
    through, ``withheld`` the query parameters that are meant for this server. ``scheme``, ``parts`` and ``scopes`` are
    as in an operation.
    """

    namespace: str
    route: Route
    target: str
    inputs: tuple[Input, ...]
    request: RequestTemplate
    trusted: frozenset[str]
    withheld: frozenset[str]
    span: Span
    description: str = ""
    scheme: Scheme | None = None
    parts: tuple[Span, ...] = ()
    scopes: tuple[str, ...] = ()

    @property
    def reads_body(self) -> bool:
        """Whether a body must be whole before it is passed on: digest sends it twice, signatures cover it."""
        return self.scheme is not None and not isinstance(self.scheme, OAuth2 | Certificate)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long MCP clients may keep what a server lists, in milliseconds, and whether others may be shown it too.

    Lists are stale at once unless the document says otherwise: a server that starts anew may offer other tools.
    """

    ttl_ms: int = 0
    scope: str = "private"


@dataclass(frozen=True, slots=True)
class Derived:
    """What a tool of a skill stands for: an operation or tool of another server of the document."""

    namespace: str
    action: str
    mode: Kind


@dataclass(frozen=True, slots=True)
class SkillTool:
    """A tool of a skill: it stands for an operation, or names the file of the skill that says how it is done."""

    name: str
    description: str
    means: Derived | str
    parts: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class SkillPlan:
    """A skill: what is said of it, its tools, and the folder with its files.

    ``stated`` holds what the document says of it beside name and description, by the keys of Agent Skills.
    """

    name: str
    description: str
    stated: Mapping[str, Any]
    tools: tuple[SkillTool, ...]
    folder: Folder | None
    span: Span
    parts: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourcePlan:
    """What an MCP client can read at an address: what an operation answers, a file, or the files of a folder.

    ``template`` is set when the address has placeholders, ``path`` when a file or a folder is shown as it is; otherwise
    there is an ``operation``. ``max_bytes`` is the most that is read of a file. ``is_binary`` says that it is told as
    bytes whatever its media type is.
    """

    name: str
    uri: str
    title: str
    description: str
    mime_type: str
    span: Span
    operation: Operation | None = None
    template: UriTemplate | None = None
    path: Path | None = None
    is_binary: bool = False
    max_bytes: int = 0
    scopes: tuple[str, ...] = ()
    parts: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """What a server shows that it is itself with: PEM files of its chain and of its private key, perhaps one file."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """One server: where it listens, what it offers and who may call it.

    ``title`` and ``version`` are the capability's; without a ``gate`` everybody who reaches the server may call it.
    With ``over_stdio`` it listens nowhere: one client speaks with it over standard input and output. A REST server that
    ``describes_itself`` serves its OpenAPI document; ``cors`` says which web pages may call it. With
    ``tls`` it speaks https. ``control`` says what the control server may show and do.
    """

    kind: Kind
    namespace: str
    address: str | None
    port: int
    description: str
    title: str
    version: str
    operations: tuple[Operation, ...]
    span: Span
    port_span: Span
    forwards: tuple[Forward, ...] = ()
    skills: tuple[SkillPlan, ...] = ()
    resources: tuple[ResourcePlan, ...] = ()
    prompts: tuple[PromptPlan, ...] = ()
    gate: Gate | None = None
    freshness: Freshness = Freshness()
    over_stdio: bool = False
    describes_itself: bool = True
    cors: Cors | None = None
    tls: CertificateFiles | None = None
    control: Control | None = None

    @property
    def offers_something(self) -> bool:
        """Whether there is anything to serve."""
        return bool(self.operations or self.forwards or self.skills or self.resources or self.prompts)


@dataclass(frozen=True, slots=True)
class Plan:
    """All servers of one document.

    ``language`` is the version of the language it is written in, ``upstreams`` maps each consumed namespace to its base
    URI. ``control`` is the control server it declares: it is none of the ``servers``, for it stands beside the process.
    """

    file: str
    title: str
    language: str
    servers: tuple[ServerPlan, ...]
    upstreams: Mapping[str, str]
    control: ServerPlan | None = None

    @property
    def offers_something(self) -> bool:
        """Whether there is anything to serve: something that callers can ask for, or the control server alone."""
        return any(server.offers_something for server in self.servers) or self.is_control_alone

    @property
    def is_control_alone(self) -> bool:
        """Whether the control server is all there is."""
        return not self.servers and self.control is not None
