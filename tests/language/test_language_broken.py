"""However a document is broken, examining it never raises, and it is never told less than what is wrong with it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capably.capabilities import THREADS_RUNS
from capably.codes import CODES
from capably.examine import examine
from capably.plan.description import describe_plan
from capably.render.text import render_text

TEXT = THREADS_RUNS.read_text(encoding="utf-8")
LINES = TEXT.splitlines()
VALUES = ["", "null", "[]", "{}", "- a", "[a, {b: c}]", "{name: {name: x}}", "0", "1.5", "true", "'{{'", "'{{}}'"]
VALUES += [
    "'{{env.X}}'",
    "rest.",
    "rest.body.",
    "$.",
    "'$.a[*]'",
    "'*'",
    "&a b",
    "*a",
    "!!int x",
    "|",
    "\u2028",
    "{{x}}",
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broken") / "a.yaml"


def survives(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    examined = examine(file)
    assert {item.code for item in examined.diagnostics} <= set(CODES)
    assert render_text(examined.diagnostics, examined.texts)
    if examined.compiled is None:
        assert examined.has_errors, "a document that cannot be read says why"
    else:
        describe_plan(examined.compiled.plan)


@settings(deadline=None)
@given(st.integers(0, len(TEXT)))
def test_a_document_that_ends_early_is_survived(file: Path, length: int) -> None:
    survives(file, TEXT[:length].encode())


@settings(deadline=None)
@given(st.sets(st.integers(0, len(LINES) - 1), min_size=1, max_size=12))
def test_lost_lines_are_survived(file: Path, lost: set[int]) -> None:
    survives(file, "\n".join(line for number, line in enumerate(LINES) if number not in lost).encode())


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, len(LINES) - 1), st.integers(-6, 6), min_size=1, max_size=6))
def test_changed_indentation_is_survived(file: Path, shifts: dict[int, int]) -> None:
    def shifted(number: int, line: str) -> str:
        shift = shifts.get(number, 0)
        return " " * shift + line if shift >= 0 else line[min(-shift, len(line) - len(line.lstrip())) :]

    survives(file, "\n".join(shifted(number, line) for number, line in enumerate(LINES)).encode())


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.integers(0, len(LINES) - 1), st.sampled_from(VALUES), min_size=1, max_size=4))
def test_changed_values_are_survived(file: Path, changes: dict[int, str]) -> None:
    changed = [
        f"{line.partition(':')[0]}: {changes[number]}" if number in changes else line
        for number, line in enumerate(LINES)
    ]
    survives(file, "\n".join(changed).encode())


@settings(deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.binary(max_size=4))
def test_strange_bytes_are_survived(file: Path, place: int, noise: bytes) -> None:
    data = TEXT.encode()
    survives(file, data[:place] + noise + data[place:])


@pytest.mark.parametrize("number", range(len(LINES)))
def test_every_line_may_be_missing(file: Path, number: int) -> None:
    survives(file, "\n".join(LINES[:number] + LINES[number + 1 :]).encode())
