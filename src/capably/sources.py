"""The documents that paths on the command line name, and every file on disk that they are made of."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from capably.errors import EXIT_USAGE, CommandError
from capably.examine import Examined
from capably.plan.operation import Plan
from capably.settings import Settings
from capably.upstream.auth.certificate import Certificate, Pem

Stamp: TypeAlias = tuple[int, int, int] | None
"""When a file was changed, in nanoseconds, its size and its inode: one that is replaced has another. ``None``: none."""

_SUFFIXES: Final = frozenset({".yaml", ".yml"})
_VERSION: Final = re.compile(rb"^[ \t]*[{]?[ \t]*[\"']?(?:ikanos|naftiko)[\"']?[ \t]*:", re.MULTILINE)
_EXPOSES: Final = re.compile(rb"^[^#\n]*?(?<![\w-])[\"']?exposes[\"']?[ \t]*:", re.MULTILINE)
_LARGEST: Final = 16 * 1024 * 1024


class Sources:
    """What is to be served: files as they are, folders with all documents in them that serve something."""

    def __init__(self, paths: Sequence[Path], settings: Callable[[], Settings]) -> None:
        """Know what is named.

        Args:
            paths: files and folders.
            settings: how to serve them, read anew each time.
        """
        self._paths = tuple(paths)
        self._settings = settings
        self._known: set[Path] = set()

    def __call__(self) -> tuple[Sequence[Path], Settings]:
        """The documents there are now, and how to serve them.

        Raises:
            CommandError: a folder has none.
        """
        found = [document for path in self._paths for document in self._documents(path)]
        return list(dict.fromkeys(found)), self._settings()

    def candidates(self) -> Iterator[Path]:
        """The files of folders that are documents, or may become some."""
        for path in self._paths:
            if path.is_dir():
                yield from _yaml_files(path)

    def _documents(self, path: Path) -> list[Path]:
        if not path.is_dir():
            return [path]
        found = [file for file in _yaml_files(path) if _serves_something(file, is_known=file in self._known)]
        self._known.update(found)
        if not found:
            message = f"{path} holds no capability document that exposes anything"
            raise CommandError(message, "name a file, or a folder with `*.yaml` documents", exit_code=EXIT_USAGE)
        return found


def _yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files below a folder in name order; what is hidden stays so."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _yaml_files(entry)
        elif entry.suffix.lower() in _SUFFIXES and entry.is_file():
            yield entry


def _serves_something(file: Path, *, is_known: bool) -> bool:
    """Whether a file is a document with servers, by its look: one that is broken is a document all the same.

    Others are meant for imports, or are not ours at all. A file that is known as a document stays one when it looks
    like nothing: whoever empties a file by mistake shall be told, and not lose the servers.
    """
    try:
        with file.open("rb") as stream:
            text = stream.read(_LARGEST)
    except OSError:
        return is_known
    if _VERSION.search(text) is None:
        return is_known
    return _EXPOSES.search(text) is not None


def files_of(examined: Iterable[Examined]) -> frozenset[Path]:
    """Every file that documents were made of, or are looked for in."""
    found: set[Path] = set()
    for item in examined:
        found |= item.files
        if item.compiled is not None:
            found.update(_paths(item.compiled.plan, set()))
    return frozenset(found)


def certificates_of(plan: Plan) -> frozenset[Path]:
    """The files of certificates with which upstreams are called: a plan names them and does not hold them."""
    servers = plan.servers
    works = [(server.operations, server.forwards) for server in servers]
    return frozenset(_paths(works, set(), (Certificate,)))


def _paths(value: Any, seen: set[int], only: tuple[type, ...] = ()) -> Iterator[Path]:
    """The paths in a value; with ``only``, those in records of these types."""
    if isinstance(value, Pem):
        if value.file and not only:
            yield Path(value.file)
    elif isinstance(value, Path):
        if not only:
            yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _paths(item, seen, only)
    elif is_dataclass(value) and not isinstance(value, type) and id(value) not in seen:
        seen.add(id(value))
        below = () if isinstance(value, only or ()) else only
        for field in fields(value):
            yield from _paths(getattr(value, field.name), seen, below)


def stamps_of(files: Iterable[Path]) -> Mapping[Path, Stamp]:
    """How files look just now."""
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
