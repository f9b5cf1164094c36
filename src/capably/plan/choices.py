"""Values that a document states for a parameter, and the values that the parameter allows."""

from collections.abc import Mapping
from typing import Any

from capably.diagnostics import Diagnostic, Span, did_you_mean, warning
from capably.expr.source import as_text


def is_choice(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a schema allows a value, spelled as a number or as text; every value where nothing is said."""
    choices = schema.get("enum")
    if not choices or value is None:
        return True
    allowed = {as_text(choice) for choice in choices}
    items = value if isinstance(value, list) and schema.get("type") == "array" else [value]
    return all(as_text(item) in allowed for item in items)


def not_a_choice(name: str, value: Any, schema: Mapping[str, Any], span: Span) -> Diagnostic:
    """The finding for a value that is not allowed."""
    text = as_text(value)
    choices = [as_text(choice) for choice in schema["enum"]]
    return warning("INP002", f"`{name}` does not allow `{text}`", span, *did_you_mean(text, choices))
