"""YAML text becomes nodes that know where they stand.

Scalars follow the YAML 1.2 core schema: ``on``, ``yes`` and ``2015-02-01`` stay text. Anchors are expanded, within
limits. A text that cannot be read gives diagnostics (DOC001 to DOC006), never an exception.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from capably.diagnostics import Diagnostic, Span, error
from capably.scalars import ScalarValue, read_plain, read_tagged

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 200
MAX_NODES = 2_000_000  # after anchors are expanded: stops "billion laughs" documents

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML has it: ten times faster


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: ``text`` as it is written, ``value`` as YAML 1.2 reads it."""

    value: ScalarValue
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: "tuple[Node, ...]"
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping with its value; ``is_twice`` when the key stands there again, with another one."""

    key: str
    key_span: Span
    value: "Node"
    is_twice: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """A map from text keys, in the order of the document.

    ``once`` is the namespace that an entry of another file has there, when it was given another name here.
    """

    entries: dict[str, Entry]
    span: Span
    once: str | None = None

    def get(self, key: str) -> "Node | None":
        """The value under ``key``."""
        entry = self.entries.get(key)
        return entry.value if entry is not None else None

    def key_span(self, key: str) -> Span:
        """Where the key stands, or the mapping itself when it has no such key."""
        entry = self.entries.get(key)
        return entry.key_span if entry is not None else self.span

    def value_span(self, key: str) -> Span:
        """Where the value of a key stands, or the mapping itself when it has no such key."""
        entry = self.entries.get(key)
        return entry.value.span if entry is not None else self.span


Node: TypeAlias = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read: its text (for excerpts) and its root node, ``None`` when it is empty."""

    file: str
    text: str
    root: Node | None


def plain(node: Node) -> Any:
    """The node as ordinary Python data."""
    if isinstance(node, Mapping):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, in document order."""
    yield node
    if isinstance(node, Mapping):
        for entry in node.entries.values():
            yield from walk(entry.value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from walk(item)


def parse_document(file: str, data: bytes) -> tuple[Document | None, list[Diagnostic]]:
    """Read one YAML file.

    Args:
        file: the name that spans and messages carry.
        data: the file's bytes, UTF-8 (a byte order mark is allowed).

    Returns:
        The document, or ``None`` when nothing of it can be used, and what is wrong with it.
    """
    start = Span(file, 1, 1, 1, 1)
    if len(data) > MAX_BYTES:
        limit = MAX_BYTES // (1024 * 1024)
        return None, [error("DOC006", f"the file is larger than {limit} MiB", start, "split the document")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        where = _span_after(file, problem.object[: problem.start].decode())
        return None, [error("DOC001", "the file is not UTF-8 text", where, "save the file as UTF-8")]
    try:
        builder = _Builder(file, text)
        root = builder.read()
    except yaml.YAMLError as problem:
        return None, [_syntax_error(file, text, problem)]
    except UnicodeDecodeError:  # libyaml lets UTF-8 through that Python does not: `!%ed%a0%80`
        return None, [error("DOC002", "this is not valid YAML: a tag has an escape that is not UTF-8", start)]
    except _RefusedError as problem:
        return None, [problem.diagnostic]
    return Document(file, text, root), builder.diagnostics


_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # as libyaml counts lines


class _RefusedError(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A named node, with what it costs to write it out again: its nodes, and the levels below it."""

    node: Node
    size: int
    height: int


