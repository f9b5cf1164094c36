"""Findings as JSON, one object a line for each document, for scripts and editors."""

import json
from collections.abc import Iterable
from typing import Any

from capably.diagnostics import Diagnostic, Severity, diagnostic_json
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
