"""Paths lead to a value, to a list of values, or to nothing; what is no path is refused with its wrong place."""

import json
import subprocess
import sys

import jsonpath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.expr.jsonpath import ROOT, Path, PathError, compile_path

SHIP = {
    "imo": 9321483,
    "first-name": "A",
    "a b": {"c.d": [1, [2, 3]]},
    "it's": {"\\": True},
    "日本": None,
    "@type": "Ship",
    "Price (net)": 5,
}
CREW = {
    "crew": [
        {"id": 1, "name": "Erik", "tags": ["captain", "pilot"], "age": 50},
        {"id": 2, "name": "Maria", "tags": [], "age": 40},
        {"id": 3, "name": "aiko", "age": 30},
    ],
    "limit": 35,
    "list": [1, 2, 3],
    "mixed": [1, "2", True, None, 4],
    "empty": [],
    "title": "Fram",
    "Participation Status": {"select": {"name": "in"}},
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
        ("$ .imo", 9321483),
        ("$.first-name", "A"),
        ("$['a b']['c.d'][0]", 1),
        ("$.a b['c.d'][0]", 1),
        ("$['a b']['c.d'][-1][ 1 ]", 3),
        ("$['a b']['c.d'][2]", None),
        ("$['a b']['c.d'][-3]", None),
        ("$['a b'].length", None),
        (r"$['it\'s']['\\']", True),
        ('$["it\'s"]', {"\\": True}),
        (r"$['\u0069mo']", 9321483),
        ("$['@type']", "Ship"),
        ("$.@type", "Ship"),
        ("$.Price (net)", 5),
        ("$.日本", None),
        ("$.none.deeper[0]", None),
        ("$[0]", None),
        ("$.imo.x", None),
    ],
)
def test_a_path_of_names_and_positions_finds_what_it_names_or_nothing(text: str, expected: object) -> None:
    assert compile_path(text).find(SHIP) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$.list[0:2]", [1, 2]),
        ("$.list[1:]", [2, 3]),
        ("$.list[-2:]", [2, 3]),
        ("$.list[::-1]", [3, 2, 1]),
        ("$.list[0,1]", [1, 2]),
        ("$.list[7:]", []),
        ("$.crew[*].id", [1, 2, 3]),
        ("crew[*].id", [1, 2, 3]),
        ("@.crew[*].id", [1, 2, 3]),
        ("$.crew.*.id", [1, 2, 3]),
        ("$..id", [1, 2, 3]),
        ("$..nothing", []),
        ("$.crew[*].tags", [["captain", "pilot"], []]),
        ("$.crew[*]['id','name']", [1, "Erik", 2, "Maria", 3, "aiko"]),
        ("$.crew.id", None),
        ("$.list.*", [1, 2, 3]),
        ("$.title.*", []),
        ("$..select.name", ["in"]),
        ("$.*.select.name", ["in"]),
        ("$..Participation Status.select.name", ["in"]),
        ("$.Participation Status.select.name", "in"),
        ("$.crew[?(@.id == 2)].name", ["Maria"]),
        ("$.crew[?(@.id == 2)][0]", []),
        ("$.crew[?@.id == 9].name", []),
        ("$.crew[?(@.id != 2)].id", [1, 3]),
        ("$.crew[?(@.age < 50 && @.age >= 40)].id", [2]),
        ("$.crew[?(@.age > $.limit)].id", [1, 2]),
        ("$.crew[?(@.id == 1 || !(@.tags))].id", [1, 3]),
        ("$.crew[?(@.tags)].id", [1, 2]),
        ("$.crew[?(@.name =~ /a.*/i)].id", [3]),
        ("$.crew[?(@.id in [1, 3])].id", [1, 3]),
        ("$.crew[?(@.id nin [1, 3])].id", [2]),
        ("$.crew[?(@.tags contains 'pilot')].id", [1]),
        ("$.crew[?(@.tags size 2)].id", [1]),
        ("$.crew[?(@.tags empty true)].id", [2]),
        ("$.crew[?(@.tags empty false)].id", [1]),
        ("$.crew[?(@.tags subsetof ['pilot', 'captain', 'cook'])].id", [1, 2]),
        ("$.crew[?(@.tags anyof ['pilot', 'cook'])].id", [1]),
        ("$.crew[?(@.tags noneof ['pilot'])].id", [2]),
        ("$.crew[?(length(@.name) == 4)].id", [1, 3]),
        ("$.crew[?(@.tags.length() == 2)].id", [1]),
        ("$.crew[?search(@.name, 'ri')].id", [1, 2]),
        ("$.list.length()", 3),
        ("$.list.size()", 3),
        ("$.crew[0].keys()", ["id", "name", "tags", "age"]),
        ("$.list.sum()", 6.0),
        ("$.list.avg()", 2.0),
        ("$.list.min()", 1.0),
        ("$.list.max()", 3.0),
        ("$.crew[*].age.max()", 50.0),
        ("$.mixed.sum()", 5.0),
        ("$.list.stddev()", pytest.approx(0.8165, abs=1e-4)),
        ("$.list.first()", 1),
        ("$.list.last()", 3),
        ("$.empty.first()", None),
        ("$.empty.avg()", None),
        ("$.title.length()", None),
        ("$.title.sum()", None),
        ("$.none.length()", None),
    ],
)
def test_any_other_path_gives_a_list_and_a_function_behind_a_path_its_value(text: str, expected: object) -> None:
    assert compile_path(text).find(CREW) == expected


