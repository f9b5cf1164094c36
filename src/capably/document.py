"""YAML text becomes nodes that know where they stand.

Scalars follow the YAML 1.2 core schema: ``on``, ``yes`` and ``2015-02-01`` stay text. Anchors are expanded, within
limits. A text that cannot be read gives diagnostics (DOC001 to DOC006), never an exception.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 200
MAX_NODES = 2_000_000  # after anchors are expanded: stops "billion laughs" documents

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML has it: ten times faster

ScalarValue: TypeAlias = str | int | float | bool | None


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
    """One key of a mapping with its value."""

    key: str
    key_span: Span
    value: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A map from text keys, in the order of the document."""

    entries: dict[str, Entry]
    span: Span

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
        line = data.count(b"\n", 0, problem.start) + 1
        where = Span(file, line, 1, line, 1)
        return None, [error("DOC001", "the file is not UTF-8 text", where, "save the file as UTF-8")]
    builder = _Builder(file, text)
    try:
        root = builder.read()
    except yaml.YAMLError as problem:
        return None, [_syntax_error(file, problem)]
    except _RefusedError as problem:
        return None, [problem.diagnostic]
    return Document(file, text, root), builder.diagnostics


class _RefusedError(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def _number(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    base = _BASES.get(digits[:2])
    return sign * (int(digits) if base is None else int(digits[2:], base))


def _real(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_BASES = {"0o": 8, "0x": 16}
_REAL = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
# YAML 1.2.2, section 10.3.2: what a plain scalar means in the core schema, tried in this order.
_CORE: tuple[tuple[str, re.Pattern[str], Callable[[str], ScalarValue]], ...] = (
    ("null", re.compile(r"~|null|Null|NULL|"), lambda _text: None),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), _number),
    ("float", re.compile(_REAL), _real),
)
_TAGS = {f"tag:yaml.org,2002:{name}": (pattern, read) for name, pattern, read in _CORE}
_SPECIAL_START = frozenset("~nNtTfF-+.0123456789")


def _read_plain(text: str) -> ScalarValue:
    if text and text[0] not in _SPECIAL_START:
        return text
    for _name, pattern, read in _CORE:
        if pattern.fullmatch(text):
            return _read_safely(read, text)
    return text


def _read_safely(read: Callable[[str], ScalarValue], text: str) -> ScalarValue:
    try:
        return read(text)
    except ValueError:  # more digits than Python reads
        return text


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
        self.anchors: dict[str, tuple[Node, int]] = {}

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
                else:
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
        start, end = event.start_mark, event.end_mark
        return Span(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def refuse(self, code: str, message: str, span: Span, advice: str) -> NoReturn:
        raise _RefusedError(error(code, message, span, advice))

    def build(self, event: Event, depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self.alias(event)
        before = self.count
        self.grow(1, event)
        if depth > MAX_DEPTH:
            message = f"the document is nested more than {MAX_DEPTH} levels deep"
            self.refuse("DOC006", message, self.span(event), "flatten the document")
        node: Node
        if isinstance(event, MappingStartEvent):
            node = self.mapping(event, depth)
        elif isinstance(event, SequenceStartEvent):
            node = self.sequence(event, depth)
        else:
            node = self.scalar(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.count - before)
        return node

    def grow(self, size: int, event: Event) -> None:
        self.count += size
        if self.count > MAX_NODES:
            message = "the document grows too large when its anchors are expanded"
            self.refuse("DOC006", message, self.span(event), "write the repeated parts out, or split the document")

    def alias(self, event: AliasEvent) -> Node:
        if event.anchor not in self.anchors:
            message = f"this is not valid YAML: the alias `*{event.anchor}` has no anchor before it"
            advice = f"define `&{event.anchor}` on an earlier value; a text that starts with `*` must be quoted"
            self.refuse("DOC002", message, self.span(event), advice)
        node, size = self.anchors[event.anchor]
        self.grow(size, event)
        return node

    def scalar(self, event: ScalarEvent) -> Scalar:
        text: str = event.value
        value: ScalarValue = text
        if event.tag in _TAGS:
            pattern, read = _TAGS[event.tag]
            value = _read_safely(read, text) if pattern.fullmatch(text) else text
        elif event.implicit[0]:
            value = _read_plain(text)
        return Scalar(value, text, self.span(event))

    def sequence(self, start: Event, depth: int) -> Sequence:
        items = []
        while not isinstance(event := self.parser.get_event(), SequenceEndEvent):
            items.append(self.build(event, depth + 1))
        return Sequence(tuple(items), self.whole(start, event))

    def mapping(self, start: Event, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        merged: list[Node] = []
        while not isinstance(event := self.parser.get_event(), MappingEndEvent):
            key = self.build(event, depth + 1)
            value = self.build(self.parser.get_event(), depth + 1)
            if not isinstance(key, Scalar):
                self.diagnostics.append(
                    error("DOC002", "a key must be text", key.span, "quote templates: '{{name}}'")
                )
            elif key.text == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]:
                merged += value.items if isinstance(value, Sequence) else [value]
            elif key.text in entries:
                self.duplicate(key, entries[key.text])
            else:
                entries[key.text] = Entry(key.text, key.span, value)
        for source in merged:
            for name, entry in source.entries.items() if isinstance(source, Mapping) else ():
                entries.setdefault(name, entry)
        return Mapping(entries, self.whole(start, event))

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

    def whole(self, start: Event, end: Event) -> Span:
        first, last = start.start_mark, end.end_mark
        return Span(self.file, first.line + 1, first.column + 1, last.line + 1, last.column + 1)


_HINTS = (
    ("did not find expected key", "look for a missing quote, comma or indentation on this line or the one above"),
    ("mapping values are not allowed", "a value that contains `: ` must be quoted"),
    ("cannot start any token", "quote the value; tabs cannot indent YAML"),
    ("control characters are not allowed", "remove the invisible character, or escape it in double quotes"),
)


def _syntax_error(file: str, problem: yaml.YAMLError) -> Diagnostic:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    text = getattr(problem, "problem", None) or getattr(problem, "reason", None) or str(problem).splitlines()[0]
    context = getattr(problem, "context", None)
    message = f"this is not valid YAML: {text}" + (f" ({context})" if context else "")
    hints = [hint for start, hint in _HINTS if start in str(text)]
    where = Span(file, line, column, line, column + 1)
    return error("DOC002", message, where, *(hints or ["check the quoting and the indentation around this place"]))
