"""Files become capabilities: read, parse, bring into canonical shape, follow imports, decode."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from capably import document
from capably.diagnostics import Diagnostic, Span, error
from capably.dialects import canonical
from capably.imports import Importer, local_path
from capably.model.capability import Capability
from capably.model.decode import decode

SUFFIXES = frozenset({".yaml", ".yml", ".json"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file. ``capability`` is ``None`` when nothing of it can be used.

    ``texts`` holds the text of every file that was read, by the name that spans carry: the file's own, and those it
    imports from. ``files`` are the same, and those that were looked for and are not there.
    """

    file: str
    texts: Mapping[str, str]
    capability: Capability | None
    diagnostics: tuple[Diagnostic, ...]
    files: frozenset[Path]


def load(path: Path) -> Loaded:
    """Read a capability document. What is wrong with it is in the diagnostics; nothing is raised."""
    files = _Files()
    read = files.read(path)
    if read.root is None:
        return Loaded(str(path), files.texts, None, read.diagnostics, frozenset({path}))
    importer = Importer(lambda file: (files.read(file).root, files.read(file).diagnostics))
    root = importer.follow(path, read.root)
    decoded, decoding = decode(read.version, str(path), root)
    capability = replace(decoded, not_imported=frozenset(importer.failed))
    found = (*read.diagnostics, *importer.found, *decoding)
    return Loaded(str(path), files.texts, capability, found, frozenset({path, *importer.sought}))


@dataclass(frozen=True, slots=True)
class _Read:
    """A file in canonical shape, ``root`` being ``None`` when it has none."""

    version: str
    root: document.Mapping | None
    diagnostics: tuple[Diagnostic, ...]


class _Files:
    """Reads each file once."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._read: dict[Path, _Read] = {}

    def read(self, path: Path) -> _Read:
        if path not in self._read:
            self._read[path] = self._parse(path)
        return self._read[path]

    def _parse(self, path: Path) -> _Read:
        file = str(path)
        try:
            with path.open("rb") as stream:
                data = stream.read(document.MAX_BYTES + 1)
        except OSError as problem:
            reason = problem.strerror or type(problem).__name__
            message = f"the file cannot be read: {reason}"
            return _Read("", None, (error("DOC001", message, Span(file, 1, 1, 1, 1), _advice(path)),))
        self.texts[file] = data.decode("utf-8", "replace")
        parsed, found = document.parse_document(file, data)
        if parsed is None:
            return _Read("", None, tuple(found))
        self.texts[file] = parsed.text
        version, root, shape = canonical(parsed)
        return _Read(version, root, (*found, *shape))


def read_beside(written: str, span: Span) -> bytes:
    """Read the file that a text in a document names; names are relative to the file the text stands in.

    Raises:
        OSError: it is no local file, too large, or cannot be read; the message says which, for people.
    """
    path = local_path(written, Path(span.file))
    if path is None:
        raise OSError(f"`{written}` is no local file")
    try:
        with path.open("rb") as stream:
            data = stream.read(document.MAX_BYTES + 1)
    except OSError as problem:
        raise OSError(f"{path}: {problem.strerror or type(problem).__name__}") from None
    if len(data) > document.MAX_BYTES:
        raise OSError(f"{path} is larger than {document.MAX_BYTES:,} bytes")
    return data


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
