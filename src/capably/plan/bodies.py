"""Declared request bodies become body templates, each leaf compiled on its own so that types survive."""

from collections.abc import Callable
from typing import Any, TypeAlias

from capably.diagnostics import Diagnostic, did_you_mean, error
from capably.document import Mapping, Node, Scalar, Sequence
from capably.expr.names import fold
from capably.expr.source import Constant, Fields, Items, Source
from capably.plan.templates import Notation, read_json, read_yaml, structured
from capably.upstream.bodies import BodyKind, BodyTemplate, PartTemplate, kind_of

Compile: TypeAlias = Callable[[str, Node], Source]
"""Compiles the template text of a leaf that stands in a node."""

BODY_TYPES = {
    "json": BodyKind.JSON,
    "form": BodyKind.FORM,
    "formUrlEncoded": BodyKind.FORM,
    "multipart": BodyKind.MULTIPART,
    "multipartForm": BodyKind.MULTIPART,
    "text": BodyKind.TEXT,
    "raw": BodyKind.TEXT,
    "xml": BodyKind.XML,
    "sparql": BodyKind.SPARQL,
    "yaml": BodyKind.YAML,
    "binary": BodyKind.BINARY,
    "graphql": BodyKind.JSON,
}
"""The types to recommend; case, ``-`` and ``_`` do not matter. A media type says it as well."""
_ALIASES = {
    "xwwwformurlencoded": BodyKind.FORM,
    "urlencoded": BodyKind.FORM,
    "formdata": BodyKind.MULTIPART,
    "multipartformdata": BodyKind.MULTIPART,
    "plain": BodyKind.TEXT,
    "plaintext": BodyKind.TEXT,
    "string": BodyKind.TEXT,
    "sparqlquery": BodyKind.SPARQL,
    "yml": BodyKind.YAML,
    "octetstream": BodyKind.BINARY,
    "bytes": BodyKind.BINARY,
    "file": BodyKind.BINARY,
}
_BY_FOLD = _ALIASES | {fold(name): kind for name, kind in BODY_TYPES.items()}
_NOTATIONS: dict[BodyKind, Notation] = {
    BodyKind.JSON: read_json,
    BodyKind.FORM: read_json,
    BodyKind.YAML: read_yaml,
}
_MEDIA_TYPE = ("contentType", "mediaType")
_KEYS = frozenset({"type", "data", *_MEDIA_TYPE})
_PART_KEYS = frozenset({"name", "value", "filename", *_MEDIA_TYPE})


def compile_body(node: Node, compile_text: Compile, found: list[Diagnostic]) -> BodyTemplate | None:
    """The template of a declared body; ``None`` (and a diagnostic) when it is of no kind that can be sent."""
    if isinstance(node, Mapping) and _says_its_type(node):
        return _typed(node, compile_text, found)
    return BodyTemplate(BodyKind.JSON, _source(node, compile_text, read_json), follows_header=True)


def _says_its_type(node: Mapping) -> bool:
    """Whether a mapping is ``type`` and ``data``; else it is the JSON object itself, even one with a field ``type``."""
    stated = node.get("type")
    if stated is not None and not isinstance(stated, Scalar):
        return False
    if node.entries.keys() <= _KEYS:
        return bool(node.entries) and ("type" in node.entries or "data" in node.entries)
    return stated is not None and "data" in node.entries and _kind(stated.text) is not None


def _kind(name: str) -> BodyKind | None:
    return kind_of(name) if "/" in name else _BY_FOLD.get(fold(name))


def _typed(node: Mapping, compile_text: Compile, found: list[Diagnostic]) -> BodyTemplate | None:
    media_type = _media_type(node)
    name = _type_of(node, media_type)
    kind = _kind(name)
    if kind is None:
        message = f"a request body of type `{name}` cannot be sent"
        found.append(error("BOD001", message, node.value_span("type"), *did_you_mean(name, BODY_TYPES)))
        return None
    data = node.get("data")
    if data is None:
        found.append(error("BOD002", "the request body has no `data`", node.span, "add `data:` beside `type:`"))
        return None
    source: Source | None = compile_text(media_type.text, media_type) if media_type is not None else None
    if source is None and "/" in name:
        source = Constant(name)
    if kind is BodyKind.MULTIPART and isinstance(data, Sequence):
        parts = tuple(part for item in data.items if (part := _part(item, compile_text, found)) is not None)
        return BodyTemplate(kind, Fields(()), parts=parts, media_type=source)
    content = _query(data, compile_text) if fold(name) == "graphql" else None
    content = content or _source(data, compile_text, _NOTATIONS.get(kind))
    return BodyTemplate(kind, content, media_type=source, follows_header="type" not in node.entries and source is None)


def _type_of(node: Mapping, media_type: Scalar | None) -> str:
    stated = node.get("type")
    if isinstance(stated, Scalar):
        return stated.text
    is_known = media_type is not None and "/" in media_type.text and "{" not in media_type.text
    return media_type.text if media_type is not None and is_known else "json"


def _media_type(node: Mapping) -> Scalar | None:
    found = (node.get(key) for key in _MEDIA_TYPE)
    return next((item for item in found if isinstance(item, Scalar)), None)


def _part(node: Node, compile_text: Compile, found: list[Diagnostic]) -> PartTemplate | None:
    """A field of a multipart form: ``{name, value, filename, contentType}``."""
    name = node.get("name") if isinstance(node, Mapping) else None
    value = node.get("value") if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or not isinstance(name, Scalar) or value is None:
        advice = "write `- {name: file, value: '{{tools.file}}', filename: a.pdf, contentType: application/pdf}`"
        found.append(error("BOD003", "a part of a multipart body needs `name` and `value`", node.span, advice))
        return None
    strays = [entry for key, entry in node.entries.items() if key not in _PART_KEYS]
    for entry in strays:
        message = f"`{entry.key}` is not a key of a multipart part"
        found.append(error("BOD003", message, entry.key_span, *did_you_mean(entry.key, _PART_KEYS)))
    filename, media_type = node.get("filename"), _media_type(node)
    return PartTemplate(
        compile_text(name.text, name),
        _source(value, compile_text, None),
        compile_text(filename.text, filename) if isinstance(filename, Scalar) else None,
        compile_text(media_type.text, media_type) if media_type is not None else None,
    )


def _query(data: Node, compile_text: Compile) -> Source | None:
    """A GraphQL query that stands alone, as the object servers read (GraphQL over HTTP, "Request Parameters")."""
    if not isinstance(data, Scalar) or not isinstance(data.value, str):
        return None
    return Fields((("query", compile_text(data.text, data)),))


def _source(node: Node, compile_text: Compile, notation: Notation | None) -> Source:
    if isinstance(node, Mapping):
        return Fields(tuple((name, _source(entry.value, compile_text, None)) for name, entry in node.entries.items()))
    if isinstance(node, Sequence):
        return Items(tuple(_source(item, compile_text, None) for item in node.items))
    if not isinstance(node.value, str):
        return Constant(node.value)
    marked = structured(node.text, notation) if notation is not None else None
    if marked is None:
        return compile_text(node.text, node)
    return _leaf(marked.value, lambda text: compile_text(marked.unmark(text), node))


def _leaf(value: Any, compile_leaf: Callable[[str], Source]) -> Source:
    if isinstance(value, dict):
        return Fields(tuple((name, _leaf(item, compile_leaf)) for name, item in value.items()))
    if isinstance(value, list):
        return Items(tuple(_leaf(item, compile_leaf) for item in value))
    return compile_leaf(value) if isinstance(value, str) else Constant(value)
