"""A folder whose files are shown to callers: what is in it, and nothing around it.

Only names that a walk of the folder finds can be read, so no name a caller sends is ever joined to a path. Symbolic
links are not followed and names that begin with a dot are not shown (``.git``, ``.env``).
"""

import io
import mimetypes
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_FILES = 2_000
MAX_BYTES = 64 * 1024 * 1024
"""The most a folder may hold, all files together."""


class FolderError(Exception):
    """The folder cannot be shown; the message says why, for people, without its place on this machine."""


class UnsafeNameError(FolderError):
    """A name that leads out of the folder, or through a symbolic link."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a folder: its name below the folder with ``/`` between the parts, and its size in bytes."""

    name: str
    size: int

    @property
    def media_type(self) -> str:
        """The media type its extension tells, the same on every machine."""
        kind, encoding = _TYPES.guess_type(self.name)
        if encoding is not None:
            return _OF_ENCODING.get(encoding, _UNKNOWN)
        return kind or _UNKNOWN


_UNKNOWN = "application/octet-stream"
_OF_ENCODING = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_TYPES = mimetypes.MimeTypes()
for _extension, _kind in {
    ".yaml": "application/yaml",  # RFC 9512
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".md": "text/markdown",  # RFC 7763
    ".ts": "text/plain",  # not a video here
}.items():
    _TYPES.add_type(_kind, _extension)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on this machine."""

    path: Path

    @property
    def exists(self) -> bool:
        """Whether it is there."""
        return self.path.is_dir()

    def files(self) -> list[File]:
        """Its files, those in folders below included, by name.

        Raises:
            FolderError: it is not there, cannot be read, or holds too much.
        """
        found, _links = self._walk()
        return found

    def read(self, name: str) -> tuple[File, bytes] | None:
        """A file and its bytes; ``None`` when the folder has no such file.

        Raises:
            UnsafeNameError: the name leads out of the folder, or through a symbolic link.
            FolderError: as for :meth:`files`.
        """
        if unsafe(name):
            raise UnsafeNameError("a part of the name is empty, `.`, `..` or holds a character that no name here has")
        found, links = self._walk()
        if any(name == link or name.startswith(f"{link}/") for link in links):
            raise UnsafeNameError("symbolic links are not followed")
        file = next((item for item in found if item.name == name), None)
        return (file, self._bytes(file)) if file is not None else None

    def archive(self) -> bytes:
        """All files as a ZIP archive, whose bytes depend on names and contents alone.

        Raises:
            FolderError: as for :meth:`files`.
        """
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for file in self.files():
                entry = zipfile.ZipInfo(file.name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.create_system = 3  # Unix, on whatever system it is made
                entry.external_attr = 0o100644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, self._bytes(file))
        return buffer.getvalue()

    def _walk(self) -> tuple[list[File], list[str]]:
        """The files, by name, and the symbolic links that are not followed."""
        found: list[File] = []
        links: list[str] = []
        size = 0
        try:
            for name, entry in _entries(self.path, ""):
                if entry.is_symlink():
                    links.append(name)
                    continue
                found.append(File(name, entry.stat(follow_symlinks=False).st_size))
                size += found[-1].size
                if len(found) > MAX_FILES or size > MAX_BYTES:
                    raise FolderError(f"the folder holds more than {MAX_FILES:,} files or {MAX_BYTES // 2**20} MiB")
        except OSError as problem:
            raise FolderError(f"the folder cannot be read: {problem.strerror or type(problem).__name__}") from problem
        return sorted(found, key=lambda item: item.name), links

    def _bytes(self, file: File) -> bytes:
        """The bytes of a file that a walk has found; a link put in its place meanwhile is refused."""
        try:
            descriptor = os.open(self.path / file.name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with os.fdopen(descriptor, "rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as problem:
            raise FolderError(f"a file cannot be read: {problem.strerror or type(problem).__name__}") from problem
        if len(data) > MAX_BYTES:
            raise FolderError(f"a file has more than {MAX_BYTES // 2**20} MiB")
        return data


def _entries(folder: Path, prefix: str) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Files and symbolic links below a folder, with their names."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(folder / entry.name, f"{name}/")
            elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                yield name, entry


def unsafe(name: str) -> bool:
    """Whether a name with ``/`` between its parts could mean something outside of a folder."""
    return any(
        part in {"", ".", ".."} or any(character in "\\:" or ord(character) < ord(" ") for character in part)
        for part in name.split("/")
    )
