"""Findings as JSON, one object a line for each document, for scripts and editors."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from capably.diagnostics import Diagnostic, Severity, Span
from capably.render.count import count


def render_ndjson(diagnostics: Iterable[Diagnostic], texts: Mapping[str, str]) -> str:
    """One line of JSON for each document, in the order of ``texts``, with or without findings.

    The output is ASCII: characters that a terminal would obey or that a reader might take for a line break are escaped.
    """
    by_file: dict[str, list[Diagnostic]] = {file: [] for file in texts}
    for item in diagnostics:
        by_file.setdefault(item.span.file, []).append(item)
    return "".join(json.dumps(document_json(file, found)) + "\n" for file, found in by_file.items())


def document_json(file: str, found: list[Diagnostic]) -> dict[str, Any]:
    """What is reported about one document."""
    counts = count(found)
    return {
        "file": file,
        "diagnostics": [diagnostic_json(item) for item in found],
        "errors": counts[Severity.ERROR],
        "warnings": counts[Severity.WARNING],
    }


def diagnostic_json(item: Diagnostic) -> dict[str, Any]:
    """One finding; lines and columns count from 1, the end is exclusive."""
    span = item.span
    return {
        "code": item.code,
        "severity": item.severity.value,
        "message": item.message,
        **_start(span),
        "end_line": span.end_line,
        "end_column": span.end_column,
        "help": list(item.help),
        "related": [{**_start(place), "message": message} for place, message in item.related],
    }


def _start(span: Span) -> dict[str, Any]:
    return {"file": span.file, "line": span.line, "column": span.column}
