"""Declared outputs become an answer: shapes with compiled paths."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from capably.diagnostics import Diagnostic, Span, error, warning
from capably.document import Mapping, Node, Scalar, Sequence, plain, walk
from capably.expr.jsonpath import ROOT, AnyPath, Path, PathError, compile_path
from capably.expr.source import Constant, Fields, Items, Source
from capably.expr.template import Hole, cut
from capably.model.decode import decode_record
from capably.model.values import Output
from capably.plan.answer import Answer, Each, EachValue, Expected, Fixed, Shape, Shaped, Whole
from capably.plan.conversion import LOST, convert
from capably.plan.header_outputs import is_header, usable_headers

CompileText: TypeAlias = Callable[[str, Node], Source]
"""Compiles a template over the caller's inputs that stands in a node."""


def compile_answer(
    outputs: tuple[Output, ...],
    compile_text: CompileText,
    found: list[Diagnostic],
    *,
    is_mock: bool = False,
    is_flow: bool = False,
) -> Answer:
    """The answer that a list of outputs declares; problems are added to ``found``.

    Args:
        outputs: what is declared.
        compile_text: compiles templates in fixed values.
        found: takes the problems.
        is_mock: nothing is called: fixed values are the whole answer, mappings say nothing.
        is_flow: the value is made of steps: an object whose properties say no path is found by its name.
    """
    shaper = _Shaper(compile_text, found, is_mock=is_mock, is_flow=is_flow)
    headers = tuple(shaper.header(output) for output in usable_headers(outputs, found))
    told = [output for output in outputs if not is_header(output)]
    names = [output.name for output in told]
    if names and all(names):
        return Answer(named=shaper.named(told), headers=headers)
    shapes = (shaper.shape(output, None) for output in told)
    return Answer(alternatives=tuple(shape for shape in shapes if shape is not None), headers=headers)


def has_fixed_value(outputs: tuple[Output, ...]) -> bool:
    """Whether outputs state a value, which makes an operation that calls nothing a mock."""
    return any(_states_a_value(output.node) for output in outputs)


def _states_a_value(node: Node) -> bool:
    """Whether an output or one that it is made of states a value."""
    if isinstance(node, Sequence):
        return any(_states_a_value(item) for item in node.items)
    if not isinstance(node, Mapping):
        return False
    stated = (node.get("const"), node.get("value"))
    if any(value is not None and not _is_path_text(value) for value in stated):
        return True
    properties, items = node.get("properties"), node.get("items")
    parts = [entry.value for entry in properties.entries.values()] if isinstance(properties, Mapping) else []
    return any(_states_a_value(part) for part in (*parts, *([items] if items is not None else [])))


def names_in(outputs: tuple[Output, ...]) -> list[str]:
    """Names that templates in the values of outputs read."""
    texts = [leaf.text for output in outputs for leaf in walk(output.node) if isinstance(leaf, Scalar)]
    return [piece.name for text in texts for piece in cut(text) if isinstance(piece, Hole)]


