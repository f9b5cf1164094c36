"""What the author of a document sees: the text form, compared letter by letter."""

import unicodedata
from collections.abc import Sequence
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from capably.diagnostics import Diagnostic, Severity, Span, error, warning
from capably.render.text import render_text

FLEET = "\n" * 40 + "        call: registry.get-shp\n"
UNKNOWN = error(
    "REF001",
    "no operation `get-shp` in `registry`",
    Span("fleet.yaml", 41, 15, 41, 31),
    "did you mean `registry.get-ship`?",
    related=[(Span("fleet.yaml", 12, 9, 12, 12), "first written here")],
)


def show(text: str, span: Span, message: str = "no") -> list[str]:
    """The excerpt rows of a finding, without head, place, docs and summary."""
    shown = render_text([error("X", message, span)], {span.file: text}).splitlines()
    return shown[3 : shown.index("", 2) - 1]


def at(line: int, column: int, end_column: int, end_line: int | None = None) -> Span:
    return Span("a.yaml", line, column, end_line or line, end_column)


def test_a_finding_reads_like_a_compilers() -> None:
    assert render_text([UNKNOWN], {"fleet.yaml": FLEET}) == dedent("""\
        error[REF001]: no operation `get-shp` in `registry`
          --> fleet.yaml:41:15
           |
        41 |         call: registry.get-shp
           |               ^^^^^^^^^^^^^^^^
           = help: did you mean `registry.get-ship`?
           = note: fleet.yaml:12:9: first written here
           = docs: capably explain REF001

        1 error in 1 file
        """)


def test_findings_are_separated_by_an_empty_line_and_counted() -> None:
    found = [
        warning("STY001", "odd", Span("b.yaml", 1, 1, 1, 2)),
        Diagnostic("STY002", Severity.NOTE, "so", at(1, 1, 2)),
    ]
    assert render_text([*found, UNKNOWN, UNKNOWN], {"a.yaml": "x", "b.yaml": "y", "c.yaml": "z"}) == dedent("""\
        warning[STY001]: odd
         --> b.yaml:1:1
          |
        1 | y
          | ^
          = docs: capably explain STY001

        note[STY002]: so
         --> a.yaml:1:1
          |
        1 | x
          | ^
          = docs: capably explain STY002

        error[REF001]: no operation `get-shp` in `registry`
          --> fleet.yaml:41:15
           = help: did you mean `registry.get-ship`?
           = note: fleet.yaml:12:9: first written here
           = docs: capably explain REF001

        error[REF001]: no operation `get-shp` in `registry`
          --> fleet.yaml:41:15
           = help: did you mean `registry.get-ship`?
           = note: fleet.yaml:12:9: first written here
           = docs: capably explain REF001

        2 errors, 1 warning, 1 note in 3 of 4 files
        """)


@pytest.mark.parametrize(
    ("files", "summary"),
    [(["a"], "no problems found in 1 file\n"), (["a", "b"], "no problems found in 2 files\n")],
)
def test_no_findings_are_one_line(files: list[str], summary: str) -> None:
    assert render_text([], dict.fromkeys(files, "")) == summary


