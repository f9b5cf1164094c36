"""Files that are shown as resources: a single one at its address, or those of a folder below it.

An address below a folder is the folder's, with the names of files percent-encoded; it is cut at its slashes and decoded
once, so what is encoded cannot become a way out.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from capably.folder import File, Folder, FolderError
from capably.plan.operation import ResourcePlan

_LOGGER: Final = logging.getLogger("capably.mcp")

_UNKNOWN: Final = "application/octet-stream"


class FileError(Exception):
    """A file that is there and cannot be shown; the message says why, without its place on this machine."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as clients see it; ``name`` is its name below the folder, empty for a single file."""

    uri: str
    name: str
    media_type: str
    size: int


def files_of(resource: ResourcePlan) -> Iterator[StaticFile]:
    """The files that a resource stands for; none when there is nothing that could be read."""
    path = resource.path
    if path is None:
        return
    if not path.is_dir():
        single = _single(resource, path)
        if single is not None:
            yield single
        return
    try:
        files = Folder(path).files()
    except FolderError as problem:
        _LOGGER.warning("the files of resource %s are not listed: %s", resource.name, problem)
        return
    for file in files:
        yield StaticFile(_address(resource, file), file.name, _media_type(resource, file), file.size)


def read_file(resource: ResourcePlan, uri: str) -> tuple[str, bytes] | None:
    """The media type and the bytes of the file at an address; ``None`` when there is none.

    Raises:
        FileError: it is too large, or cannot be read.
    """
    path = path_at(resource, uri)
    if path is None:
        return None
    return _media_type(resource, File(path.name, 0)), _bytes(resource, path)


def path_at(resource: ResourcePlan, uri: str) -> Path | None:
    """The file that an address of a resource means; ``None`` when there is none.

    Raises:
        FileError: the folder cannot be read.
    """
    path = resource.path
    if path is None:
        return None
    if not path.is_dir():
        return path if uri == resource.uri and path.is_file() else None
    below = uri[len(resource.uri.rstrip("/")) + 1 :]
    parts = [unquote(part, errors="strict") for part in below.split("/")] if _is_decodable(below) else []
    if not parts or any("/" in part for part in parts):
        return None
    try:
        file = next((item for item in Folder(path).files() if item.name == "/".join(parts)), None)
    except FolderError as problem:
        raise FileError(str(problem)) from None
    return path / file.name if file is not None else None


def _is_decodable(text: str) -> bool:
    try:
        unquote(text, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


def _single(resource: ResourcePlan, path: Path) -> StaticFile | None:
    try:
        size = path.stat().st_size
    except OSError:
        return None
    return StaticFile(resource.uri, "", _media_type(resource, File(path.name, size)), size)


def _address(resource: ResourcePlan, file: File) -> str:
    return f"{resource.uri.rstrip('/')}/{quote(file.name, safe='/')}"


def _media_type(resource: ResourcePlan, file: File) -> str:
    """What a file's name tells, else what the document states."""
    return file.media_type if file.media_type != _UNKNOWN else resource.mime_type or _UNKNOWN


def _bytes(resource: ResourcePlan, path: Path) -> bytes:
    try:
        # A folder's file was found by a walk that follows no links; one put in its place meanwhile is not followed.
        flags = os.O_RDONLY | (getattr(os, "O_NOFOLLOW", 0) if path != resource.path else 0)
        with os.fdopen(os.open(path, flags), "rb") as stream:
            data = stream.read(resource.max_bytes + 1)
    except OSError as problem:
        raise FileError(problem.strerror or type(problem).__name__) from None
    if len(data) > resource.max_bytes:
        raise FileError(f"it has more than {resource.max_bytes:,} bytes, the most this server shows")
    return data
