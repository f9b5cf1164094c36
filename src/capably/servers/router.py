"""Finding the operation for a path: by specificity, not by the order of the document.

A literal segment beats one with placeholders and text, which beats a bare placeholder, which beats a ``{path}`` that
takes the rest. The table is built once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_to_bytes

import msgspec

from capably.plan.operation import Forward, Operation, Route


@dataclass(slots=True)
class _Branch:
    """One segment of the table: what may follow it, and what ends here.

    ``holes`` are segments with placeholders and text, each by the texts, ``bare`` is one that is a placeholder alone;
    ``rest`` takes all that is left of a path.
    """

    literals: "dict[str, _Branch]" = field(default_factory=dict)
    holes: "list[tuple[tuple[str, ...], _Branch]]" = field(default_factory=list)
    bare: "_Branch | None" = None
    rest: "_Branch | None" = None
    operations: dict[str, Operation] = field(default_factory=dict)
    forward: Forward | None = None


class Match(msgspec.Struct, frozen=True):
    """What a path leads to: operations by method, or a forward; and the values of its placeholders, in order.

    ``rest`` is what a last ``{path}`` took, as it came over the wire; ``None`` where there is none.
    """

    operations: dict[str, Operation]
    values: tuple[str, ...]
    forward: Forward | None = None
    rest: bytes | None = None

    @property
    def allowed(self) -> str:
        """The ``Allow`` header (RFC 9110, section 10.2.1)."""
        methods = set(self.operations) | {"OPTIONS"}
        if "GET" in methods:
            methods.add("HEAD")
        return ", ".join(sorted(methods))

    def operation(self, method: str) -> Operation | None:
        """The operation for a method; HEAD is answered by GET."""
        found = self.operations.get(method)
        return self.operations.get("GET") if found is None and method == "HEAD" else found


class Router:
    """The routes of one REST server."""

    def __init__(self, operations: Iterable[Operation], forwards: Iterable[Forward] = ()) -> None:
        """Build the table; of two operations with one method and path the first is served, and so with forwards."""
        self._root = _Branch()
        for operation in operations:
            if operation.route is not None and operation.method is not None:
                self._end_of(operation.route).operations.setdefault(operation.method, operation)
        for forward in forwards:
            end = self._end_of(forward.route)
            end.forward = end.forward or forward

    def find(self, raw_path: bytes) -> Match | None:
        """The match for a path as it came over the wire, still percent-encoded.

        Raises:
            UnicodeDecodeError: a segment is not UTF-8. To replace what cannot be read would name something else; only
                a forward passes it on as it is.
        """
        try:
            if b"%" in raw_path:
                segments = [unquote_to_bytes(segment).decode() for segment in raw_path[1:].split(b"/")]
            else:  # nearly every path
                segments = raw_path[1:].decode().split("/")
        except UnicodeDecodeError:
            found = self.find_forward(raw_path)
            if found is None:
                raise
            return msgspec.structs.replace(found, operations={})
        return _find(self._root, _Path(segments, raw_path), 0, ())

    def find_forward(self, raw_path: bytes) -> Match | None:
        """The most specific match that has a forward."""
        segments = [unquote_to_bytes(each).decode("utf-8", "surrogateescape") for each in raw_path[1:].split(b"/")]
        return _find(self._root, _Path(segments, raw_path, wants_forward=True), 0, ())

    def _end_of(self, route: Route) -> _Branch:
        branch = self._root
        for at, segment in enumerate(route.segments):
            is_rest = route.takes_rest and at == len(route.segments) - 1
            branch = _grow_rest(branch) if is_rest else _grow(branch, segment)
        return branch


def _grow_rest(branch: _Branch) -> _Branch:
    branch.rest = branch.rest or _Branch()
    return branch.rest


def _grow(branch: _Branch, segment: str | tuple[str, ...]) -> _Branch:
    if isinstance(segment, str):
        return branch.literals.setdefault(unquote(segment), _Branch())
    texts = segment[::2]
    if texts == ("", ""):
        branch.bare = branch.bare or _Branch()
        return branch.bare
    for known, child in branch.holes:
        if known == texts:
            return child
    child = _Branch()
    branch.holes.append((texts, child))
    branch.holes.sort(key=lambda hole: -sum(map(len, hole[0])))
    return child


class _Path(msgspec.Struct, frozen=True):
    """A path that is looked for: its segments, decoded, and as it came; and whether operations do not count."""

    segments: list[str]
    raw: bytes
    wants_forward: bool = False


def _find(branch: _Branch, path: _Path, at: int, values: tuple[str, ...]) -> Match | None:
    if at == len(path.segments):
        return _match(branch, path, branch.operations, values)
    text = path.segments[at]
    literal = branch.literals.get(text)
    if literal is not None and (found := _find(literal, path, at + 1, values)) is not None:
        return found
    for texts, child in branch.holes:
        cut = _cut(text, texts)
        if cut is not None and (found := _find(child, path, at + 1, (*values, *cut))) is not None:
            return found
    if text and branch.bare is not None and (found := _find(branch.bare, path, at + 1, (*values, text))) is not None:
        return found
    return _rest(branch.rest, path, at, values) if branch.rest is not None else None


def _rest(branch: _Branch, path: _Path, at: int, values: tuple[str, ...]) -> Match | None:
    text = "/".join(path.segments[at:])
    raw = b"/".join(path.raw[1:].split(b"/")[at:])
    return _match(branch, path, branch.operations if text else {}, (*values, text), raw)


def _match(
    branch: _Branch, path: _Path, operations: dict[str, Operation], values: tuple[str, ...], rest: bytes | None = None
) -> Match | None:
    if branch.forward is None and (path.wants_forward or not operations):
        return None
    return Match(operations, values, branch.forward, rest)


def _cut(text: str, texts: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values between texts, none of them empty; each ends where the next text first occurs."""
    start, *between, end = texts
    if not text.startswith(start) or not text.endswith(end):
        return None
    position, last = len(start), len(text) - len(end)
    values: list[str] = []
    for separator in between:
        found = text.find(separator, position + 1, last)
        if found < 0:
            return None
        values.append(text[position:found])
        position = found + len(separator)
    return (*values, text[position:last]) if position < last else None
