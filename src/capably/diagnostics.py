"""What capably tells the author of a document: where, how bad, what is wrong, what to do.

A :class:`Diagnostic` carries a code from :mod:`capably.codes`, a place in a file, one headline and help lines.
Nothing here reads files or prints: see :mod:`capably.render`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a finding is: an ``error`` keeps a document from serving, the others do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Span:
    """A range of text in a file: lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def contains(self, other: "Span") -> bool:
        """Whether the other range starts within this one."""
        start, end, at = (self.line, self.column), (self.end_line, self.end_column), (other.line, other.column)
        return self.file == other.file and (start <= at < end or start == at)

    def __str__(self) -> str:
        """``file:line:column``, the form editors and terminals make clickable."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a document.

    ``related`` names other places that belong to the story, each with what stands there.
    """

    code: str
    severity: Severity
    message: str
    span: Span
    help: tuple[str, ...] = ()
    related: tuple[tuple[Span, str], ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether the document cannot be served because of this."""
        return self.severity is Severity.ERROR


def error(
    code: str, message: str, span: Span, *help_lines: str, related: Iterable[tuple[Span, str]] = ()
) -> Diagnostic:
    """A finding that keeps the document, or the part it stands in, from being served."""
    return Diagnostic(code, Severity.ERROR, message, span, help_lines, tuple(related))


def warning(
    code: str, message: str, span: Span, *help_lines: str, related: Iterable[tuple[Span, str]] = ()
) -> Diagnostic:
    """A finding that was resolved, but that the author should know of."""
    return Diagnostic(code, Severity.WARNING, message, span, help_lines, tuple(related))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The known name that an unknown one most likely meant, or ``None`` when none is close."""
    by_fold = {known.casefold(): known for known in names}
    close = get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[close[0]] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Help lines for an unknown name: the nearest known one, else the list of known ones."""
    known = list(dict.fromkeys(names))
    close = nearest(name, known)
    if close is not None:
        return (f"did you mean `{close}`?",)
    if not known:
        return ()
    shown = ", ".join(f"`{item}`" for item in known[:8])
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""  # noqa: PLR2004 -- a line's worth
    return (f"known here: {shown}{more}",)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Findings in the order a reader meets them, each once."""
    unique = dict.fromkeys(diagnostics)
    return sorted(unique, key=lambda item: (item.span.file, item.span.line, item.span.column, item.code))


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
