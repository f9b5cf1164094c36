"""A flow: the ordered steps of an operation, compiled, each with the steps it waits for.

A step is a task (call, look up, run a script, make a value, ask the caller) with what decides whether and how often
it is done. Sources of a step read the caller's inputs by name and the results of earlier steps below ``$`` (see
:mod:`capably.expr.source`); inside ``forEach`` also the element at hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias

from capably.diagnostics import Span
from capably.expr.condition import Condition
from capably.expr.jsonpath import AnyPath
from capably.expr.source import Source
from capably.plan.answer import Answer
from capably.plan.consumed import Consumed


@dataclass(frozen=True, slots=True)
class CallTask:
    """Makes one upstream request; the result is the decoded answer, as ``projection`` shapes it.

    ``by_element`` says that the projection of a list is made of each element, beside the element's own fields.
    ``is_read`` says whether anything reads the result; a body that nobody reads need not be readable.
    """

    consumed: Consumed
    projection: Answer | None = None
    by_element: bool = True
    is_read: bool = True


@dataclass(frozen=True, slots=True)
class LookupTask:
    """Finds the entries of an earlier result whose ``match`` equals a key, or each of several keys, as text.

    ``index`` is the list of entries, one entry, or an object of columns (lists of one length). The result holds
    ``fields`` of the entry that was found, or everything when none are named.
    """

    index: Source
    match: AnyPath
    key: Source
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a script: its name in the document, and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ScriptLimits:
    """What a script may use up: seconds, statements (where the language counts them) and bytes of memory."""

    timeout_s: float = 60.0
    statements: int = 100_000
    memory_bytes: int = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Script:
    """A script, read at load: dependencies run before the main file, in order and in one scope.

    ``language`` is ``javascript`` or ``python``. It finds the variable ``context`` and assigns ``result``. ``step`` is
    the name of the step that runs it. ``off_by`` says what has switched it off until an operator says otherwise.
    """

    language: str
    main: SourceFile
    dependencies: tuple[SourceFile, ...] = ()
    limits: ScriptLimits = ScriptLimits()
    step: str = ""
    off_by: str = ""


Scripts: TypeAlias = Mapping[Span, Script]
"""The scripts of a document by the place of the step that runs each; a step whose script is wrong has none."""
NO_SCRIPTS: Scripts = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ScriptTask:
    """Runs a script in a sandbox; the result is what the script leaves in ``result``.

    Its context holds the caller's inputs, the results of earlier steps by name, and ``values``.
    """

    script: Script
    values: tuple[tuple[str, Source], ...] = ()


@dataclass(frozen=True, slots=True)
class TransformTask:
    """Makes a value out of inputs and earlier results."""

    value: Source


@dataclass(frozen=True, slots=True)
class ElicitTask:
    """Asks a person: the result is the object they gave. A refusal fails the step."""

    message: Source
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SampleTask:
    """Asks the caller's model: the result is an object of ``text``, ``model`` and ``stopReason``."""

    message: Source
    system: Source | None = None
    most_tokens: int = 1000


@dataclass(frozen=True, slots=True)
class RootsTask:
    """Asks the caller which folders it works in: the result is an object with the list ``roots``."""


@dataclass(frozen=True, slots=True)
class LogTask:
    """Tells the caller something; it has no result."""

    message: Source
    level: str = "info"


Task: TypeAlias = CallTask | LookupTask | ScriptTask | TransformTask | ElicitTask | SampleTask | RootsTask | LogTask
ASKING: Final = (ElicitTask, SampleTask, RootsTask)
"""Tasks that ask the caller."""


class OnError(StrEnum):
    """What a step that fails does to its flow."""

    STOP = "stop"
    CONTINUE = "continue"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Loop:
    """Does a task once for each element of a list, so many at once; the step's result is the list of results.

    More than ``most`` elements fail the step.
    """

    over: Source
    item: str
    index: str
    at_once: int
    most: int
    at_once_usually: ClassVar[int] = 4
    most_usually: ClassVar[int] = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``after`` are the earlier steps, by position, that must have ended before it starts.

    ``reads`` are those of them whose results it uses; the others are waited for to keep the written order.
    """

    name: str
    task: Task
    span: Span
    after: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    condition: Condition | None = None
    loop: Loop | None = None
    on_error: OnError = OnError.STOP
    fallback: Source | None = None

    @property
    def kind(self) -> str:
        """The document's word for the task."""
        return _KINDS[type(self.task)]

    @property
    def asks(self) -> bool:
        """Whether the caller is asked."""
        return isinstance(self.task, ASKING)


_KINDS: dict[type, str] = {
    CallTask: "call",
    LookupTask: "lookup",
    ScriptTask: "script",
    TransformTask: "transform",
    ElicitTask: "elicit",
    SampleTask: "sample",
    RootsTask: "roots",
    LogTask: "log",
}


@dataclass(frozen=True, slots=True)
class Flow:
    """The work of an operation with steps.

    ``mappings`` say what the value is that outputs are taken from: ``("ship", "name")`` and its source. Without any it
    is the result of the last step. ``reads_steps`` says that outputs name steps themselves. ``name`` is that of the
    aggregate's flow, when it is one. ``tells_last`` says that the reply of the last step's upstream is the answer, as
    that of an operation of one call is.
    """

    steps: tuple[Step, ...]
    mappings: tuple[tuple[tuple[str, ...], Source], ...] = ()
    reads_steps: bool = False
    deadline_s: float | None = None
    name: str = ""
    decided_by: str = "steps"
    tells_last: bool = False
    asks: bool = field(init=False)

    def __post_init__(self) -> None:
        """Know whether the caller may be asked: then results are kept, for the call may come again."""
        object.__setattr__(self, "asks", any(step.asks for step in self.steps))
