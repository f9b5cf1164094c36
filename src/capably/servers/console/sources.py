"""The documents as they are written, and what is said of them: texts, findings, and where secrets stand in them."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TypeAlias

from capably.codes import CODES
from capably.diagnostics import Diagnostic, Span
from capably.document import Mapping as MappingNode
from capably.document import Scalar, parse_document, walk
from capably.expr.template import holes
from capably.model.auth import SECRETS
from capably.plan.variables import VariableKind
from capably.servers.desk import Desk, Verdict

Object: TypeAlias = dict[str, Any]

MOST_CHARACTERS: Final = 2_000_000
"""How much of one file is shown."""

_LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what the YAML reader counts as a line
_SECRET_LINE: Final = re.compile(rf"\s*(?:- )?['\"]?(?:{'|'.join(SECRETS)})['\"]?\s*:\s*(\S.*)")
_MASK: Final = "•"
_LONG_ENOUGH: Final = 8


def sources(desk: Desk) -> Object:
    """Every file of every document, with all findings."""
    secrets = secrets_of(desk)
    return {
        "generation": desk.generation,
        "files": [
            file_json(name, text, document.file, secrets)
            for document in desk.documents
            for name, text in document.texts.items()
        ],
        "diagnostics": [diagnostic_json(item) for document in desk.documents for item in document.diagnostics],
    }


def secrets_of(desk: Desk) -> tuple[str, ...]:
    """Values of secrets that stand nowhere by chance."""
    known = (item for document in desk.documents for item in document.variables if item.kind is VariableKind.SECRET)
    return tuple({item.value for item in known if item.value is not None and len(item.value) >= _LONG_ENOUGH})


def file_json(name: str, text: str, document: str, secrets: Iterable[str]) -> Object:
    """A file: its lines, secrets masked in place, so that columns stay."""
    text = text[:MOST_CHARACTERS]
    for value in secrets:
        text = text.replace(value, _MASK * len(value))
    lines = _LINE_BREAK.split(text)
    for span in _secrets(name, text):
        _mask(lines, span)
    return {
        "name": name,
        "shown": _shown(name),
        "document": document,
        "lines": lines,
        "is_cut": len(text) == MOST_CHARACTERS,
    }


def _shown(name: str) -> str:
    """The path of a file, from this directory where it is below."""
    here = Path.cwd()
    path = Path(name).absolute()
    return str(path.relative_to(here)) if path.is_relative_to(here) else name


def _secrets(name: str, text: str) -> Iterable[Span]:
    """Where values of secrets are written out instead of bound."""
    parsed, _problems = parse_document(name, text.encode())
    if parsed is None or parsed.root is None:
        yield from _secrets_of_broken(name, text)
        return
    for node in walk(parsed.root):
        if isinstance(node, MappingNode) and isinstance(block := node.get("authentication"), MappingNode):
            for key in SECRETS:
                value = block.get(key)
                if isinstance(value, Scalar) and value.text.strip() and not holes(value.text):
                    yield value.span


def _secrets_of_broken(name: str, text: str) -> Iterable[Span]:
    """The same for a file that is no YAML at present: whatever stands after a key that could hold a secret."""
    for number, line in enumerate(_LINE_BREAK.split(text), 1):
        found = _SECRET_LINE.match(line)
        if found is not None and not holes(found[1]):
            yield Span(name, number, found.start(1) + 1, number, found.end(1) + 1)


def _mask(lines: list[str], span: Span) -> None:
    for number in range(span.line, min(span.end_line, len(lines)) + 1):
        line = lines[number - 1]
        start = span.column - 1 if number == span.line else 0
        end = span.end_column - 1 if number == span.end_line else len(line)
        hidden = "".join(_MASK if character.strip() else character for character in line[start:end])
        lines[number - 1] = line[:start] + hidden + line[end:]


def diagnostic_json(item: Diagnostic) -> Object:
    """A finding; lines and columns count from 1, the end is exclusive."""
    return {
        "code": item.code,
        "title": CODES[item.code].title if item.code in CODES else "",
        "severity": item.severity.value,
        "message": item.message,
        **_range(item.span),
        "help": list(item.help),
        "related": [{**_range(span), "message": message} for span, message in item.related],
    }


def _range(span: Span) -> Object:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def verdict_json(verdict: Verdict, secrets: Iterable[str]) -> Object:
    """What became of a reload: what changed, or why it was refused, with the texts it was refused for."""
    texts = verdict.texts or {}
    mentioned = {item.span.file for item in verdict.diagnostics}
    return {
        "standing": verdict.standing.value,
        "generation": verdict.generation,
        "reason": verdict.reason,
        "advice": list(verdict.advice),
        "differences": [
            {"path": each.path, "before": each.before, "after": each.after, "is_structural": each.is_structural}
            for each in verdict.differences
        ],
        "diagnostics": [diagnostic_json(item) for item in verdict.diagnostics],
        "files": [file_json(name, text, name, secrets) for name, text in texts.items() if name in mentioned],
    }
