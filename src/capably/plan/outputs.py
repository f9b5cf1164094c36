"""Declared outputs become an answer: shapes with compiled paths."""

from capably.diagnostics import Diagnostic, error, warning
from capably.document import Mapping, Node, Scalar, Sequence, plain
from capably.expr.jsonpath import ROOT, Path, PathError, compile_path
from capably.model.decode import decode_record
from capably.model.values import Output
from capably.plan.answer import Answer, Each, Fixed, Shape, Shaped, Whole


def compile_answer(outputs: tuple[Output, ...], found: list[Diagnostic]) -> Answer:
    """The answer that a list of outputs declares; problems are added to ``found``."""
    shapes = [(output, shape) for output in outputs if (shape := _shape(output, None, found)) is not None]
    if shapes and all(output.name for output, _shape in shapes):
        return Answer(named=tuple((output.name or "", shape) for output, shape in shapes))
    return Answer(alternatives=tuple(shape for _output, shape in shapes))


def _shape(output: Output, name: str | None, found: list[Diagnostic]) -> Shape | None:
    fixed = output.const if output.const is not None else output.value
    if fixed is not None and output.mapping is None and not _is_path_text(fixed):
        return Fixed(plain(fixed))
    path = _path(output, name, found)
    if path is None:
        return None
    if output.properties is not None:
        return Shaped(path, tuple(_properties(output.properties, found)))
    if output.items is not None:
        item = _item(output.items, found)
        return Each(path, item) if item is not None else None
    return Whole(path)


def _path(output: Output, name: str | None, found: list[Diagnostic]) -> Path | None:
    node = output.mapping if output.mapping is not None else output.value
    if node is None:
        has_parts = output.properties is not None or output.items is not None
        return ROOT if name is None or has_parts else Path(f"$['{name}']", (name,))
    if not isinstance(node, Scalar):
        found.append(error("OUT002", "`mapping` must be a JSONPath", node.span, "such as `$.data.id`"))
        return None
    try:
        path = compile_path(node.text)
    except PathError as problem:
        found.append(error("OUT002", f"this JSONPath cannot be used: {problem}", node.span, "such as `$.data[0].id`"))
        return None
    if node.text.strip() == "$.":
        found.append(warning("OUT001", "`$.` is read as `$`, the whole answer", node.span, "write `$`"))
    return path


def _is_path_text(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and node.text.startswith("$")


def _properties(node: Node, found: list[Diagnostic]) -> list[tuple[str, Shape]]:
    if not isinstance(node, Mapping):
        found.append(error("OUT003", "`properties` must be a mapping of outputs", node.span))
        return []
    parts = ((name, _nested(entry.value, name, found)) for name, entry in node.entries.items())
    return [(name, shape) for name, shape in parts if shape is not None]


def _item(node: Node, found: list[Diagnostic]) -> Shape | None:
    """The shape of each element: one output, or (before 1.0.0-alpha3) a list with its only one or its named ones."""
    if not isinstance(node, Sequence):
        return _nested(node, None, found)
    outputs = [output for item in node.items if (output := decode_record(Output, item, "items", found)) is not None]
    if not node.items:
        return Whole(ROOT)
    if not outputs:
        return None
    if not all(output.name for output in outputs):
        return _shape(outputs[0], None, found)
    named = ((output.name or "", _shape(output, output.name, found)) for output in outputs)
    return Shaped(ROOT, tuple((name, shape) for name, shape in named if shape is not None))


def _nested(node: Node, name: str | None, found: list[Diagnostic]) -> Shape | None:
    output = decode_record(Output, node, "outputParameters", found)
    return _shape(output, name, found) if output is not None else None
