"""Declared request bodies become body templates, each leaf compiled on its own so that types survive."""

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from capably.diagnostics import Diagnostic, error
from capably.document import Mapping, Node, Scalar, Sequence
from capably.expr.source import Constant, Fields, Items, Source
from capably.expr.template import Hole, cut
from capably.upstream.request import BodyKind, BodyTemplate

Compile: TypeAlias = Callable[[str, Node], Source]
"""Compiles the template text of a leaf that stands in a node."""

BODY_TYPES = {
    "json": BodyKind.JSON,
    "form": BodyKind.FORM,
    "formUrlEncoded": BodyKind.FORM,
    "text": BodyKind.TEXT,
    "xml": BodyKind.XML,
    "sparql": BodyKind.SPARQL,
}
_STRUCTURED = frozenset({BodyKind.JSON, BodyKind.FORM})


def compile_body(node: Node, compile_text: Compile, found: list[Diagnostic]) -> BodyTemplate | None:
    """The template of a declared body; ``None`` (and a diagnostic) when it is of no kind that can be sent."""
    if isinstance(node, Mapping) and ("data" in node.entries or isinstance(node.get("type"), Scalar)):
        return _typed(node, compile_text, found)
    return BodyTemplate(BodyKind.JSON, _source(node, compile_text, as_json=True))


def _typed(node: Mapping, compile_text: Compile, found: list[Diagnostic]) -> BodyTemplate | None:
    stated = node.get("type")
    name = stated.text if isinstance(stated, Scalar) else "json"
    kind = BODY_TYPES.get(name)
    if kind is None:
        known = ", ".join(BODY_TYPES)
        span = node.value_span("type")
        found.append(error("BOD001", f"a request body of type `{name}` cannot be sent", span, f"known types: {known}"))
        return None
    data = node.get("data")
    if data is None:
        found.append(error("BOD002", "the request body has no `data`", node.span, "add `data:` beside `type:`"))
        return None
    return BodyTemplate(kind, _source(data, compile_text, as_json=kind in _STRUCTURED))


def _source(node: Node, compile_text: Compile, *, as_json: bool) -> Source:
    if isinstance(node, Mapping):
        return Fields(
            tuple((name, _source(entry.value, compile_text, as_json=False)) for name, entry in node.entries.items())
        )
    if isinstance(node, Sequence):
        return Items(tuple(_source(item, compile_text, as_json=False) for item in node.items))
    if not isinstance(node.value, str):
        return Constant(node.value)
    structured = _json_template(node, compile_text) if as_json else None
    return structured if structured is not None else compile_text(node.text, node)


_MARK = "\ue000"  # a private-use character: no document holds it, JSON keeps it


def _json_template(node: Scalar, compile_text: Compile) -> Source | None:
    """A JSON text with holes, compiled leaf by leaf; ``None`` when the text is no JSON."""
    if _MARK in node.text:
        return None
    holes: list[Hole] = []
    pieces = []
    in_string = False
    for piece in cut(node.text):
        if isinstance(piece, str):
            pieces.append(piece)
            in_string ^= len(re.findall(r'(?<!\\)(?:\\\\)*"', piece)) % 2 == 1
            continue
        mark = f"{_MARK}{len(holes)}{_MARK}"
        pieces.append(mark if in_string else f'"{mark}"')
        holes.append(piece)
    try:
        value = json.loads("".join(pieces), object_pairs_hook=_object)
    except ValueError:
        return None
    return _leaf(value, holes, node, compile_text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if any(_MARK in name for name, _value in pairs):
        raise ValueError("the name of a field holds a template")
    return dict(pairs)


def _leaf(value: Any, holes: list[Hole], node: Scalar, compile_text: Compile) -> Source:
    if isinstance(value, dict):
        return Fields(tuple((name, _leaf(item, holes, node, compile_text)) for name, item in value.items()))
    if isinstance(value, list):
        return Items(tuple(_leaf(item, holes, node, compile_text) for item in value))
    if not isinstance(value, str) or _MARK not in value:
        return Constant(value)
    text = re.sub(f"{_MARK}(\\d+){_MARK}", lambda match: f"{{{{{holes[int(match[1])].name}}}}}", value)
    return compile_text(text, node)