@pytest.mark.parametrize("value", [None, 1, True, "[1]", "{", 1.5])
def test_a_path_with_a_wildcard_finds_nothing_in_what_has_no_parts(value: object) -> None:
    assert compile_path("$..*").find(value) == []
    assert not compile_path("$.list.length()").is_root


def test_a_path_goes_as_deep_as_bodies_may_be_nested() -> None:
    value: object = {"id": 1}
    for _ in range(199):
        value = [value]
    assert compile_path("$..id").find(value) == [1]


def test_what_a_filter_cannot_compare_is_no_hit() -> None:
    assert compile_path("$[?match(@.a, '(')]").find([{"a": "("}]) == []


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("$..", 3, "a name or `*` is missing, at its end"),
        ("$.a.", 4, "a name or `*` is missing, at its end"),
        ("$.a[", 4, "unexpected end of query, at its end"),
        ("a[", 2, "unexpected end of query, at its end"),
        ("$['a", 2, "unexpected token \"'\", at `'a`"),
        ("$.a == 1", 4, "unexpected token '==', at `== 1`"),
        ("$.a || $.b", 4, "unexpected token '||', at `|| $.b`"),
        ("$.a[?(@.b == 1]", 5, "unbalanced parentheses, at `(@.b == 1]`"),
        ("$.a[(@.length-1)]", 4, "this cannot stand here, at `(@.length-1)]`"),
        ("$.a[?(@.b ** 2)]", 11, "unexpected '*', at `* 2)]`"),
        ("$.a.concat([1])", 4, "`concat([1])` is no function of paths: there are length(), size(), keys(), first(), "),
        ("$.a[?(@.b =~ /(/)]", 0, "a regular expression in it is wrong: missing ), unterminated subpattern"),
        ("$.a[?nope(@.b)]", 5, "function 'nope' is not defined, at `nope(@.b)]`"),
        ("$[" + "9" * 5000 + "]", 0, "it cannot be read, at `$[9999"),
        ("$[?" + "(" * 2000, 0, "it is nested too deep, at `$[?(((("),
    ],
)
def test_what_is_no_path_is_refused(text: str, position: int, message: str) -> None:
    with pytest.raises(PathError) as refused:
        compile_path(text)
    assert str(refused.value).startswith(message)
    assert refused.value.position == position


@pytest.mark.parametrize("text", ["$", "$.", "", "@", "@."])
def test_the_root_is_written_in_several_ways(text: str) -> None:
    assert compile_path(text) == ROOT
    assert compile_path(text).is_root


def test_documents_with_plain_paths_do_not_pay_for_the_library() -> None:
    code = "import sys; from capably.expr.jsonpath import compile_path; compile_path('$.a b[0]'); "
    code += "sys.exit('jsonpath' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@given(STEPS)
def test_any_name_can_be_quoted(steps: list[str | int]) -> None:
    path = compile_path("$" + "".join(f"[{_quoted(step)}]" for step in steps))
    assert isinstance(path, Path)
    assert path.steps == tuple(steps)


def _quoted(step: str | int) -> str:
    return str(step) if isinstance(step, int) else "'" + step.replace("\\", "\\\\").replace("'", "\\'") + "'"


@given(st.text() | st.text("$@.[]*?()'\"ab01:,=&|! ~\\/#^_-<>{}+"))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        compile_path(text).find(json.loads('[{"a": [1, {"b": "0"}]}]'))
    except PathError as refused:
        assert 0 <= refused.position <= len(text)  # noqa: PT017 -- most texts are paths


NAMES = st.sampled_from(["a", "b", "a-b", "_c", "日", "0", "a b", "it's", "$ref", "é1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES.filter(lambda value: isinstance(value, dict | list)), st.lists(NAMES | st.integers(-3, 3), max_size=4))
def test_a_plain_path_finds_what_the_standard_says(value: object, steps: list[str | int]) -> None:
    text = "$" + "".join(f"[{json.dumps(step, ensure_ascii=False)}]" for step in steps)
    path = compile_path(text)
    assert isinstance(path, Path)
    assert path.find(value) == next(iter(jsonpath.findall(text, value, strict=True)), None)  # type: ignore[arg-type]


@given(
    VALUES.filter(lambda value: isinstance(value, dict | list)), st.lists(st.sampled_from("ab") | st.integers(-3, 3))
)
def test_a_short_plain_path_finds_what_the_standard_says(value: object, steps: list[str | int]) -> None:
    text = "$" + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in steps)
    assert isinstance(compile_path(text), Path)
    assert compile_path(text).find(value) == next(iter(jsonpath.findall(text, value, strict=True)), None)  # type: ignore[arg-type]
