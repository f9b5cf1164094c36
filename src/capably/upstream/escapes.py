"""Values inside XML and SPARQL text: encoded for the place the text before them puts them in."""

import html
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

from capably.expr.source import ABSENT, Text, as_text, evaluate
from capably.upstream.sendable import RequestError

Escape: TypeAlias = Callable[[str, str], str]
"""Gives a value's text, encoded to stand after a text of the author's."""


def fill(source: Text, inputs: Mapping[str, Any], escape: Escape) -> str | None:
    """The parts of a text, values escaped; ``None`` when one of them is absent."""
    pieces: list[str] = []
    written = ""
    for part in source.parts:
        if isinstance(part, str):
            written += part
            pieces.append(part)
            continue
        value = evaluate(part, inputs)
        if value is ABSENT:
            return None
        pieces.append(escape(as_text(value), written))
    return "".join(pieces)


_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML 1.0, section 2.2
_BLANKS = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}  # readers would turn them into others (XML 1.0, 2.11 and 3.3.3)
_CDATA, _CDATA_END = "<![CDATA[", "]]>"


def in_xml(value: str, before: str) -> str:
    """A value as character data, as an attribute's value, or inside a CDATA section.

    Raises:
        RequestError: it holds a character that XML has no way to write.
    """
    if _NOT_XML.search(value):
        raise RequestError("body", "the body is XML, which has no way to write some control characters")
    if before.rfind(_CDATA) > before.rfind(_CDATA_END):
        return value.replace(_CDATA_END, "]]]]><![CDATA[>")
    escaped = html.escape(value)
    for blank, reference in _BLANKS.items():
        escaped = escaped.replace(blank, reference)
    return escaped


_SPARQL_TOKEN = re.compile(  # what is complete: IRIs, strings and comments (SPARQL 1.1, section 19.8)
    r"<[^<>\"{}|^`\\\s]*>"
    r'|"""(?:[^\\]|\\.)*?"""'
    r"|'''(?:[^\\]|\\.)*?'''"
    r'|"(?!"")(?:[^"\\\n\r]|\\.)*"'
    r"|'(?!'')(?:[^'\\\n\r]|\\.)*'"
    r"|#[^\n\r]*[\n\r]",
    re.DOTALL,
)
_OPEN_IRI = re.compile(r"<[^<>\"{}|^`\\\s]*\Z")
_IN_STRING = {"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_IRI_SAFE = ":/?#[]@!$&'()*+,;=%~"


def in_sparql(value: str, before: str) -> str:
    """A value inside a string, where it is escaped, or inside an IRI, where it is percent-encoded; else as it is."""
    rest = _SPARQL_TOKEN.sub(" ", before)
    if '"' in rest or "'" in rest:
        return "".join(_IN_STRING.get(character, character) for character in value)
    return quote(value, safe=_IRI_SAFE) if _OPEN_IRI.search(rest) else value
