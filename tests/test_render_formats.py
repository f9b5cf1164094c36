"""The forms that programs read: JSON lines and SARIF."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably import __version__
from capably.diagnostics import Diagnostic, Severity, Span, diagnostic_json, error, warning
from capably.render.ndjson import render_ndjson
from capably.render.sarif import render_sarif, uri

UNKNOWN = error(
    "REF001",
    "no operation `get-shp` in `registry`",
    Span("fleet.yaml", 41, 15, 41, 31),
    "did you mean `registry.get-ship`?",
    related=[(Span("other.yaml", 12, 9, 12, 12), "first written here")],
)
UNKNOWN_JSON = {
    "code": "REF001",
    "severity": "error",
    "message": "no operation `get-shp` in `registry`",
    "file": "fleet.yaml",
    "line": 41,
    "column": 15,
    "end_line": 41,
    "end_column": 31,
    "help": ["did you mean `registry.get-ship`?"],
    "related": [{"file": "other.yaml", "line": 12, "column": 9, "message": "first written here"}],
}
ODD = warning("STY001", "odd {{name}}", Span("fleet.yaml", 1, 1, 1, 2))
NOTE = Diagnostic("STY001", Severity.NOTE, "so", Span("b ü.yaml", 1, 1, 1, 1))
RULES = {"REF001": ("An operation is not known", "# REF001\n\nWhy."), "UNUSED": ("t", "m")}


def sarif_run(*found: Diagnostic) -> dict[str, Any]:
    log = json.loads(render_sarif(found, {"fleet.yaml": "", "b ü.yaml": ""}, RULES))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def test_a_finding_is_one_json_object() -> None:
    assert diagnostic_json(UNKNOWN) == UNKNOWN_JSON


def test_a_document_has_its_line_of_json() -> None:
    assert json.loads(render_ndjson("clean.yaml", [])) == {
        "file": "clean.yaml",
        "diagnostics": [],
        "errors": 0,
        "warnings": 0,
    }
    assert json.loads(render_ndjson("fleet.yaml", [UNKNOWN, ODD])) == {
        "file": "fleet.yaml",
        "diagnostics": [UNKNOWN_JSON, diagnostic_json(ODD)],
        "errors": 1,
        "warnings": 1,
    }


@given(st.text())
def test_any_message_stays_on_its_line_of_json(message: str) -> None:
    rendered = render_ndjson("a", [error("X", message, Span("a", 1, 1, 1, 1))])
    assert rendered.isascii()
    assert rendered.splitlines() == [rendered[:-1]]
    assert json.loads(rendered)["diagnostics"][0]["message"] == message


def test_sarif_names_the_tool_and_explains_the_rules_that_were_broken() -> None:
    driver = sarif_run(UNKNOWN, ODD)["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("capably", __version__)
    assert driver["rules"] == [
        {
            "id": "REF001",
            "shortDescription": {"text": "An operation is not known"},
            "help": {"text": "# REF001\n\nWhy.", "markdown": "# REF001\n\nWhy."},
        },
        {"id": "STY001"},
    ]


def test_sarif_gives_the_place_of_a_finding_and_of_what_belongs_to_it() -> None:
    (result,) = sarif_run(UNKNOWN)["results"]
    assert result == {
        "ruleId": "REF001",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": "no operation `get-shp` in `registry`\nhelp: did you mean `registry.get-ship`?"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "fleet.yaml"},
                    "region": {"startLine": 41, "startColumn": 15, "endLine": 41, "endColumn": 31},
                }
            }
        ],
        "relatedLocations": [
            {
                "id": 0,
                "message": {"text": "first written here"},
                "physicalLocation": {
                    "artifactLocation": {"uri": "other.yaml"},
                    "region": {"startLine": 12, "startColumn": 9, "endLine": 12, "endColumn": 12},
                },
            }
        ],
    }


def test_sarif_rules_are_found_by_their_index() -> None:
    run = sarif_run(ODD, UNKNOWN, NOTE)
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["STY001", "REF001", "STY001"]
    assert [result["level"] for result in run["results"]] == ["warning", "error", "note"]


def test_sarif_lists_what_was_checked_and_how_columns_are_counted() -> None:
    run = sarif_run()
    assert run["results"] == []
    assert [item["location"]["uri"] for item in run["artifacts"]] == ["fleet.yaml", "b%20%C3%BC.yaml"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["newlineSequences"][:2] == ["\r\n", "\n"]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("fleet.yaml", "fleet.yaml"),
        ("./a/b.yaml", "a/b.yaml"),
        ("../a.yaml", "../a.yaml"),
        ("50% #1?.yaml", "50%25%20%231%3F.yaml"),
        ("a:b.yaml", "a%3Ab.yaml"),
        ("/srv/a b.yaml", "file:///srv/a%20b.yaml"),
        ("\udcff.yaml", "%FF.yaml"),
    ],
)
def test_file_names_are_written_as_uris(file: str, expected: str) -> None:
    assert uri(file) == expected


@given(
    st.text(alphabet=st.characters(exclude_characters="/\x00", codec="utf-8"), min_size=1).filter(lambda s: s != ".")
)
def test_a_file_name_can_be_read_back_from_its_uri(file: str) -> None:
    assert unquote(uri(file)) == file
    assert not set(uri(file)) & set(" \\#?:")
