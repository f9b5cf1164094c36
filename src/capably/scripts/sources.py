"""Which file and line a place in a run belongs to, when the files of a script run one after the other."""

from collections.abc import Iterator

from capably.plan.steps import Script, SourceFile


def files_of(script: Script) -> tuple[SourceFile, ...]:
    """The files in the order they run: dependencies, then the main file."""
    return (*script.dependencies, script.main)


def shifted(script: Script) -> Iterator[tuple[SourceFile, int]]:
    """Each file with the number of lines before it, as if all were one text: so a line number tells the file, too."""
    before = 0
    for file in files_of(script):
        yield file, before
        before += file.text.count("\n") + 1


def place_of(script: Script, line: int) -> tuple[str, int]:
    """The file's name and the line in it (from 1) that a line of the whole is; the last file holds what is beyond."""
    found = ("", line)
    for file, before in shifted(script):
        if line > before:
            found = (file.name, line - before)
    return found
