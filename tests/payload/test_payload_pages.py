"""HTML and Markdown: tables by their headings, sections by theirs."""

from typing import Any

import pytest

from capably.payload.contract import Limits
from capably.payload.decode import PayloadError, compile_schema, decode_payload


@pytest.mark.parametrize(
    ("selector", "body", "tables"),
    [
        ("", "<table><tr><th>A</th><th>B</th></tr><tr><td>1<td>2</table>", [[{"A": "1", "B": "2"}]]),
        ("", "<table><thead><tr><th>A<tbody><tr><td>1</table>", [[{"A": "1"}]]),
        ("", "<table><tbody><tr><td>1<thead><tr><th>A</table>", [[{"A": "1"}]]),
        ("", "<table><tr><th>A<tr><td>1<tr><th>again<td>x<tfoot><tr><td>sum</table>", [[{"A": "1"}]]),
        ("", "<table><tr><th> \n A&nbsp;x <br>y<tr><td> 1\t2 <b>b</b>o<p>p</p>q</table>", [[{"A x y": "1 2 bo p q"}]]),
        (
            "",
            "<table><tr><th>A<th>B<tr><td>1<tr><td>1<td>2<td>3</table>",
            [[{"A": "1", "B": ""}, {"A": "1", "B": "2"}]],
        ),
        ("", "<table><tr><th>A<th>A<tr><td>1<td>2</table>", [[{"A": "2"}]]),
        ("", "<table><tr><td>no headings</table><table><tr><th> <tr><td>1</table>", []),
        ("", "<table><tr><th>A</table>", [[]]),
        ("", "<table><tr><td><th>B<tr><td>k<td>1</table>", [[{"": "k", "B": "1"}]]),
        ("", "<p>none</p>", []),
        ("", "", []),
        (".p", "<table><tr><th>A</table><table class=p><tr><th>B<tr><td>1</table>", [[{"B": "1"}]]),
        ("div", "<div><div><table><tr><th>A</table></div></div><table><tr><th>B</table>", [[]]),
        (
            "",
            "<table><tr><th>A<th>B<tr><td>1<td>out<table><tr><th>C<tr><td>in</table></table>",
            [[{"A": "1", "B": "out"}], [{"C": "in"}]],
        ),
        ("", "<table><tr><th>A<tr><td>1<script>no()</script><style>no</style><!-- no --></table>", [[{"A": "1"}]]),
    ],
)
def test_html(selector: str, body: str, tables: Any) -> None:
    schema = compile_schema("html", selector)
    assert decode_payload("html", body.encode(), schema=schema) == {"tables": tables}
    if not selector:
        assert decode_payload("html", body.encode()) == {"tables": tables}


def test_html_knows_charsets_as_browsers_do() -> None:
    page = "<meta charset=windows-1251><table><tr><th>Имя</table>".encode("cp1251")
    assert decode_payload("html", page.replace(b"</table>", b"<tr><td>1</table>")) == {"tables": [[{"Имя": "1"}]]}
    row = "<table><tr><th>é<tr><td>1</table>"
    assert decode_payload("html", row.encode("latin-1"), media_type="text/html; charset=latin1") == {
        "tables": [[{"é": "1"}]]
    }
    with pytest.raises(PayloadError, match="the body's charset `nope` is not known"):
        decode_payload("html", b"", media_type="text/html; charset=nope")


@pytest.mark.parametrize("selector", ["table[", ":nope", ":not(" * 3000])
def test_a_selector_that_is_none(selector: str) -> None:
    with pytest.raises(PayloadError, match="this is not a CSS selector: ") as told:
        compile_schema("html", selector)
    assert len(str(told.value)) < 300


def test_empty_rows_are_not_worth_millions_of_cells() -> None:
    body = b"<table><tr>" + b"<th>a" * 3000 + b"<tr><td>" * 3000
    with pytest.raises(PayloadError, match="more than 2,000,000 values"):
        decode_payload("html", body)


README = """\
---
title: Threads
draft: no
---
Not in any section.

# Threads *and* `runs`

A [link](http://up.test) to **all**
of it.\x20\x20
Done. ![picture](x.png) <b>html</b>

- one
- two
  - three
1. four

> quoted

```py
def f():

    pass
```

| A | B |
|---|:-:|
| 1 | `2` |
| *3* |

## API docs

hi

## Other

| C |
|---|
| x |

API
===

more
"""
LONG = "A link to all of it.\nDone. picture html\none\ntwo\nthree\nfour\nquoted\ndef f():\n\n    pass"
FIRST, SECOND = [{"A": "1", "B": "2"}, {"A": "3", "B": ""}], [{"C": "x"}]
THREADS = {"heading": "Threads and runs", "level": 1, "content": LONG}
DOCS = {"heading": "API docs", "level": 2, "content": "hi"}
OTHER = {"heading": "Other", "level": 2, "content": ""}
API = {"heading": "API", "level": 1, "content": "more"}


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("start", "tables", "sections"),
    [
        (None, [FIRST, SECOND], [THREADS, DOCS, OTHER, API]),
        ("", [FIRST, SECOND], [THREADS, DOCS, OTHER, API]),
        ("API", [], [DOCS, API]),
        ("## API", [], [DOCS]),
        ("Other", [SECOND], [OTHER]),
        ("Thr", [FIRST], [THREADS]),
        ("Nothing", [], []),
    ],
)
def test_markdown(line_break: str, start: str | None, tables: Any, sections: Any) -> None:
    schema = None if start is None else compile_schema("markdown", start)
    body = README.replace("\n", line_break).encode()
    assert decode_payload("markdown", body, schema=schema) == {
        "frontMatter": {"title": "Threads", "draft": "no"},
        "tables": tables,
        "sections": sections,
    }


@pytest.mark.parametrize(
    ("body", "front"),
    [
        ("---\na: 1\n---\n", {"a": 1}),
        ("---\na: 1\n---", {"a": 1}),
        ("\ufeff---\na: 1\n---\n", {"a": 1}),
        ("---\n- 1\n---\n", {}),
        ("---\na: [\n---\n", {}),
        ("---\na: 1\n", {}),
        ("\n---\na: 1\n---\n", {}),
        ("", {}),
    ],
)
def test_front_matter_is_a_mapping_between_lines(body: str, front: Any) -> None:
    assert decode_payload("markdown", body.encode())["frontMatter"] == front


def test_tables_in_lists_are_none() -> None:
    body = b"- | A |\n  |---|\n  | 1 |\n\n> | A |\n> |---|\n> | 1 |\n"
    assert decode_payload("markdown", body)["tables"] == []


def test_markdown_has_a_limit_of_values() -> None:
    with pytest.raises(PayloadError, match="more than 10 values"):
        decode_payload("markdown", b"a\n\n" * 20, limits=Limits(max_values=10))
