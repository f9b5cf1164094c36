"""Canonical nodes become records.

One generic decoder walks a node beside a record's declaration. What is wrong becomes a diagnostic at its place; the
rest is decoded all the same, so that one mistake never hides another.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, TypeVar

from capably.diagnostics import Diagnostic, did_you_mean, error, nearest, warning
from capably.document import Mapping, Node, Scalar, Sequence
from capably.model.capability import Bind, Capability, Info
from capably.model.consumes import Consumes
from capably.model.control import ExposesControl
from capably.model.exposes import Exposes, ExposesMcp, ExposesRest
from capably.model.fields import Record, Value, values_of
from capably.model.flows import Aggregate
from capably.model.skills import ExposesSkill

SERVER_KINDS: dict[str, type[Exposes]] = {
    "rest": ExposesRest,
    "mcp": ExposesMcp,
    "skill": ExposesSkill,
    "control": ExposesControl,
}

AnyRecord = TypeVar("AnyRecord", bound=Record)
Read: TypeAlias = Callable[[Node, str, "list[Diagnostic]"], Any]


@dataclass(frozen=True, slots=True)
class _Key:
    """How one field of a record is read."""

    field: str
    key: str
    required: bool
    read: Read


def decode(version: str, file: str, root: Mapping) -> tuple[Capability, list[Diagnostic]]:
    """Decode a canonical document.

    Args:
        version: the document's language version, already checked.
        file: the file's name, as diagnostics show it.
        root: the canonical root (see :mod:`capably.dialects`).

    Returns:
        The capability, without the parts that could not be read, and a diagnostic for each of these.
    """
    found: list[Diagnostic] = []
    capability = root.get("capability")
    body = capability if isinstance(capability, Mapping) else Mapping({}, root.span)
    info_node = root.get("info")
    info = decode_record(Info, info_node, "info", found) if info_node is not None and not _is_null(info_node) else None
    decoded = Capability(
        node=root,
        file=file,
        version=version,
        info=info,
        binds=tuple(_records(Bind, _both(root, body, "binds"), "binds", found)),
        consumes=tuple(_records(Consumes, _both(root, body, "consumes"), "consumes", found)),
        exposes=tuple(_servers(_both(root, body, "exposes"), found)),
        aggregates=tuple(_records(Aggregate, _both(root, body, "aggregates"), "aggregates", found)),
    )
    _unknown_keys(root, _ROOT_KEYS, "the document", found)
    _unknown_keys(body, _BODY_KEYS, "capability", found)
    return decoded, found


_ROOT_KEYS = ("naftiko", "ikanos", "info", "binds", "consumes", "exposes", "aggregates", "capability")
_BODY_KEYS = ("binds", "consumes", "exposes", "aggregates")


def _both(root: Mapping, body: Mapping, key: str) -> list[Node]:
    return [node for node in (root.get(key), body.get(key)) if node is not None]


def _records(kind: type[AnyRecord], nodes: Iterable[Node], key: str, found: list[Diagnostic]) -> list[AnyRecord]:
    decoded = []
    for node in nodes:
        for item in _list(node, key, found):
            one = decode_record(kind, item, key, found)
            if one is not None:
                decoded.append(one)
    return decoded


def _servers(nodes: Iterable[Node], found: list[Diagnostic]) -> list[Exposes]:
    decoded = []
    for node in nodes:
        for item in _list(node, "exposes", found):
            kind = item.get("type") if isinstance(item, Mapping) else None
            name = kind.text if isinstance(kind, Scalar) else ""
            if name not in SERVER_KINDS:
                _unserved(item, kind, name, found)
                continue
            one = decode_record(SERVER_KINDS[name], item, "exposes", found)
            if one is not None:
                decoded.append(one)
    return decoded


_OLD_KINDS = {"http": "rest", "api": "rest", "agent-skill": "skill", "webhook": "rest"}


def _unserved(item: Node, kind: Node | None, name: str, found: list[Diagnostic]) -> None:
    span = kind.span if kind is not None else item.span
    if name in _OLD_KINDS:
        message = f"`{name}` is a kind of server from before the published versions: it is left out"
        found.append(warning("DOC013", message, span, f"today that is `type: {_OLD_KINDS[name]}`"))
    elif name:
        found.append(error("DOC013", f"`{name}` is not a kind of server", span, *did_you_mean(name, SERVER_KINDS)))
    else:
        found.append(error("DOC011", "`exposes` needs `type`", span, "add `type: rest` or `type: mcp`"))


def decode_record(kind: type[AnyRecord], node: Node, where: str, found: list[Diagnostic]) -> AnyRecord | None:
    """Decode one record; ``None`` when a required key is missing or the node is no mapping."""
    if not isinstance(node, Mapping):
        found.append(error("DOC010", f"`{where}` must hold mappings, not {_describe(node)}", node.span))
        return None
    values: dict[str, Any] = {"node": node}
    complete = True
    keys = _keys(kind)
    for item in keys:
        value = node.get(item.key)
        if value is None or _is_null(value):
            if item.required:
                complete = False
                found.append(error("DOC011", f"`{where}` needs `{item.key}`", node.span, f"add `{item.key}:` here"))
            continue
        decoded = item.read(value, item.key, found)
        if decoded is not None:
            values[item.field] = decoded
        elif item.required:
            complete = False
    _unknown_keys(node, tuple(item.key for item in keys), where, found)
    return kind(**values) if complete else None


def _unknown_keys(node: Mapping, known: tuple[str, ...], where: str, found: list[Diagnostic]) -> None:
    for entry in node.entries.values():
        if entry.key in known or entry.key.startswith("x-"):
            continue
        close = nearest(entry.key, known)
        advice = f"did you mean `{close}`?" if close is not None else "it is ignored"
        found.append(warning("DOC012", f"`{entry.key}` is not a key of `{where}`", entry.key_span, advice))


def _keys(kind: type[Record]) -> tuple[_Key, ...]:
    if kind not in _KEYS:
        _KEYS[kind] = _compile_keys(kind)
    return _KEYS[kind]


_KEYS: dict[type[Record], tuple[_Key, ...]] = {}


def _compile_keys(kind: type[Record]) -> tuple[_Key, ...]:
    values = values_of(kind)
    return tuple(
        _Key(item.name, item.metadata["key"], item.metadata["required"], _reader(values[item.name]))
        for item in fields(kind)
        if "key" in item.metadata
    )


def _reader(value: Value) -> Read:
    kind = value.kind
    if value.shape == "list":
        return _list_reader(kind)
    if value.shape == "map":
        return _read_texts if kind is str else _read_nodes if kind is None else _map_reader(kind)
    if value.one_of:
        return _choice_reader(value.one_of)
    if kind is None:
        return lambda node, _key, _found: node
    return _SCALARS.get(kind) or (lambda node, key, found: decode_record(kind, node, key, found))


def _list_reader(kind: Any) -> Read:
    def read(node: Node, key: str, found: list[Diagnostic]) -> tuple[Any, ...]:
        items = _list(node, key, found)
        decode_one = (
            _SCALARS[str]
            if kind is str
            else lambda item, name, diagnostics: decode_record(kind, item, name, diagnostics)
        )
        decoded = (decode_one(item, key, found) for item in items)
        return tuple(item for item in decoded if item is not None)

    return read


def _list(node: Node, key: str, found: list[Diagnostic]) -> tuple[Node, ...]:
    if isinstance(node, Sequence):
        return node.items
    if not _is_null(node):
        found.append(error("DOC010", f"`{key}` must be a list, not {_describe(node)}", node.span))
    return ()


def _read_text(node: Node, key: str, found: list[Diagnostic]) -> str | None:
    if isinstance(node, Scalar):
        return node.text
    advice = "quote it: a template is written '{{name}}'"
    found.append(error("DOC010", f"`{key}` must be text, not {_describe(node)}", node.span, advice))
    return None


def read_flag(node: Node, key: str, found: list[Diagnostic]) -> bool | None:
    """True or false, in any of the words for it; ``None`` when it is neither, which is told."""
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if isinstance(node, Scalar) and node.text.lower() in words:
        return words[node.text.lower()]
    found.append(error("DOC010", f"`{key}` must be true or false, not {_describe(node)}", node.span))
    return None


_WHOLE = re.compile(r"[0-9]{1,1000}")


def _read_whole(node: Node, key: str, found: list[Diagnostic]) -> int | None:
    if isinstance(node, Scalar) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, Scalar) and _WHOLE.fullmatch(node.text):
        return int(node.text)
    found.append(error("DOC010", f"`{key}` must be a whole number, not {_describe(node)}", node.span))
    return None


_SCALARS: dict[Any, Read] = {str: _read_text, bool: read_flag, int: _read_whole}


def _choice_reader(choices: tuple[str, ...]) -> Read:
    by_fold = {choice.casefold(): choice for choice in choices}

    def read(node: Node, key: str, found: list[Diagnostic]) -> str | None:
        text = _read_text(node, key, found)
        if text is None:
            return None
        choice = by_fold.get(text.casefold())
        if choice is None:
            message = f"`{key}` must be one of {', '.join(choices)}, not `{text}`"
            found.append(error("DOC010", message, node.span, *did_you_mean(text, choices)))
        return choice

    return read


def _read_nodes(node: Node, key: str, found: list[Diagnostic]) -> dict[str, Node] | None:
    if isinstance(node, Mapping):
        return {name: entry.value for name, entry in node.entries.items()}
    found.append(error("DOC010", f"`{key}` must be a mapping, not {_describe(node)}", node.span))
    return None


def _read_texts(node: Node, key: str, found: list[Diagnostic]) -> dict[str, str] | None:
    nodes = _read_nodes(node, key, found)
    if nodes is None:
        return None
    texts = {name: _read_text(value, f"{key}.{name}", found) for name, value in nodes.items()}
    return {name: text for name, text in texts.items() if text is not None}


def _map_reader(kind: type[AnyRecord]) -> Read:
    def read(node: Node, key: str, found: list[Diagnostic]) -> dict[str, AnyRecord] | None:
        nodes = _read_nodes(node, key, found)
        if nodes is None:
            return None
        records = {name: decode_record(kind, value, f"{key}.{name}", found) for name, value in nodes.items()}
        return {name: record for name, record in records.items() if record is not None}

    return read


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _describe(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if node.value is None:
        return "nothing"
    shown = node.text if len(node.text) <= 40 else node.text[:40] + "…"  # noqa: PLR2004 -- enough to recognise
    return f"`{shown}`"
