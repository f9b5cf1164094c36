"""Paths lead to a value, or to nothing; a text that is no path is refused with the place that is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.expr.jsonpath import ROOT, PathError, compile_path

SHIP = {
    "imo": 9321483,
    "first-name": "A",
    "a b": {"c.d": [1, [2, 3]]},
    "it's": {"\\": True},
    "日本": None,
    "@type": "Ship",
}
STEPS = st.lists(st.text() | st.integers(-(10**14), 10**14))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$", SHIP),
        ("$.", SHIP),
        ("", SHIP),
        (" $ ", SHIP),
        ("$.imo", 9321483),
        ("@.imo", 9321483),
        ("imo", 9321483),
        ("$imo", 9321483),
        ("$['imo']", 9321483),
        ('$["imo"]', 9321483),
        ("$.['imo']", 9321483),
        ("$.first-name", "A"),
        ("$['a b']['c.d'][0]", 1),
        ("$['a b']['c.d'][-1][ 1 ]", 3),
        ("$['a b']['c.d'][2]", None),
        ("$['a b']['c.d'][-3]", None),
        ("$['a b'].length", None),
        (r"$['it\'s']['\\']", True),
        ('$["it\'s"]', {"\\": True}),
        ("$['@type']", "Ship"),
        ("$.日本", None),
        ("$.none.deeper[0]", None),
        ("$[0]", None),
        ("$.imo.x", None),
    ],
)
def test_a_path_finds_what_it_names_or_nothing(text: str, expected: object) -> None:
    assert compile_path(text).find(SHIP) == expected


@pytest.mark.parametrize(
    ("text", "position", "rest"),
    [
        ("$..a", 1, "..a"),
        ("$.a.", 3, "."),
        ("$.a[", 3, "["),
        ("$.a[*].b", 3, "[*].b"),
        ("$.a[?(@.b)]", 3, "[?(@.b)]"),
        ("$['a", 1, "['a"),
        ("$.a b", 3, " b"),
        ("$[1:2]", 1, "[1:2]"),
        ("$[" + "9" * 5000 + "]", 1, "[" + "9" * 5000 + "]"),
    ],
)
def test_what_is_no_path_is_refused(text: str, position: int, rest: str) -> None:
    with pytest.raises(PathError) as refused:
        compile_path(text)
    assert str(refused.value) == f"`{rest}` cannot be read as part of a path"
    assert refused.value.position == position


@pytest.mark.parametrize("text", ["$", "$.", "", "@", "@."])
def test_the_root_is_written_in_several_ways(text: str) -> None:
    assert compile_path(text) == ROOT
    assert compile_path(text).is_root


@given(STEPS)
def test_any_name_can_be_quoted(steps: list[str | int]) -> None:
    written = "".join(f"[{_quoted(step)}]" for step in steps)
    assert compile_path(f"${written}").steps == tuple(steps)


def _quoted(step: str | int) -> str:
    return str(step) if isinstance(step, int) else "'" + step.replace("\\", "\\\\").replace("'", "\\'") + "'"


@given(st.text())
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        compile_path(text).find(json.loads("[{}]"))
    except PathError as refused:
        assert 0 <= refused.position < max(len(text), 1)  # noqa: PT017 -- most texts are paths
