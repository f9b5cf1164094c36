"""YAML becomes nodes with exact spans; what cannot be read becomes a diagnostic."""

import json
import math
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably import document
from capably.diagnostics import Diagnostic
from capably.document import Document, Mapping, Scalar, Sequence, parse_document, plain, walk
from capably.render.text import render_text


def read(text: str) -> Document:
    found, diagnostics = parse_document("a.yaml", text.encode())
    assert diagnostics == []
    assert found is not None
    return found


def value(text: str) -> object:
    root = read(text).root
    return None if root is None else plain(root)


def diagnose(data: bytes) -> list[Diagnostic]:
    return parse_document("a.yaml", data)[1]


def cut(text: str, node: Scalar | Sequence | Mapping) -> str:
    """The part of the text that a node's span covers."""
    lines = text.splitlines(keepends=True)
    span = node.span
    before = sum(map(len, lines[: span.line - 1])) + span.column - 1
    return text[before : sum(map(len, lines[: span.end_line - 1])) + span.end_column - 1]


def test_every_node_knows_its_span() -> None:
    text = "名: ü\nb:\n  - x y   # why\n\n  - {c: 'd', e: [1,\n 2]}\n\nf:\n  g: \"h\"\n# end\n"
    root = read(text).root
    assert root is not None
    assert [cut(text, node) for node in walk(root)] == [
        text.removesuffix("\n# end\n"),
        "ü",
        "- x y   # why\n\n  - {c: 'd', e: [1,\n 2]}",
        "x y",
        "{c: 'd', e: [1,\n 2]}",
        "'d'",
        "[1,\n 2]",
        "1",
        "2",
        'g: "h"',
        '"h"',
    ]


def test_keys_know_their_spans() -> None:
    root = read("a: 1\n  \nbb: {c: 2}\n").root
    assert isinstance(root, Mapping)
    assert str(root.key_span("bb")) == "a.yaml:3:1"
    assert str(root.value_span("bb")) == "a.yaml:3:5"
    assert root.key_span("none") == root.value_span("none") == root.span


def test_the_byte_order_mark_takes_no_column() -> None:
    root = parse_document("a.yaml", b"\xef\xbb\xbfa: 1")[0]
    assert root is not None
    assert root.root is not None
    assert str(root.root.span) == "a.yaml:1:1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", None),
        ("null", None),
        ("", None),
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-0o17", "-0o17"),
        ("0o17", 15),
        ("0xff", 255),
        ("017", 17),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("9" * 5000, "9" * 5000),
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("2015-02-01", "2015-02-01"),
        ("'12'", "12"),
        ('"true"', "true"),
        ('""', ""),
        ("!!str 12", "12"),
        ('!!int "12"', 12),
        ("!!int abc", "abc"),
        ("!mine 12", "12"),
        ("{{x}}y", "{{x}}y"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, expected: object) -> None:
    assert value(f"- {text}" if "{{" not in text else f"- '{text}'") == [expected]


