"""What the console leaves out: values of secrets, wherever they stand, and headers that carry some."""

from collections.abc import Iterable
from typing import Any

from capably.servers.desk import Document
from capably.telemetry.redaction import HIDDEN, SECRET_NAMES, Hide, Redactor, shown_url
from capably.upstream.request import Request


def hide_of(documents: Iterable[Document]) -> Hide:
    """What takes the secrets of documents out of a text."""
    return Redactor(variable for document in documents for variable in document.variables).hide


def hidden(value: Any, hide: Hide) -> Any:
    """A JSON value without secrets in its texts, names of fields included."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hide(str(key)): hidden(item, hide) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item, hide) for item in value]
    return value


def shown_headers(headers: Iterable[tuple[str, str]], hide: Hide) -> list[list[str]]:
    """Headers as pairs; the value of one whose name tells of a secret is left out whole."""
    return [[name, HIDDEN if SECRET_NAMES.search(name) else hide(value)] for name, value in headers]


def shown_target(request: Request, hide: Hide) -> str:
    """The URL of a request without secrets."""
    return hide(shown_url(request.url))
