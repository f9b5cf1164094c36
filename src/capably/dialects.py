"""Any published version of the document language becomes one canonical shape.

Canonical is the newest naming (``display``, ``flows``, ``target``, ``from``) in list shape: a collection keyed by name
becomes a list whose items carry ``name``. Lists keep what keyed maps cannot: the same name twice, in document order.
"""

from dataclasses import replace

from capably.diagnostics import Diagnostic, Span, error, nearest, warning
from capably.document import Document, Entry, Mapping, Node, Scalar, Sequence

VERSIONS: dict[str, tuple[str, ...]] = {
    "naftiko": ("0.4", "0.5", "1.0.0-alpha1", "1.0.0-alpha2", "1.0.0-alpha3"),
    "ikanos": (
        *("1.0.0-alpha3", "1.0.0-alpha4"),
        *("1.0.0-beta1", "1.0.0-beta2", "1.0.0-beta3", "1.0.0-beta4", "1.0.0-beta5"),
    ),
}
"""Versions of the language, by the root key that states them."""

NAMED = frozenset(
    {
        *("inputParameters", "outputParameters", "resources", "operations", "tools", "prompts", "arguments"),
        *("skills", "flows", "functions", "steps"),
    }
)
_BY_NAME = "properties"  # its keys are the author's names, whatever they are
RENAMED = {"label": "display", "functions": "flows", "targetName": "target"}
_ALSO_WRITTEN = {"auth": "authentication"}  # in no published version, but in documents
# What stands below these keys is the author's own data or text, not the language's.
_FREE = frozenset(
    {
        "with",
        "body",
        "value",
        "default",
        "const",
        "enum",
        "example",
        "keys",
        "metadata",
        "schema",
        "inputSchema",
        "data",
        "fallback",
    }
)
_SECTIONS = ("capability", "consumes", "exposes", "aggregates", "binds")
_KIND_OF_FILE = {
    "openapi": "an OpenAPI document",
    "swagger": "a Swagger document",
    "apiVersion": "a Kubernetes-style resource",
    "asyncapi": "an AsyncAPI document",
    "arazzo": "an Arazzo document",
    "services": "a Compose file",
    "apisComposed": "an API composition",
}
_START = "a capability document starts with `ikanos: 1.0.0-beta4` (or `naftiko: 1.0.0-alpha2`)"


def canonical(document: Document) -> tuple[str, Mapping | None, list[Diagnostic]]:
    """Bring a document into the canonical shape.

    Returns:
        Its language version, its root (``None`` when it is not a capability document) and what is wrong with it.
    """
    start = Span(document.file, 1, 1, 1, 1)
    root = document.root
    if root is None:
        return "", None, [error("DOC004", "the file is empty", start, _START)]
    if not isinstance(root, Mapping):
        return "", None, [error("DOC004", "this is not a capability document: its root is no mapping", start, _START)]
    dialect = next((key for key in VERSIONS if key in root.entries), None)
    if dialect is None:
        return "", None, [_other_kind(root, start)]
    version, problem = _version(dialect, root)
    if problem is not None:
        return version, None, [problem]
    problem = _without_content(root)
    if problem is not None:
        return version, None, [problem]
    return version, _section(_with_old_binds(root)), [_old_binds_told(root)] if _OLD_BINDS in root.entries else []


_OLD_BINDS = "externalRefs"  # 0.4 and 0.5: what `binds` became
_OLD_BIND_KEYS = {"name": "namespace", "uri": "location", "description": "description", "keys": "keys"}


def _old_binds_told(root: Mapping) -> Diagnostic:
    message = f"`{_OLD_BINDS}` is read as `binds`"
    advice = "write `binds:` with `namespace` for `name` and `location` for `uri`"
    return warning("DOC016", message, root.key_span(_OLD_BINDS), advice)


def _with_old_binds(root: Mapping) -> Mapping:
    old = root.get(_OLD_BINDS)
    if old is None:
        return root
    entries = {key: entry for key, entry in root.entries.items() if key != _OLD_BINDS}
    binds = root.get("binds")
    items = [_old_bind(item) for item in old.items] if isinstance(old, Sequence) else []
    items += binds.items if isinstance(binds, Sequence) else ()
    span = root.key_span(_OLD_BINDS)
    return Mapping({**entries, "binds": Entry("binds", span, Sequence(tuple(items), old.span))}, root.span)


def _old_bind(item: Node) -> Node:
    if not isinstance(item, Mapping):
        return item
    renamed = {
        _OLD_BIND_KEYS[key]: Entry(_OLD_BIND_KEYS[key], entry.key_span, entry.value)
        for key, entry in item.entries.items()
        if key in _OLD_BIND_KEYS
    }
    return Mapping(renamed, item.span)