@pytest.mark.parametrize(
    ("text", "span", "rows"),
    [
        pytest.param("\tkey: \tvalue", at(1, 8, 13), ["1 |     key:     value", "  |              ^^^^^"], id="tabs"),
        pytest.param("名前: 日本", at(1, 5, 7), ["1 | 名前: 日本", "  |       ^^^^"], id="wide characters"),
        pytest.param("a: 👩‍🚀 b", at(1, 8, 9), ["1 | a: 👩‍🚀 b", "  |       ^"], id="joined emoji"),
        pytest.param("e\u0301: b", at(1, 5, 6), ["1 | e\u0301: b", "  |    ^"], id="combining marks"),
        pytest.param("a\x1b[31m: b", at(1, 9, 10), ["1 | a\\x1b[31m: b", "  |            ^"], id="terminal escapes"),
        pytest.param("a\u202e: b", at(1, 1, 3), ["1 | a\\u202e: b", "  | ^^^^^^^"], id="reordering characters"),
        pytest.param("a: b\n", at(2, 1, 1), ["2 |", "  | ^"], id="the end of the file"),
        pytest.param("", at(1, 1, 1), ["1 |", "  | ^"], id="an empty file"),
        pytest.param("a: b", at(1, 90, 99), ["1 | a: b", "  |     ^"], id="a column behind the line"),
        pytest.param("a: b", at(7, 1, 2), [], id="a line behind the file"),
        pytest.param("a:\n  b: 1\n", at(1, 1, 7, end_line=2), ["1 | a:", "  | ^^"], id="several lines"),
        pytest.param("a: 1\r\nb: 2\rc: 3", at(3, 1, 2), ["3 | c: 3", "  | ^"], id="line breaks of other systems"),
        pytest.param("a: b   ", at(1, 1, 2), ["1 | a: b", "  | ^"], id="trailing blanks"),
    ],
)
def test_carets_stand_under_what_is_meant(text: str, span: Span, rows: Sequence[str]) -> None:
    assert show(text, span) == rows


def test_a_long_line_is_cut_around_the_span() -> None:
    text = "a" * 500 + "HERE" + "b" * 500
    assert show(text, at(1, 501, 505)) == [
        "1 | …" + "a" * 40 + "HERE" + "b" * 76 + "…",
        "  | " + " " * 41 + "^^^^",
    ]


def test_a_long_line_is_cut_behind_a_span_at_its_start() -> None:
    assert show("HERE" + "b" * 500, at(1, 1, 5)) == ["1 | HERE" + "b" * 116 + "…", "  | ^^^^"]


def test_a_long_line_is_cut_before_a_span_at_its_end() -> None:
    assert show("a" * 500 + "HERE", at(1, 501, 505)) == ["1 | …" + "a" * 116 + "HERE", "  | " + " " * 117 + "^^^^"]


def test_a_span_longer_than_the_excerpt_is_underlined_as_far_as_it_is_shown() -> None:
    assert show("k: " + "日" * 500, at(1, 4, 504)) == ["1 | k: " + "日" * 58 + "…", "  |    " + "^" * 116]


def test_names_and_messages_cannot_write_to_the_terminal() -> None:
    evil = error("X", "a\x1b]0;title\x07\nb", Span("\x1b[2J.yaml", 1, 1, 1, 2), "c\rd", related=[(at(1, 1, 2), "\x9b")])
    assert render_text([evil], {}) == dedent("""\
        error[X]: a\\x1b]0;title\\x07\\nb
         --> \\x1b[2J.yaml:1:1
          = help: c\\rd
          = note: a.yaml:1:1: \\x9b
          = docs: capably explain X

        1 error in 1 file
        """)


def test_colour_is_only_added_where_it_is_asked_for() -> None:
    coloured = render_text([UNKNOWN], {"fleet.yaml": FLEET}, colour=True)
    assert coloured.splitlines()[:5] == [
        "\x1b[1;31merror[REF001]\x1b[0m\x1b[1m: no operation `get-shp` in `registry`\x1b[0m",
        "  \x1b[1;34m-->\x1b[0m fleet.yaml:41:15",
        "   \x1b[1;34m|\x1b[0m",
        "\x1b[1;34m41 |\x1b[0m         call: registry.get-shp",
        "   \x1b[1;34m|\x1b[0m               \x1b[1;31m^^^^^^^^^^^^^^^^\x1b[0m",
    ]
    assert "\x1b" not in render_text([UNKNOWN], {"fleet.yaml": FLEET})


@given(st.text(), st.integers(1, 5), st.integers(1, 400), st.integers(1, 5), st.integers(1, 400))
def test_any_text_and_span_give_printable_lines_of_bounded_width(
    text: str, line: int, column: int, end_line: int, end_column: int
) -> None:
    rows = show(text, Span("a.yaml", line, column, end_line, end_column), text)
    shown = "".join(rows).replace("\u200c", "").replace("\u200d", "")
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert all(cell_len(row) <= 4 + 122 for row in rows)
    assert not rows or rows[1].strip(" |").strip("^") == ""
