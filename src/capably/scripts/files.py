"""Finding and reading the files of scripts: below one folder, whatever their names and links say."""

import re
from pathlib import Path

from capably.plan.steps import SourceFile

MAX_BYTES = 2**20
_SEGMENT = re.compile(r"[a-zA-Z0-9._-]+")


class ScriptFileError(Exception):
    """A file that is not read; the message says why, the advice what to do."""

    def __init__(self, message: str, *advice: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.advice = advice


def read_script(folder: Path, name: str) -> SourceFile:
    """Read a file below a folder.

    Raises:
        ScriptFileError: its name is not one of a file below, a link leads elsewhere, or it cannot be read.
    """
    segments = name.split("/")
    for segment in segments:
        if _SEGMENT.fullmatch(segment) is None or segment in {".", ".."}:
            advice = "names consist of letters, digits, `.`, `_` and `-`, with `/` between folders"
            raise ScriptFileError(f"`{name}` is no name of a file below `location`", advice)
    try:
        root = folder.resolve(strict=True)
    except (OSError, RuntimeError):
        raise ScriptFileError(f"the folder {folder} of scripts does not exist", "set `location`") from None
    path = root.joinpath(*segments)
    return SourceFile(name, _text(_inside(root, path, name), name))


def _inside(root: Path, path: Path, name: str) -> Path:
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        siblings = sorted(item.name for item in path.parent.iterdir() if item.is_file()) if path.parent.is_dir() else []
        advice = (f"files there: {', '.join(siblings[:5])}",) if siblings else ()
        raise ScriptFileError(f"there is no file {path}", *advice) from None
    if not real.is_relative_to(root):
        raise ScriptFileError(f"`{name}` is a link that leads out of {root}", "put the file itself there")
    return real


def _text(path: Path, name: str) -> str:
    if not path.is_file():
        raise ScriptFileError(f"`{name}` is no file")
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise ScriptFileError(f"{path}: {problem.strerror or type(problem).__name__}") from None
    if len(data) > MAX_BYTES:
        raise ScriptFileError(f"`{name}` is larger than {MAX_BYTES:,} bytes", "a script is written by hand")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ScriptFileError(f"`{name}` is not UTF-8 text: byte {problem.start}") from None