class _Builder:
    """Builds nodes from parser events.

    Events, unlike PyYAML's own composer, let us count depth before the C stack runs out, and share what an anchor
    names instead of copying it.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.parser = _Loader(text)
        self.diagnostics: list[Diagnostic] = []
        self.count = 0
        self.deepest = 0
        self.end: Any = None  # mark of the last thing read: block collections report the next thing's start
        self.anchors: dict[str, _Anchor] = {}

    def read(self) -> Node | None:
        """The root of the first document in the stream."""
        root: Node | None = None
        documents = 0
        while self.parser.check_event():
            event = self.parser.get_event()
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self.anchors.clear()
                span = self.span(event)
                node = self.build(self.parser.get_event(), 0)
                if documents == 1:
                    root = node
                elif documents == 2:  # noqa: PLR2004 -- the others are part of the same mistake
                    self.second_document(span)
        return root

    def second_document(self, span: Span) -> None:
        self.diagnostics.append(
            error(
                "DOC005",
                "the file holds more than one YAML document",
                span,
                "a capability is one document: remove the `---` line, or move the rest to a file of its own",
            )
        )

    def span(self, event: Event) -> Span:
        return self.between(event.start_mark, event.end_mark)

    def between(self, start: Any, end: Any) -> Span:
        return Span(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def refuse(self, code: str, message: str, span: Span, advice: str) -> NoReturn:
        raise _RefusedError(error(code, message, span, advice))

    def build(self, event: Any, depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self.alias(event, depth)
        before, outside = self.count, self.deepest
        self.grow(1, event)
        self.deepest = depth
        self.descend(depth, event)
        node: Node
        if isinstance(event, MappingStartEvent):
            node = self.mapping(event, depth)
        elif isinstance(event, SequenceStartEvent):
            node = self.sequence(event, depth)
        else:
            node = self.scalar(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(node, self.count - before, self.deepest - depth)
        self.deepest = max(outside, self.deepest)
        return node

    def descend(self, depth: int, event: Event) -> None:
        self.deepest = max(self.deepest, depth)
        if depth > MAX_DEPTH:
            message = f"the document is nested more than {MAX_DEPTH} levels deep"
            self.refuse("DOC006", message, self.span(event), "flatten the document")

    def grow(self, size: int, event: Event) -> None:
        self.count += size
        if self.count > MAX_NODES:
            message = f"the document holds more than {MAX_NODES:,} values when its anchors are written out"
            self.refuse("DOC006", message, self.span(event), "split the document")

    def alias(self, event: AliasEvent, depth: int) -> Node:
        if event.anchor not in self.anchors:
            message = f"this is not valid YAML: the alias `*{event.anchor}` has no anchor before it"
            advice = f"define `&{event.anchor}` on an earlier value; a text that starts with `*` must be quoted"
            self.refuse("DOC002", message, self.span(event), advice)
        anchor = self.anchors[event.anchor]
        self.grow(anchor.size, event)
        self.descend(depth + anchor.height, event)
        self.end = event.end_mark
        return anchor.node

    def scalar(self, event: ScalarEvent) -> Scalar:
        text: str = event.value
        value: ScalarValue = text
        if event.tag is not None:
            value = read_tagged(event.tag, text)
        elif event.implicit[0]:
            value = read_plain(text)
        self.end = event.end_mark
        return Scalar(value, text, self.span(event))

    def sequence(self, start: Event, depth: int) -> Sequence:
        items = []
        while not isinstance(event := self.parser.get_event(), SequenceEndEvent):
            items.append(self.build(event, depth + 1))
        return Sequence(tuple(items), self.whole(start, event))

    def mapping(self, start: Event, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        merged: list[Mapping] = []
        while not isinstance(event := self.parser.get_event(), MappingEndEvent):
            key = self.build(event, depth + 1)
            value = self.build(self.parser.get_event(), depth + 1)
            if not isinstance(key, Scalar):
                self.diagnostics.append(error("DOC002", "a key must be text", key.span, "quote templates: '{{name}}'"))
            elif key.text == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]:
                merged += self.sources(value)
            elif key.text in entries:
                self.duplicate(key, entries[key.text])
                entries[key.text] = replace(entries[key.text], is_twice=True)
            else:
                entries[key.text] = Entry(key.text, key.span, value)
        for source in merged:
            for name, entry in source.entries.items():
                entries.setdefault(name, entry)
        return Mapping(entries, self.whole(start, event))

    def sources(self, value: Node) -> list[Mapping]:
        """The mappings that a merge key names."""
        named = value.items if isinstance(value, Sequence) else (value,)
        if not all(isinstance(item, Mapping) for item in named):
            message = "`<<` takes a mapping, or a list of mappings"
            self.diagnostics.append(error("DOC002", message, value.span, "name an anchored mapping: `<<: *name`"))
        return [item for item in named if isinstance(item, Mapping)]

    def duplicate(self, key: Scalar, first: Entry) -> None:
        self.diagnostics.append(
            error(
                "DOC003",
                f"the key `{key.text}` stands twice in one mapping",
                key.span,
                "keep one of the two, or rename one",
                related=[(first.key_span, "first written here")],
            )
        )

    def whole(self, start: Event, end: Any) -> Span:
        if end.start_mark.index < end.end_mark.index:
            self.end = end.end_mark
        return self.between(start.start_mark, self.end)


_HINTS = (
    ("did not find expected key", "look for a missing quote, comma or indentation on this line or the one above"),
    ("mapping values are not allowed", "a value that contains `: ` must be quoted"),
    ("cannot start any token", "quote the value; tabs cannot indent YAML"),
    ("control characters are not allowed", "remove the invisible character, or escape it in double quotes"),
)


def _syntax_error(file: str, text: str, problem: yaml.YAMLError) -> Diagnostic:
    what = str(getattr(problem, "problem", None) or getattr(problem, "reason", None) or str(problem).splitlines()[0])
    where = _problem_span(file, text, problem)
    advice = [hint for start, hint in _HINTS if start in what] or [
        "check the quoting and the indentation around this place"
    ]
    context, begin = getattr(problem, "context", None), getattr(problem, "context_mark", None)
    related = [(_clamped(file, text, begin), context)] if context and begin is not None else []
    related = [(place, story) for place, story in related if (place.line, place.column) != (where.line, where.column)]
    return error("DOC002", f"this is not valid YAML: {what}", where, *advice, related=related)


def _problem_span(file: str, text: str, problem: yaml.YAMLError) -> Span:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    if mark is not None:
        return _clamped(file, text, mark)
    position = getattr(problem, "position", 0)  # a character that YAML forbids, in bytes
    return _span_after(file, text.encode()[:position].decode(errors="ignore"))


def _clamped(file: str, text: str, mark: Any) -> Span:
    """One character at a mark; the end of the text for the marks that libyaml sets behind it."""
    end = _span_after(file, text)
    line, column = min((mark.line + 1, mark.column + 1), (end.line, end.column))
    return Span(file, line, column, line, column + 1)


def _span_after(file: str, text: str) -> Span:
    lines = _LINE_BREAK.split(text)
    line, column = len(lines), len(lines[-1]) + 1
    return Span(file, line, column, line, column + 1)
