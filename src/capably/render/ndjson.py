"""Findings as JSON, one object a line for each document, for scripts and editors."""

import json
from collections.abc import Iterable
from typing import Any

from capably.diagnostics import Diagnostic, Severity, Span
from capably.render.count import count


def render_ndjson(file: str, found: Iterable[Diagnostic]) -> str:
    """The line of JSON about one document.

    The output is ASCII: characters that a terminal would obey or that a reader might take for a line break are escaped.
    """
    return json.dumps(document_json(file, list(found))) + "\n"


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
