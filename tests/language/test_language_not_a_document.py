"""Files that are no capability document get one precise diagnostic each, and never a traceback."""

from textwrap import dedent
from typing import Any

import pytest

from capably.dialects import VERSIONS
from capably.examine import examine

START = "a capability document starts with `ikanos: 1.0.0-beta4` (or `naftiko: 1.0.0-alpha2`)"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "error DOC004 1:1 the file is empty"),
        ("# only a comment\n", "error DOC004 1:1 the file is empty"),
        ("---\n", "error DOC004 1:1 this is not a capability document: its root is no mapping"),
        ("- a\n- b\n", "error DOC004 1:1 this is not a capability document: its root is no mapping"),
        ("Just words.\n", "error DOC004 1:1 this is not a capability document: its root is no mapping"),
        ("{}\n", "error DOC004 1:1 this is not a capability document: it has no `ikanos` or `naftiko` key"),
        (
            "# x\n  \nname: Ships\n",
            "error DOC004 3:1 this is not a capability document: it has no `ikanos` or `naftiko` key",
        ),
        ("openapi: 3.1.0\n", "error DOC004 1:1 this is an OpenAPI document, not a capability document"),
        ("swagger: '2.0'\n", "error DOC004 1:1 this is a Swagger document, not a capability document"),
        ("asyncapi: 3.0.0\n", "error DOC004 1:1 this is an AsyncAPI document, not a capability document"),
        ("arazzo: 1.0.0\n", "error DOC004 1:1 this is an Arazzo document, not a capability document"),
        ("version: '3'\nservices: {}\n", "error DOC004 2:1 this is a Compose file, not a capability document"),
        (
            "apiVersion: v1\nkind: Pod\n",
            "error DOC004 1:1 this is a Kubernetes-style resource, not a capability document",
        ),
        ("ikanos: 2.0\n", "error DOC007 1:9 `2.0` is not a version of `ikanos`"),
        ("a: [1\n", "error DOC002 2:1 this is not valid YAML: did not find expected ',' or ']'"),
        ("a:\n\tb: 1\n", "error DOC002 2:1 this is not valid YAML: found character that cannot start any token"),
        (b"ikanos: \xff\n", "error DOC001 1:9 the file is not UTF-8 text"),
        (b"ikanos: \x00\n", "error DOC002 1:9 this is not valid YAML: control characters are not allowed"),
        ("ikanos: 1.0.0-beta4\ncapability: text\n", "error DOC010 2:1 `capability` has no content"),
        ("ikanos: 1.0.0-beta4\ncapability:\n", "error DOC010 2:1 `capability` has no content"),
        (
            "ikanos: 1.0.0-beta4\ncapability:\n- consumes: []\n",
            "error DOC010 2:1 `capability` must be a mapping, not a list",
        ),
        (
            "ikanos: 1.0.0-beta4\ncapability: {}\n",
            "error DOC015 2:1 there is nothing to serve: it exposes no server",
        ),
    ],
)
def test_a_file_of_another_kind_is_one_error(language: Any, text: str | bytes, finding: str) -> None:
    reading = language.read(text)
    errors = [line for line in reading.findings if line.startswith("error")]
    assert errors == [finding]


def test_a_document_that_lost_its_indentation_is_one_error(language: Any) -> None:
    reading = language.read("ikanos: 1.0.0-beta4\ncapability:\nconsumes:\nexposes:\n- type: mcp\n")
    assert reading.findings == ["error DOC010 2:1 `capability` has no content"]
    assert reading.help == ["indent what belongs to it below it"]


def test_an_empty_section_beside_full_ones_is_no_error(language: Any) -> None:
    reading = language.read("""\
        ikanos: 1.0.0-beta4
        binds:
        capability:
          consumes: [{namespace: up, baseUri: https://up.test, resources: [{path: /, operations: [{name: op}]}]}]
          exposes: [{type: mcp, port: 1, tools: [{name: t, call: up.op}]}]
        """)
    assert reading.findings == []


def test_a_missing_file_names_the_ones_beside_it(language: Any) -> None:
    language.read("a: 1")
    (finding,) = examine(language.file.with_name("b.yaml")).diagnostics
    assert (finding.code, finding.message) == ("DOC001", "the file cannot be read: No such file or directory")
    assert finding.help == (f"files here: {language.file}",)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        (
            "openapi: 3.1.0\ninfo: {}\n",
            f"""\
            error[DOC004]: this is an OpenAPI document, not a capability document
             --> a.yaml:1:1
              |
            1 | openapi: 3.1.0
              | ^^^^^^^
              = help: {START}
              = help: `capably mock` serves its examples
              = docs: capably explain DOC004

            1 error in 1 file
            """,
        ),
        (
            "name: Ships\n",
            f"""\
            error[DOC004]: this is not a capability document: it has no `ikanos` or `naftiko` key
             --> a.yaml:1:1
              |
            1 | name: Ships
              | ^^^^
              = help: {START}
              = docs: capably explain DOC004

            1 error in 1 file
            """,
        ),
        (
            "ikanos: 1.0.0-beta9\n",
            f"""\
            error[DOC007]: `1.0.0-beta9` is not a version of `ikanos`
             --> a.yaml:1:9
              |
            1 | ikanos: 1.0.0-beta9
              |         ^^^^^^^^^^^
              = help: did you mean `1.0.0-beta5`?
              = help: versions read: {", ".join(VERSIONS["ikanos"])}
              = docs: capably explain DOC007

            1 error in 1 file
            """,
        ),
        (
            "info: 'a\n",
            """\
            error[DOC002]: this is not valid YAML: found unexpected end of stream
             --> a.yaml:2:1
              |
            2 |
              | ^
              = help: check the quoting and the indentation around this place
              = note: a.yaml:1:7: while scanning a quoted scalar
              = docs: capably explain DOC002

            1 error in 1 file
            """,
        ),
        (
            "ikanos: 1.0.0-beta4\ncapability: {}\nikanos: 1.0.0-beta3\n",
            """\
            error[DOC003]: the key `ikanos` stands twice in one mapping
             --> a.yaml:3:1
              |
            3 | ikanos: 1.0.0-beta3
              | ^^^^^^
              = help: keep one of the two, or rename one
              = note: a.yaml:1:1: first written here
              = docs: capably explain DOC003

            1 error in 1 file
            """,
        ),
    ],
)
def test_what_is_printed_says_where_and_what_to_do(language: Any, text: str, rendered: str) -> None:
    assert language.read(text).rendered == dedent(rendered)
