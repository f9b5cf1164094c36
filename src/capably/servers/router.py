"""Finding the operation for a path: by specificity, not by the order of the document.

A literal segment beats one with a prefix or suffix, which beats a bare placeholder. The table is built once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_to_bytes

from capably.plan.operation import Operation


@dataclass(slots=True)
class _Branch:
    """One segment of the table: what may follow it, and the operations that end here by method."""

    literals: "dict[str, _Branch]" = field(default_factory=dict)
    holes: "list[tuple[str, str, _Branch]]" = field(default_factory=list)
    operations: dict[str, Operation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """The operations of a path by method, and the values of its placeholders, in order."""

    operations: dict[str, Operation]
    values: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """The ``Allow`` header (RFC 9110, section 10.2.1)."""
        methods = set(self.operations) | {"OPTIONS"}
        if "GET" in methods:
            methods.add("HEAD")
        return ", ".join(sorted(methods))


class Router:
    """The routes of one REST server."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        """Build the table; of two operations with one method and path the first is served."""
        self._root = _Branch()
        for operation in operations:
            if operation.route is not None and operation.method is not None:
                branch = self._root
                for segment in operation.route.segments:
                    branch = _grow(branch, segment)
                branch.operations.setdefault(operation.method, operation)

    def find(self, raw_path: bytes) -> Match | None:
        """The match for a path as it came over the wire, still percent-encoded.

        Raises:
            UnicodeDecodeError: a segment is not UTF-8. To replace what cannot be read would name something else.
        """
        segments = [unquote_to_bytes(segment).decode() for segment in raw_path[1:].split(b"/")]
        return _find(self._root, segments, 0, ())


def _grow(branch: _Branch, segment: str | tuple[str, str, str]) -> _Branch:
    if isinstance(segment, str):
        return branch.literals.setdefault(unquote(segment), _Branch())
    prefix, _name, suffix = segment
    for known_prefix, known_suffix, child in branch.holes:
        if (known_prefix, known_suffix) == (prefix, suffix):
            return child
    child = _Branch()
    branch.holes.append((prefix, suffix, child))
    branch.holes.sort(key=lambda hole: -len(hole[0]) - len(hole[1]))
    return child


def _find(branch: _Branch, segments: list[str], at: int, values: tuple[str, ...]) -> Match | None:
    if at == len(segments):
        return Match(branch.operations, values) if branch.operations else None
    text = segments[at]
    literal = branch.literals.get(text)
    if literal is not None and (found := _find(literal, segments, at + 1, values)) is not None:
        return found
    for prefix, suffix, child in branch.holes:
        inner = len(text) - len(prefix) - len(suffix)
        if inner > 0 and text.startswith(prefix) and text.endswith(suffix):
            value = text[len(prefix) : len(prefix) + inner]
            if (found := _find(child, segments, at + 1, (*values, value))) is not None:
                return found
    return None
