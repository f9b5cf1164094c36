"""Findings as SARIF 2.1.0, the format that code hosts and editors import."""

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from capably import __version__
from capably.diagnostics import Diagnostic, Severity, Span

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
# What the YAML reader counts as a line break, and what its columns count (SARIF 2.1.0, 3.14.17 and 3.14.27).
_LINE_BREAKS = ["\r\n", "\n", "\r", "\x85", "\u2028", "\u2029"]
_COLUMNS = "unicodeCodePoints"


def render_sarif(
    diagnostics: Iterable[Diagnostic], texts: Mapping[str, str], rules: Mapping[str, tuple[str, str]]
) -> str:
    """One SARIF run over all documents.

    Args:
        diagnostics: what was found.
        texts: the checked documents by file name; they become the run's artifacts.
        rules: by diagnostic code, its title and its explanation in Markdown.
    """
    found = list(diagnostics)
    index = {code: position for position, code in enumerate(sorted({item.code for item in found}))}
    driver = {"name": "capably", "version": __version__, "rules": [_rule(code, rules) for code in index]}
    run = {
        "tool": {"driver": driver},
        "columnKind": _COLUMNS,
        "newlineSequences": _LINE_BREAKS,
        "artifacts": [{"location": {"uri": uri(file)}} for file in texts],
        "results": [_result(item, index[item.code]) for item in found],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def uri(file: str) -> str:
    """A file name as a URI reference: relative when the name is, with forward slashes, percent-encoded."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix().encode("utf-8", "surrogateescape"))


def _rule(code: str, rules: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    if code not in rules:
        return {"id": code}
    title, explanation = rules[code]
    return {
        "id": code,
        "shortDescription": {"text": title},
        "help": {"text": explanation, "markdown": explanation},
    }


def _result(item: Diagnostic, rule: int) -> dict[str, Any]:
    related = [
        {"id": number, "physicalLocation": _location(span), "message": {"text": message}}
        for number, (span, message) in enumerate(item.related)
    ]
    # Braces stay as they are: no arguments are given, and readers then show the text as it is.
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": rule,
        "level": _LEVELS[item.severity],
        "message": {"text": "\n".join([item.message, *(f"help: {line}" for line in item.help)])},
        "locations": [{"physicalLocation": _location(item.span)}],
    }
    return {**result, "relatedLocations": related} if related else result


def _location(span: Span) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": uri(span.file)},
        "region": {
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
        },
    }
