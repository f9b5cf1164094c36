"""JSON values as YAML, XML and CSV.

The XML of a value is decided by the value alone. The root is `<answer>`; a field is an element of its name, or an
`<entry key="...">` where the name is none that XML takes; an element of a list is an `<item>`. Whatever is not text
says its JSON type in the attribute `type`, so nothing is lost.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from capably.plan.representations import CSV, JSON, XML, YAML
from capably.upstream.yaml_text import to_yaml


class NotFlatError(ValueError):
    """A value that is no list of flat objects."""


def _yaml(value: Any) -> bytes:
    return to_yaml(value).encode()


_NAME = re.compile(r"(?!(?i:xml))[A-Za-z_][A-Za-z0-9._-]*")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def _xml(value: Any) -> bytes:
    return (_HEAD + "".join(_element("answer", value)) + "\n").encode()


def _element(name: str, value: Any) -> Iterator[str]:
    tag, attributes = (name, "") if _NAME.fullmatch(name) else ("entry", f" key={quoteattr(_sayable(name))}")
    if isinstance(value, str):
        yield f"<{tag}{attributes}>{escape(_sayable(value), _ESCAPED)}</{tag}>"
        return
    yield f'<{tag}{attributes} type="{_kind(value)}">'
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _element(key, each)
    elif isinstance(value, list):
        for each in value:
            yield from _element("item", each)
    elif value is not None:
        yield json.dumps(value)
    yield f"</{tag}>"


_ESCAPED: Final = {"\r": "&#13;"}  # a reader takes a bare one for a line feed (XML 1.0, section 2.11)


def _sayable(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"


def _csv(value: Any) -> bytes:
    """Rows of a list of flat objects (RFC 4180): a column for every name, in the order in which names first occur.

    Raises:
        NotFlatError: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise NotFlatError
    columns = list(dict.fromkeys(name for row in value for name in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    if columns:
        writer.writerow(columns)
    for row in value:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if isinstance(value, dict | list):
        raise NotFlatError
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


WRITERS: Final[dict[str, tuple[str, Callable[[Any], bytes]]]] = {
    YAML: (YAML, _yaml),
    "text/yaml": ("text/yaml; charset=utf-8", _yaml),
    "application/x-yaml": ("application/x-yaml", _yaml),
    XML: (XML, _xml),
    "text/xml": ("text/xml; charset=utf-8", _xml),
    CSV: ("text/csv; charset=utf-8; header=present", _csv),
}
"""What writes a media type beside JSON, and how the type is told."""

SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    JSON: (JSON,),
    YAML: (YAML, "text/yaml", "application/x-yaml"),
    XML: (XML, "text/xml"),
    CSV: (CSV,),
}
"""Media types that mean the same."""