def _other_kind(root: Mapping, start: Span) -> Diagnostic:
    known = next((key for key in _KIND_OF_FILE if key in root.entries), None)
    if known is not None:
        message = f"this is {_KIND_OF_FILE[known]}, not a capability document"
        advice = (_START, "`capably mock` serves its examples") if known == "openapi" else (_START,)
        return error("DOC004", message, root.key_span(known), *advice)
    first = next(iter(root.entries.values()), None)
    span = first.key_span if first is not None else start
    message = "this is not a capability document: it has no `ikanos` or `naftiko` key"
    return error("DOC004", message, span, _START)


def _version(dialect: str, root: Mapping) -> tuple[str, Diagnostic | None]:
    node = root.get(dialect)
    known = VERSIONS[dialect]
    if not isinstance(node, Scalar) or node.value is None:
        span = root.value_span(dialect)
        message = f"`{dialect}` must state the version of the language, as text"
        how = f"write `{dialect}: {known[-1]}` and put the rest of the document beside it"
        return "", error("DOC007", message, span, how)
    if node.text in known:
        return node.text, None
    return node.text, error("DOC007", f"`{node.text}` is not a version of `{dialect}`", node.span, *_near(node, known))


def _near(node: Scalar, known: tuple[str, ...]) -> tuple[str, ...]:
    other = [key for key, versions in VERSIONS.items() if node.text in versions]
    if other:
        return (f"version {node.text} is written under `{other[0]}:`",)
    close = nearest(node.text, known)
    guess = (f"did you mean `{close}`?",) if close is not None else ()
    return (*guess, f"versions read: {', '.join(known)}")


def _without_content(root: Mapping) -> Diagnostic | None:
    """A document with nothing to read: a section that is no section, or one that lost its indentation."""
    written = [key for key in _SECTIONS if key in root.entries]
    flat = [key for key in written if isinstance(root.get(key), Scalar)]
    if flat and (len(flat) == len(written) or "capability" in flat):
        span = root.key_span(flat[0])
        return error("DOC010", f"`{flat[0]}` has no content", span, "indent what belongs to it below it")
    if isinstance(root.get("capability"), Sequence):
        span = root.key_span("capability")
        return error("DOC010", "`capability` must be a mapping, not a list", span, "remove the `-` below it")
    return None


def _section(node: Node) -> Mapping:
    section = _convert(node, "")
    return section if isinstance(section, Mapping) else Mapping({}, node.span)


def _convert(node: Node, key: str) -> Node:
    if key in _FREE:
        return node
    if isinstance(node, Sequence):
        items = tuple(_convert(item, "") for item in node.items)
        return Sequence(tuple(_identified(item) for item in items) if key in NAMED else items, node.span)
    if not isinstance(node, Mapping):
        return node
    if key == _BY_NAME:
        named = {name: replace(entry, value=_convert(entry.value, "")) for name, entry in node.entries.items()}
        return Mapping(named, node.span)
    if key in NAMED and not _is_single(node):
        return Sequence(tuple(_named(entry) for entry in node.entries.values()), node.span)
    is_import = "import" in node.entries
    entries: dict[str, Entry] = {}
    for entry in node.entries.values():
        name = (RENAMED | _ALSO_WRITTEN).get(entry.key, entry.key)
        if is_import and name == "location":
            name = "from"
        if name != entry.key and name in node.entries:
            name = entry.key
        entries[name] = replace(entry, key=name, value=_convert(entry.value, entry.key))
    return Mapping(entries, node.span)


def _identified(item: Node) -> Node:
    """An item of a list; one that states an ``id`` instead of a name is called by that."""
    identity = item.entries.get("id") if isinstance(item, Mapping) else None
    if not isinstance(item, Mapping) or identity is None or "name" in item.entries:
        return item
    entries = {key: entry for key, entry in item.entries.items() if key != "id"}
    return Mapping({"name": replace(identity, key="name"), **entries}, item.span)


def _is_single(node: Mapping) -> bool:
    """Whether a mapping is one item that somebody forgot to put into a list."""
    name = node.get("name")
    return isinstance(name, Scalar)


def _named(entry: Entry) -> Node:
    """An item of a keyed map, with its key as ``name``."""
    item = _convert(entry.value, "")
    if isinstance(item, Scalar) and item.value is None:
        item = Mapping({}, entry.key_span)
    if not isinstance(item, Mapping) or "name" in item.entries:
        return item
    name = Entry("name", entry.key_span, Scalar(entry.key, entry.key, entry.key_span))
    return Mapping({"name": name, **item.entries}, entry.key_span)
