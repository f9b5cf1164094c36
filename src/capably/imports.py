"""Imports: an entry of another file takes the place of the entry that names it.

Works on canonical nodes, before anything is decoded, so an imported entry is decoded and checked like any other and
keeps the places it has in its own file. Paths are relative to the file that imports.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from os.path import normpath
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from capably.diagnostics import Diagnostic, Span, did_you_mean, error
from capably.document import Entry, Mapping, Node, Scalar, Sequence

SECTIONS = ("consumes", "exposes", "aggregates", "binds")

Read: TypeAlias = Callable[[Path], tuple[Mapping | None, tuple[Diagnostic, ...]]]
"""Reads a file into its canonical root, and tells what is wrong with it."""


@dataclass(slots=True)
class Importer:
    """Follows the imports of one document.

    ``failed`` are the namespaces that could not be had, ``sought`` the files that were looked for, ``open_files`` those
    being imported just now, outermost first.
    """

    read: Read
    found: list[Diagnostic] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    sought: set[Path] = field(default_factory=set)
    open_files: list[Path] = field(default_factory=list)

    def follow(self, file: Path, root: Mapping) -> Mapping:
        """The root with every import entry replaced by what it names; entries that cannot be had are left out."""
        self.open_files.append(file.resolve())
        try:
            entries = {key: self._section(file, entry) for key, entry in root.entries.items()}
            capability = root.get("capability")
            if isinstance(capability, Mapping):
                inner = {key: self._section(file, entry) for key, entry in capability.entries.items()}
                entries["capability"] = _with_value(root.entries["capability"], Mapping(inner, capability.span))
            return Mapping(entries, root.span)
        finally:
            self.open_files.pop()

    def _section(self, file: Path, entry: Entry) -> Entry:
        if entry.key not in SECTIONS or not isinstance(entry.value, Sequence):
            return entry
        items: list[Node] = []
        for item in entry.value.items:
            one = self._imported(file, entry.key, item) if _is_import(item) else item
            if one is not None:
                items.append(one)
            elif isinstance(item, Mapping):
                self.failed.add(_text(item, "as") or _text(item, "import") or "")
        return _with_value(entry, Sequence(tuple(items), entry.value.span))

    def _imported(self, file: Path, section: str, item: Node) -> Node | None:
        if not isinstance(item, Mapping):
            return item
        name, source = _text(item, "import"), _text(item, "from")
        if name is None or source is None:
            missing = "import" if name is None else "from"
            self.found.append(
                error(
                    "IMP001",
                    f"this import has no `{missing}`",
                    item.span,
                    "write `import: namespace` and `from: ./file.yaml`",
                )
            )
            return None
        span = item.value_span("from")
        path = local_path(source, file)
        if path is None:
            advice = "copy the file beside this document and name it relative to it"
            self.found.append(error("IMP002", f"`{source}` is no local file: it cannot be imported", span, advice))
            return None
        root = self._root(path, source, span)
        if root is None:
            return None
        return self._pick(root, section, name, item, source)

    def _root(self, path: Path, source: str, span: Span) -> Mapping | None:
        self.sought.add(path)
        if path.resolve() in self.open_files:
            chain = " -> ".join(str(open_file.name) for open_file in [*self.open_files, path])
            self.found.append(error("IMP003", f"`{source}` imports itself: {chain}", span, "break the circle"))
            return None
        if not path.is_file():
            self.found.append(error("IMP002", f"the imported file `{source}` does not exist", span, *_siblings(path)))
            return None
        root, problems = self.read(path)
        errors = [problem for problem in problems if problem.is_error]
        if root is None or errors:
            related = [(problem.span, problem.message) for problem in errors]
            self.found.append(error("IMP004", f"the imported file `{source}` cannot be used", span, related=related))
        return self.follow(path, root) if root is not None else None

    def _pick(self, root: Mapping, section: str, name: str, item: Mapping, source: str) -> Node | None:
        entries = _entries(root, section)
        for candidate in entries:
            if _text(candidate, "namespace") == name:
                alias = item.get("as")
                return _renamed(candidate, alias) if isinstance(alias, Scalar) else candidate
        names = [text for candidate in entries if (text := _text(candidate, "namespace")) is not None]
        message = f"`{source}` has no `{section}` entry with the namespace `{name}`"
        self.found.append(error("IMP005", message, item.value_span("import"), *did_you_mean(name, names)))
        return None


def _is_import(node: Node) -> bool:
    return isinstance(node, Mapping) and "import" in node.entries and "type" not in node.entries


def _text(node: Mapping, key: str) -> str | None:
    value = node.get(key)
    return value.text if isinstance(value, Scalar) and value.value is not None else None


def _with_value(entry: Entry, value: Node) -> Entry:
    return replace(entry, value=value)


def _entries(root: Mapping, section: str) -> list[Mapping]:
    """The entries of a section, at the root of a file or under its ``capability``."""
    capability = root.get("capability")
    places = [root.get(section), capability.get(section) if isinstance(capability, Mapping) else None]
    lists = (place.items for place in places if isinstance(place, Sequence))
    return [item for items in lists for item in items if isinstance(item, Mapping)]


def _renamed(entry: Mapping, alias: Scalar) -> Mapping:
    namespace = Entry("namespace", alias.span, alias)
    return Mapping({**entry.entries, "namespace": namespace}, entry.span, once=_text(entry, "namespace"))


def local_path(written: str, file: Path) -> Path | None:
    """The local file that a text in a document names, or ``None`` when it names something elsewhere.

    ``./x.yaml``, ``x.yaml`` and ``file:///./x.yaml`` are relative to the document; ``file:///x.yaml`` and ``/x.yaml``
    are absolute.
    """
    if "://" not in written:
        return Path(normpath(file.parent / written))
    parts = urlsplit(written)
    if parts.scheme != "file":
        return None
    path = unquote(parts.netloc + parts.path)
    relative = path.removeprefix("/") if path.startswith(("/./", "/../")) else path
    return Path(normpath(file.parent / relative))


def _siblings(path: Path) -> tuple[str, ...]:
    if not path.parent.is_dir():
        return (f"the folder {path.parent} does not exist either",)
    names = sorted(file.name for file in path.parent.iterdir() if file.suffix in {".yaml", ".yml", ".json"})
    return did_you_mean(path.name, names)
