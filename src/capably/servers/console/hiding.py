"""What the console leaves out: values of secrets, wherever they stand, and headers that carry some."""

from collections.abc import Iterable
from typing import Any, Final

from capably.plan.variables import SECRET_NAMES
from capably.servers.desk import Document
from capably.telemetry.redaction import HIDDEN, Hide, Redactor, shown_url
from capably.upstream.request import Request


def hide_of(documents: Iterable[Document]) -> Hide:
    """What takes the secrets of documents out of a text."""
    return Redactor(variable for document in documents for variable in document.secrets).hide


_NAMES: Final = frozenset(
    {"key", "name", "namespace", "wire_name", "served_as", "server", "operation", "kind", "method", "type", "in"}
    | {"file", "started_at", "loaded_at", "at", "code", "severity", "standing", "lines"}
)
"""Fields that identify things: no document can put a secret there, and a short one may stand in them by chance.

Lines of documents are masked in place instead, so that columns stay.
"""


_FREE: Final = frozenset({"example", "input_schema", "schema", "sampling", "before", "after", "output"})
"""Fields that hold what documents and callers make up: there, names mean nothing."""


def hidden(value: Any, hide: Hide, names: frozenset[str] = _NAMES) -> Any:
    """A JSON value without secrets in its texts, names of its fields included; fields of ``names`` stay as they are."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {
            hide(str(key)): item if key in names else hidden(item, hide, frozenset() if key in _FREE else names)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [hidden(item, hide, names) for item in value]
    return value


def shown_headers(headers: Iterable[tuple[str, str]], hide: Hide) -> list[list[str]]:
    """Headers as pairs; the value of one whose name tells of a secret is left out whole."""
    return [[name, HIDDEN if SECRET_NAMES.search(name) else hide(value)] for name, value in headers]


def shown_target(request: Request, hide: Hide) -> str:
    """The URL of a request without secrets."""
    return hide(shown_url(request.url))
