"""How an upstream answer becomes the answer of an operation (design: outputs).

Mapping is for successes: an upstream failure is told as it is, whatever the document declares as output.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from capably.diagnostics import Span
from capably.expr.jsonpath import AnyPath
from capably.expr.source import ABSENT, Source, evaluate
from capably.payload.decode import as_list
from capably.plan.conversion import LOST, convert, kind_of


@dataclass(frozen=True, slots=True)
class Expected:
    """What a declared output must be: a JSON type (any, when there is none), a text of no more than so many characters.

    ``name`` and ``span`` say where that is declared, ``notes`` what else is said of it, as keywords of JSON Schema.
    """

    kind: str | None = None
    max_length: int | None = None
    name: str = ""
    span: Span | None = None
    notes: tuple[tuple[str, Any], ...] = ()


ANYTHING = Expected()


@dataclass(frozen=True, slots=True)
class Loss:
    """A value that the declared type could not say, so that the answer has null instead."""

    name: str
    span: Span | None
    wanted: str
    found: str

    def __str__(self) -> str:
        """One line for the operator's log: the place and the kinds, never the value."""
        name = f"`{self.name}`" if self.name else "the output"
        return f"{self.span}: {name} is declared {self.wanted}, but the upstream gave {self.found}: null is answered"


class Run(msgspec.Struct, frozen=True):
    """What shapes read beside the answer, the caller's inputs, and the losses they note, each once and in order.

    ``is_listless`` says that the upstream's format has no lists of its own, so that an empty one is not there at all.
    """

    inputs: Mapping[str, Any] = msgspec.field(default_factory=dict)
    is_listless: bool = False
    losses: dict[Loss, None] = msgspec.field(default_factory=dict)

    def as_expected(self, expected: Expected, node: Any) -> Any:
        """A node as its output is declared."""
        kind = expected.kind
        if kind is not None and node is not None and not (kind == "string" and isinstance(node, str)):
            told = convert(node, kind)
            node = self.null(expected, node) if told is LOST else told
        if expected.max_length is not None and isinstance(node, str):
            return node[: expected.max_length]
        return node

    def null(self, expected: Expected, node: Any) -> Any:
        """Null instead of a node that cannot be told as declared, which is noted."""
        self.losses[Loss(expected.name, expected.span, expected.kind or "object", kind_of(node))] = None
        return None


class Shape(Protocol):
    """A part of the answer."""

    def tell(self, value: Any, run: Run) -> Any:
        """The part of an upstream's value, ``None`` where it is missing or cannot be told as declared."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """The mapped node; at the root and of no type that has to be enforced, the upstream's body, byte for byte."""

    path: AnyPath
    expected: Expected = ANYTHING

    def tell(self, value: Any, run: Run) -> Any:
        """The node."""
        return run.as_expected(self.expected, self.path.find(value))


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value the document states, perhaps over the caller's inputs."""

    source: Source
    expected: Expected = ANYTHING

    def tell(self, _value: Any, run: Run) -> Any:
        """The stated value."""
        stated = evaluate(self.source, run.inputs)
        return None if stated is ABSENT else run.as_expected(self.expected, stated)


@dataclass(frozen=True, slots=True)
class Shaped:
    """An object of declared properties, each found below ``path``; what is not declared is left out."""

    path: AnyPath
    properties: tuple[tuple[str, Shape], ...]
    expected: Expected = ANYTHING

    def tell(self, value: Any, run: Run) -> Any:
        """The object; properties may be taken out of a list, but not out of text or a number."""
        node = self.path.find(value)
        if isinstance(node, dict | list):
            return {name: part.tell(node, run) for name, part in self.properties}
        return None if node is None else run.null(self.expected, node)


@dataclass(frozen=True, slots=True)
class Each:
    """A list: every element of the mapped list, shaped. A single value is a list of one."""

    path: AnyPath
    item: Shape
    expected: Expected = ANYTHING

    def tell(self, value: Any, run: Run) -> Any:
        """The list."""
        node = self.path.find(value)
        if node is None and not run.is_listless:
            return None
        return [self.item.tell(item, run) for item in as_list(node)]


@dataclass(frozen=True, slots=True)
class EachValue:
    """An object with the keys of the mapped one, every value of it shaped."""

    path: AnyPath
    item: Shape
    expected: Expected = ANYTHING

    def tell(self, value: Any, run: Run) -> Any:
        """The object."""
        node = self.path.find(value)
        if isinstance(node, dict):
            return {name: self.item.tell(item, run) for name, item in node.items()}
        return None if node is None else run.null(self.expected, node)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do with a successful upstream body.

    No ``alternatives`` and no ``named`` outputs: pass the body through. ``alternatives`` are tried in order, the first
    that is not null is the answer. ``named`` outputs compose one object. ``headers`` are told beside the body, by names
    in lower case; one without a shape is the upstream's own. ``is_declared`` is whether the document says anything
    about the body of the answer, ``passes_through`` whether a JSON body is the answer, untouched.
    """

    alternatives: tuple[Shape, ...] = ()
    named: tuple[tuple[str, Shape], ...] = ()
    headers: tuple[tuple[str, Shape | None], ...] = ()
    is_declared: bool = field(init=False, repr=False, compare=False)
    passes_through: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Decide what every answer would have to be asked."""
        object.__setattr__(self, "is_declared", bool(self.named or self.alternatives))
        object.__setattr__(self, "passes_through", not self.named and self._begins_whole())

    def _begins_whole(self) -> bool:
        if not self.alternatives:
            return True
        first, *others = self.alternatives
        if others or not isinstance(first, Whole) or first.expected.max_length is not None:
            return False
        return first.path.is_root and first.expected.kind in _JSON_AS_IT_COMES

    def apply(self, value: Any, run: Run | None = None) -> Any:
        """The answer's value for a decoded upstream body; ``None`` when nothing was found."""
        run = run if run is not None else Run()
        if self.named:
            return {name: shape.tell(value, run) for name, shape in self.named}
        if not self.alternatives:
            return value
        found = (shape.tell(value, run) for shape in self.alternatives)
        return next((item for item in found if item is not None), None)


_JSON_AS_IT_COMES = (None, "object", "array")