@dataclass(frozen=True, slots=True)
class _Shaper:
    compile_text: CompileText
    found: list[Diagnostic]
    is_mock: bool
    is_flow: bool

    def shape(self, output: Output, name: str | None) -> Shape | None:
        """The shape of an output; ``name`` is the property it fills."""
        if not self.is_of_body(output):
            return None
        expected = _expected(output, name)
        fixed = output.const if output.const is not None else output.value
        if fixed is not None and (output.mapping is None or self.is_mock) and not _is_path_text(fixed):
            return self.fixed(fixed, expected)
        if self.is_mock:
            return self.mapped(output, ROOT, expected) if output.properties or output.items else None
        path = self.path(output, name)
        return self.mapped(output, path, expected) if path is not None else None

    def header(self, output: Output) -> tuple[str, Shape | None]:
        """The name of a header, and its shape: none for one that states neither a path nor a value."""
        name = (output.name or "").lower()
        stated = (output.mapping, output.value, output.const)
        if all(node is None for node in stated):
            return name, None
        return name, self.shape(replace(output, in_=None), output.name)

    def mapped(self, output: Output, path: AnyPath, expected: Expected) -> Shape | None:
        if output.properties is not None:
            return Shaped(path, tuple(self.properties(output.properties)), expected)
        part = output.items if output.items is not None else output.values
        if part is None:
            return Whole(path, expected)
        item = self.item(part)
        if item is None:
            return None
        kind = Each if output.items is not None else EachValue
        return kind(path, item, expected)

    def is_of_body(self, output: Output) -> bool:
        if (output.in_ or "body").lower() == "body":
            return True
        message = f"an output cannot be in `{output.in_}`: it is left out"
        self.found.append(warning("DOC013", message, output.value_span("in"), "outputs are in the body or in a header"))
        return False

    def fixed(self, node: Node, expected: Expected) -> Fixed:
        source = _source(node, self.compile_text)
        if isinstance(source, Constant) and source.value is not None and expected.kind is not None:
            value = convert(source.value, expected.kind)
            if value is LOST:
                message = f"this value is no {expected.kind}, which the output is declared to be"
                self.found.append(error("OUT004", message, node.span, "change the value or the `type`"))
                return Fixed(source)
            source = Constant(value)
        return Fixed(source, expected)

    def path(self, output: Output, name: str | None) -> AnyPath | None:
        node = output.mapping if output.mapping is not None else output.value
        if node is None:
            # An object of properties is composed from the node above it; anything else is found there by its name.
            is_composed = output.properties is not None and not (self.is_flow and not _says_paths(output.properties))
            return ROOT if name is None or is_composed else Path(f"$['{name}']", (name,))
        if not isinstance(node, Scalar):
            self.found.append(error("OUT002", "`mapping` must be a JSONPath", node.span, "such as `$.data.id`"))
            return None
        text = _unwrapped(node.text)
        try:
            path = compile_path(text)
        except PathError as problem:
            span = _part_of(node, problem.position)
            advice = "such as `$.data[0].id`, `$.items[*].id` or `$.items[?(@.id == 1)]`"
            self.found.append(error("OUT002", f"this JSONPath cannot be used: {problem}", span, advice))
            return None
        if text.strip() == "$.":
            self.found.append(warning("OUT001", "`$.` is read as `$`, the whole answer", node.span, "write `$`"))
        return path

    def properties(self, node: Node) -> list[tuple[str, Shape]]:
        if not isinstance(node, Mapping):
            self.found.append(error("OUT003", "`properties` must be a mapping of outputs", node.span))
            return []
        parts = ((name, self.nested(entry.value, name)) for name, entry in node.entries.items())
        return [(name, shape) for name, shape in parts if shape is not None]

    def item(self, node: Node) -> Shape | None:
        """The shape of each element: one output, or (until 1.0.0-alpha2) a list with its only one or its named ones."""
        if not isinstance(node, Sequence):
            return self.nested(node, None)
        read = (decode_record(Output, item, "items", self.found) for item in node.items)
        outputs = [output for output in read if output is not None]
        if not node.items:
            return Whole(ROOT)
        if not outputs:
            return None
        if not all(output.name for output in outputs):
            return self.shape(outputs[0], None)
        return Shaped(ROOT, self.named(outputs))

    def named(self, outputs: Iterable[Output]) -> tuple[tuple[str, Shape], ...]:
        shapes = ((output.name or "", self.shape(output, output.name)) for output in outputs)
        return tuple((name, shape) for name, shape in shapes if shape is not None)

    def nested(self, node: Node, name: str | None) -> Shape | None:
        output = decode_record(Output, node, "outputParameters", self.found)
        return self.shape(output, name) if output is not None else None


def _says_paths(properties: Node) -> bool:
    """Whether one of an object's properties, or of theirs, says where it is found."""
    if not isinstance(properties, Mapping):
        return False
    parts = [entry.value for entry in properties.entries.values() if isinstance(entry.value, Mapping)]
    return any(
        part.get("mapping") is not None
        or part.get("value") is not None
        or ((inner := part.get("properties")) is not None and _says_paths(inner))
        for part in parts
    )


def _expected(output: Output, name: str | None) -> Expected:
    return Expected(output.type, output.max_length, name or output.name or "", output.node.span, tuple(_notes(output)))


def _notes(output: Output) -> Iterable[tuple[str, Any]]:
    """What an output says of itself to people. Its format is left out: nothing makes an upstream keep to it."""
    if output.display:
        yield "title", output.display
    if output.description:
        yield "description", output.description
    if output.example is not None:
        yield "examples", [plain(output.example)]


def _is_path_text(node: Node) -> bool:
    """Whether a `value` is a path into the answer: ``$``, ``$.a``, ``$['a']``, or one of these as the only hole."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return False
    text = _unwrapped(node.text).strip()
    return text == "$" or text.startswith(("$.", "$["))


def _unwrapped(text: str) -> str:
    """A path that was written as a template, ``{{$.a}}``, without its braces."""
    pieces = cut(text.strip())
    if len(pieces) == 1 and isinstance(pieces[0], Hole) and pieces[0].name.startswith("$"):
        return pieces[0].name
    return text


def _source(node: Node, compile_text: CompileText) -> Source:
    """A stated value, each leaf compiled on its own so that types survive."""
    if not any(isinstance(leaf, Scalar) and "{{" in leaf.text for leaf in walk(node)):
        return Constant(plain(node))
    if isinstance(node, Mapping):
        return Fields(tuple((name, _source(entry.value, compile_text)) for name, entry in node.entries.items()))
    if isinstance(node, Sequence):
        return Items(tuple(_source(item, compile_text) for item in node.items))
    return compile_text(node.text, node)


def _part_of(node: Scalar, position: int) -> Span:
    """The place in a one-line scalar where a path goes wrong; the whole scalar when it is not written as it reads."""
    span = node.span
    quotes = span.end_column - span.column - len(node.text)
    if span.line != span.end_line or quotes not in {0, 2} or position >= len(node.text):
        return span
    return replace(span, column=span.column + quotes // 2 + position)
