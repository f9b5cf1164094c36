"""Examining a document: load it, compile its plan, check the rules. Serving begins the same way and goes on."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from capably.diagnostics import Diagnostic, in_order
from capably.load import load
from capably.model.capability import Capability
from capably.plan.compile import Compiled, compile_plan
from capably.plan.variables import NOTHING_GIVEN, Given
from capably.rules.table import RULES


@dataclass(frozen=True, slots=True)
class Examined:
    """A document and all that is known of it. ``compiled`` is ``None`` when nothing could be read."""

    file: str
    text: str
    capability: Capability | None
    compiled: Compiled | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def has_errors(self) -> bool:
        """Whether something keeps the document from being served."""
        return any(item.is_error for item in self.diagnostics)


def examine(path: Path, given: Given = NOTHING_GIVEN, *, reveal: bool = False) -> Examined:
    """Examine one file. What is wrong is in the diagnostics; nothing is raised."""
    loaded = load(path)
    if loaded.capability is None:
        return Examined(loaded.file, loaded.text, None, None, tuple(in_order(loaded.diagnostics)))
    compiled = compile_plan(loaded.capability, given, reveal=reveal)
    found = [*loaded.diagnostics, *compiled.diagnostics]
    for rule in RULES:
        found += rule(loaded.capability, compiled)
    return Examined(loaded.file, loaded.text, loaded.capability, compiled, tuple(_gathered(in_order(found))))


def _gathered(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """One finding for what is said of many places with the same words; the help names the other lines."""
    groups: dict[tuple[str, str], list[Diagnostic]] = defaultdict(list)
    for item in diagnostics:
        groups[item.code, item.message].append(item)
    return [one for group in groups.values() for one in ([*group] if group[0].is_error else [_one(group)])]


def _one(group: list[Diagnostic]) -> Diagnostic:
    first, *others = group
    lines = list(dict.fromkeys(item.span.line for item in others))
    if first.is_error or not lines:
        return first
    shown = ", ".join(str(line) for line in lines[:10]) + (", …" if len(lines) > 10 else "")  # noqa: PLR2004 -- a line
    word = "line" if len(lines) == 1 else "lines"
    return replace(first, help=(*first.help, f"also on {word} {shown}"))
