"""Files become capabilities: read, parse, bring into canonical shape, decode."""

from dataclasses import dataclass
from pathlib import Path

from capably.diagnostics import Diagnostic, Span, error
from capably.dialects import canonical
from capably.document import MAX_BYTES, Document, parse_document
from capably.model.capability import Capability
from capably.model.decode import decode

SUFFIXES = frozenset({".yaml", ".yml", ".json"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file. ``capability`` is ``None`` when nothing of it can be used."""

    file: str
    text: str
    capability: Capability | None
    diagnostics: tuple[Diagnostic, ...]


def load(path: Path) -> Loaded:
    """Read a capability document. What is wrong with it is in the diagnostics; nothing is raised."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        where = Span(file, 1, 1, 1, 1)
        return Loaded(file, "", None, (error("DOC001", f"the file cannot be read: {reason}", where, _advice(path)),))
    document, found = parse_document(file, data)
    if document is None:
        return Loaded(file, data.decode("utf-8", "replace"), None, tuple(found))
    return load_document(document, found)


def load_document(document: Document, found: list[Diagnostic]) -> Loaded:
    """Decode a document that has been parsed; ``found`` is what parsing had to say."""
    version, root, shape = canonical(document)
    diagnostics = [*found, *shape]
    if root is None:
        return Loaded(document.file, document.text, None, tuple(diagnostics))
    capability, decoding = decode(version, document.file, root)
    return Loaded(document.file, document.text, capability, (*diagnostics, *decoding))


def find_documents(path: Path) -> list[Path]:
    """The YAML and JSON files below a directory, in name order; a file is its own only document."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())


def _advice(path: Path) -> str:
    if path.is_dir():
        return "name a file in it"
    if not path.exists():
        siblings = find_documents(path.parent) if path.parent.is_dir() else []
        names = [str(file) for file in siblings if file.parent == path.parent][:5]
        return f"files here: {', '.join(names)}" if names else "check the path"
    return "check its permissions"
