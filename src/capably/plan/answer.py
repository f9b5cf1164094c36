"""How an upstream answer becomes the answer of an operation (design: outputs).

Mapping is for successes: an upstream failure is told as it is, whatever the document declares as output.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from capably.expr.jsonpath import Path


@dataclass(frozen=True, slots=True)
class Whole:
    """The mapped node as it is; at the root this is the upstream's body, byte for byte."""

    path: Path


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value the document states."""

    value: Any


@dataclass(frozen=True, slots=True)
class Shaped:
    """An object of declared properties, each found below ``path``; what is not declared is left out."""

    path: Path
    properties: "tuple[tuple[str, Shape], ...]"


@dataclass(frozen=True, slots=True)
class Each:
    """A list: every element of the mapped list, shaped."""

    path: Path
    item: "Shape"


Shape: TypeAlias = Whole | Fixed | Shaped | Each


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do with a successful upstream body.

    No ``alternatives`` and no ``named`` outputs: pass the body through. ``alternatives`` are tried in order, the first
    that is not null is the answer. ``named`` outputs compose one object.
    """

    alternatives: tuple[Shape, ...] = ()
    named: tuple[tuple[str, Shape], ...] = ()

    @property
    def passes_through(self) -> bool:
        """Whether the upstream body is the answer, untouched."""
        if self.named:
            return False
        if not self.alternatives:
            return True
        first = self.alternatives[0]
        return isinstance(first, Whole) and first.path.is_root

    def apply(self, value: Any) -> Any:
        """The answer's value for a decoded upstream body; ``None`` when nothing was found."""
        if self.named:
            return {name: shape_value(shape, value) for name, shape in self.named}
        if not self.alternatives:
            return value
        found = (shape_value(shape, value) for shape in self.alternatives)
        return next((item for item in found if item is not None), None)


def shape_value(shape: Shape, value: Any) -> Any:
    """The part of ``value`` that a shape asks for, ``None`` where it is missing."""
    if isinstance(shape, Fixed):
        return shape.value
    node = shape.path.find(value)
    if isinstance(shape, Whole):
        return node
    if isinstance(shape, Shaped):
        if node is None:
            return None
        return {name: shape_value(part, node) for name, part in shape.properties}
    if not isinstance(node, list):
        return None
    return [shape_value(shape.item, item) for item in node]
