"""Findings as text, in the form that compilers have made familiar.

error[REF001]: no operation `get-shp` in `registry`
  --> fleet.yaml:41:15
   |
41 |         call: registry.get-shp
   |               ^^^^^^^^^^^^^^^^
   = help: did you mean `registry.get-ship`?
   = docs: capably explain REF001
"""

from collections.abc import Iterable, Mapping

from capably.diagnostics import Diagnostic, Severity, Span
from capably.render.count import summary
from capably.render.excerpt import Excerpt, Lines, escape, excerpt, split_lines

_RESET = "\x1b[0m"
_COLOURS: Mapping[str, str] = {
    Severity.ERROR: "\x1b[1;31m",
    Severity.WARNING: "\x1b[1;33m",
    Severity.NOTE: "\x1b[1;36m",
    "message": "\x1b[1m",
    "frame": "\x1b[1;34m",
}


def render_text(diagnostics: Iterable[Diagnostic], texts: Mapping[str, str], *, colour: bool = False) -> str:
    """Findings, each with the line it is about, and a summary.

    Args:
        diagnostics: in the order to show them.
        texts: text of every checked document, by the file name that spans carry.
        colour: whether to use ANSI colours.

    Returns:
        Lines that end in a line break. Nothing of a document's content reaches a terminal unescaped.
    """
    found = list(diagnostics)
    mentioned = {item.span.file for item in found}
    lines = {file: split_lines(text) for file, text in texts.items() if file in mentioned}
    paint = _Paint(_COLOURS if colour else {})
    blocks = ["\n".join(_block(item, lines, paint)) for item in found]
    return "\n\n".join([*blocks, summary(found, texts)]) + "\n"


class _Paint:
    def __init__(self, colours: Mapping[str, str]) -> None:
        self.colours = colours

    def __call__(self, role: str, text: str) -> str:
        start = self.colours.get(role)
        return f"{start}{text}{_RESET}" if start is not None else text


def _block(item: Diagnostic, lines: Lines, paint: _Paint) -> list[str]:
    number = str(item.span.line)
    gutter = " " * len(number)
    head = paint(item.severity, f"{item.severity}[{item.code}]")
    rows = [
        f"{head}{paint('message', ': ' + escape(item.message))}",
        f"{gutter}{paint('frame', '-->')} {_place(item.span)}",
    ]
    found = excerpt(lines, item.span)
    if found is not None:
        rows += _excerpt_rows(item.severity, number, found, paint)
    return rows + [f"{gutter} {paint('frame', '=')} {paint('message', kind)}: {text}" for kind, text in _remarks(item)]


def _excerpt_rows(severity: Severity, number: str, found: Excerpt, paint: _Paint) -> list[str]:
    gutter = " " * len(number)
    carets = " " * found.start + paint(severity, "^" * found.width)
    return [
        f"{gutter} {paint('frame', '|')}",
        f"{paint('frame', f'{number} |')} {found.text}".rstrip(" "),
        f"{gutter} {paint('frame', '|')} {carets}",
    ]


def _remarks(item: Diagnostic) -> list[tuple[str, str]]:
    return [
        *(("help", escape(line)) for line in item.help),
        *(("note", f"{_place(span)}: {escape(message)}") for span, message in item.related),
        ("docs", f"capably explain {item.code}"),
    ]


def _place(span: Span) -> str:
    return escape(str(span))
