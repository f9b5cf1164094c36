"""What the project promises of itself: commands that exist, files that stay small, codes that are explained."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from capably.codes import CODES

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "capably").rglob("*.py"))
WRITTEN = sorted(path for folder in ("src", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.*"))
MAX_LINES = 400
NAMELESS = {"utils", "util", "helpers", "helper", "common", "core", "base", "misc"}
CODE = re.compile(r"[A-Z]{3}[0-9]{3}")
UNFINISHED = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE))


def codes_in(path: Path) -> Iterator[str]:
    """Diagnostic codes are the string constants that look like one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
            yield node.value


def codes_in_use() -> dict[str, str]:
    return {code: relative(path) for path in SOURCES if path.name != "codes.py" for code in codes_in(path)}


def test_the_commands_of_the_readme_are_make_targets() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"^\s*(?:\$ )?make ([a-z-]+)", readme, re.MULTILINE))
    assert len(commands) >= 2, "the README shows how to run and how to test"
    assert commands <= targets()


def test_every_make_target_is_explained_by_make_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\t@echo '  make ([a-z-]+) ", makefile, re.MULTILINE))
    assert explained == targets() - {"help"}


def test_make_explains_itself_when_asked_for_nothing() -> None:
    assert re.search(r"^\.DEFAULT_GOAL := help$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_lock_files_have_hashes_and_name_no_place_to_download_from(name: str) -> None:
    lock = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    packages = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert packages
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []
    assert re.findall(r"https?://|--(?:extra-)?index-url|--find-links", lock) == []


def test_no_source_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_modules_are_named_for_what_they_hold() -> None:
    assert [relative(path) for path in SOURCES if NAMELESS & set(path.relative_to(ROOT).with_suffix("").parts)] == []


def test_nothing_is_left_for_later() -> None:
    texts = {relative(path): path.read_text(encoding="utf-8", errors="replace") for path in WRITTEN if path.is_file()}
    assert [path for path, text in texts.items() if "__pycache__" not in path and UNFINISHED.search(text)] == []


def test_every_diagnostic_code_is_explained() -> None:
    assert {code: path for code, path in codes_in_use().items() if code not in CODES} == {}


def test_every_explained_code_is_in_use() -> None:
    assert set(CODES) - set(codes_in_use()) == set()


def test_decisions_are_numbered_one_after_the_other_and_say_their_number() -> None:
    files = sorted((ROOT / "docs" / "decisions").iterdir())
    assert [path.name[:5] for path in files] == [f"{number:04}-" for number in range(1, len(files) + 1)]
    for number, path in enumerate(files, start=1):
        assert path.read_text(encoding="utf-8").startswith(f"# {number}. "), path.name