def test_nan_is_a_number() -> None:
    found = value(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


def test_a_scalar_keeps_the_text_it_was_written_as() -> None:
    root = read("0x1F").root
    assert isinstance(root, Scalar)
    assert (root.text, root.value) == ("0x1F", 31)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_an_empty_file_has_no_root(text: str) -> None:
    assert read(text).root is None


def test_anchors_are_expanded_and_merged_with_the_nearest_key_winning() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: {<<: *b}\ne: *a\nf: {'<<': 1}\n"
    assert value(text) == {
        "a": {"x": 1, "y": 1},
        "b": {"y": 2, "z": 2},
        "c": {"x": 3, "y": 1, "z": 2},
        "d": {"y": 2, "z": 2},
        "e": {"x": 1, "y": 1},
        "f": {"<<": 1},
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            b"\xef\xbb\xbfa: 1\nb: \xc3\xbc\xff",
            """\
            error[DOC001]: the file is not UTF-8 text
             --> a.yaml:2:5
              = help: save the file as UTF-8
            """,
            id="latin-1",
        ),
        pytest.param(
            b"x: [a, b\ny: 1\n",
            """\
            error[DOC002]: this is not valid YAML: did not find expected ',' or ']'
             --> a.yaml:2:2
              = help: check the quoting and the indentation around this place
              = note: a.yaml:1:4: while parsing a flow sequence
            """,
            id="an open list",
        ),
        pytest.param(
            b'a: "b',
            """\
            error[DOC002]: this is not valid YAML: found unexpected end of stream
             --> a.yaml:1:6
              = help: check the quoting and the indentation around this place
              = note: a.yaml:1:4: while scanning a quoted scalar
            """,
            id="an open quote at the end of the file",
        ),
        pytest.param(
            b"a: b: c",
            """\
            error[DOC002]: this is not valid YAML: mapping values are not allowed in this context
             --> a.yaml:1:5
              = help: a value that contains `: ` must be quoted
            """,
            id="an unquoted colon",
        ),
        pytest.param(
            b"a:\n\t- b",
            """\
            error[DOC002]: this is not valid YAML: found character that cannot start any token
             --> a.yaml:2:1
              = help: quote the value; tabs cannot indent YAML
            """,
            id="a tab",
        ),
        pytest.param(
            "é: 日\n日: b\0".encode(),
            """\
            error[DOC002]: this is not valid YAML: control characters are not allowed
             --> a.yaml:2:5
              = help: remove the invisible character, or escape it in double quotes
            """,
            id="a NUL",
        ),
        pytest.param(
            b"!%ed%a0%80 a",
            """\
            error[DOC002]: this is not valid YAML: a tag has an escape that is not UTF-8
             --> a.yaml:1:1
            """,
            id="a tag that is not UTF-8",
        ),
        pytest.param(
            b"a: &x 1\nb: *y",
            """\
            error[DOC002]: this is not valid YAML: the alias `*y` has no anchor before it
             --> a.yaml:2:4
              = help: define `&y` on an earlier value; a text that starts with `*` must be quoted
            """,
            id="an unknown alias",
        ),
        pytest.param(
            b"a: &a [*a]",
            """\
            error[DOC002]: this is not valid YAML: the alias `*a` has no anchor before it
             --> a.yaml:1:8
              = help: define `&a` on an earlier value; a text that starts with `*` must be quoted
            """,
            id="an anchor inside itself",
        ),
        pytest.param(
            b"a: {{b}}",
            """\
            error[DOC002]: a key must be text
             --> a.yaml:1:5
              = help: quote templates: '{{name}}'
            """,
            id="an unquoted template",
        ),
        pytest.param(
            b"a: {<<: 3}",
            """\
            error[DOC002]: `<<` takes a mapping, or a list of mappings
             --> a.yaml:1:9
              = help: name an anchored mapping: `<<: *name`
            """,
            id="a merge of something else",
        ),
        pytest.param(
            b"a: 1\nb: 2\n'a': 3\n",
            """\
            error[DOC003]: the key `a` stands twice in one mapping
             --> a.yaml:3:1
              = help: keep one of the two, or rename one
              = note: a.yaml:1:1: first written here
            """,
            id="a key twice",
        ),
        pytest.param(
            b"a: 1\n---\nb: 2\n---\nc: 3\n",
            """\
            error[DOC005]: the file holds more than one YAML document
             --> a.yaml:2:1
              = help: a capability is one document: remove the `---` line, or move the rest to a file of its own
            """,
            id="three documents",
        ),
        pytest.param(
            b"[" * 100_000,
            """\
            error[DOC006]: the document is nested more than 200 levels deep
             --> a.yaml:1:202
              = help: flatten the document
            """,
            id="deep nesting",
        ),
    ],
)
def test_what_cannot_be_read_is_told(data: bytes, expected: str) -> None:
    (found,) = diagnose(data)
    docs = f"  = docs: capably explain {found.code}\n"
    assert render_text([found], {}) == f"{dedent(expected)}{docs}\n1 error in 1 file\n"


def test_nesting_is_counted_through_anchors() -> None:
    links = "".join(f"a{n}: &a{n} {'[' * 150}*a{n - 1}{']' * 150}\n" for n in range(1, 9))
    (found,) = diagnose(f"a0: &a0 [x]\n{links}".encode())
    assert (found.code, found.span.line) == ("DOC006", 3)


def test_a_document_may_be_as_deep_as_the_limit() -> None:
    root = read("[" * 200 + "x" + "]" * 200).root
    assert root is not None
    assert sum(1 for _node in walk(root)) == 201


def test_anchors_cannot_blow_a_document_up() -> None:
    laughs = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 10))
    (found,) = diagnose(f"b0: &b0 [ha, ha, ha]\n{laughs}".encode())
    assert (found.code, found.message) == (
        "DOC006",
        "the document holds more than 2,000,000 values when its anchors are written out",
    )


def test_a_file_can_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_BYTES", 1024 * 1024)
    (found,) = diagnose(b"a" * (1024 * 1024 + 1))
    assert (found.code, found.message) == ("DOC006", "the file is larger than 1 MiB")


def test_the_first_of_two_keys_and_of_two_documents_counts() -> None:
    found = parse_document("a.yaml", b"a: 1\na: 2\n---\nb: 1\n")[0]
    assert found is not None
    assert found.root is not None
    assert plain(found.root) == {"a": 1}


YAML_BITS = [
    *(
        "a: ",
        "- ",
        "\n",
        "  ",
        "\t",
        "&a ",
        "*a",
        "<<: ",
        "{",
        "}",
        "[",
        "]",
        "'",
        '"',
        "|\n",
        ">\n",
        "? ",
        ": ",
        ", ",
        "#",
    ),
    *(
        "!",
        "!!int ",
        "!%ed%a0%80 ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\0",
        "\ufeff",
        "é",
        "日",
        "🚀",
        "\u2028",
        "\r",
        "{{x}}",
    ),
]


@given(st.one_of(st.binary(), st.lists(st.sampled_from(YAML_BITS)).map(lambda bits: "".join(bits).encode())))
def test_any_bytes_give_a_document_or_a_diagnostic_that_can_be_shown(data: bytes) -> None:
    found, diagnostics = parse_document("a.yaml", data)
    assert found is not None or any(item.is_error for item in diagnostics)
    text = data.decode("utf-8-sig", "replace")
    lines = document._LINE_BREAK.split(text)
    places = [(item.span.line, item.span.column) for item in diagnostics]
    assert all(1 <= line <= len(lines) and column <= len(lines[line - 1]) + 1 for line, column in places)
    render_text(diagnostics, {"a.yaml": text})


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(JSON)
def test_json_is_read_as_yaml(data: object) -> None:
    assert value(json.dumps(data, ensure_ascii=False)) == data
