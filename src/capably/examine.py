"""Examining a document: load it, compile its plan, check the rules. Serving begins the same way and goes on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from capably.collecting import without_collecting
from capably.diagnostics import Diagnostic, Span, in_order
from capably.imports import local_path
from capably.load import Loaded, load, read_beside
from capably.model.capability import Capability
from capably.plan.compile import Compiled, compile_plan
from capably.plan.parts import without_faulty
from capably.plan.variables import NOTHING_GIVEN, Given
from capably.providers.table import bind_files, read_binds
from capably.rules.table import RULES
from capably.scripts.governance import Governance, ScriptSwitches, govern
from capably.scripts.loading import load_scripts, script_files


@dataclass(frozen=True, slots=True)
class Examined:
    """A document and all that is known of it. ``compiled`` is ``None`` when nothing could be read.

    ``texts`` are those of the file and of what it imports, by the name that spans carry. ``governance`` is what holds
    for its scripts. ``files`` are those it was made of, and those that were looked for and are not there.
    """

    file: str
    texts: Mapping[str, str]
    capability: Capability | None
    compiled: Compiled | None
    diagnostics: tuple[Diagnostic, ...]
    governance: Governance = field(default_factory=Governance)
    files: frozenset[Path] = frozenset()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What keeps the document, or the parts it stands in, from being served."""
        return tuple(item for item in self.diagnostics if item.is_error)

    @property
    def has_errors(self) -> bool:
        """Whether something keeps the document, or parts of it, from being served."""
        return bool(self.errors)

    @property
    def is_served(self) -> bool:
        """Whether something of the document can be served, errors elsewhere in it or not."""
        if self.compiled is None or any(item.code in _FATAL for item in self.errors):
            return False
        return self.compiled.plan.offers_something


_NO_SWITCHES = ScriptSwitches()
_FATAL = frozenset({"SRV002", "VAR004"})  # they concern the document as a whole


def examine(path: Path) -> Examined:
    """Examine one file without any value from outside. What is wrong is in the diagnostics; nothing is raised."""
    with without_collecting():
        return _examined(load(path), NOTHING_GIVEN, [], ScriptSwitches(), reveal=False)


async def examine_with(
    path: Path, given: Given, *, reveal: bool = True, switches: ScriptSwitches = _NO_SWITCHES
) -> Examined:
    """Examine one file with the values that are given, and those its binds find in files and secret stores.

    Args:
        path: the document.
        given: values from the command line and the environment.
        reveal: put the values into the plan, as calling upstreams needs; else nothing is read from binds either.
        switches: what the command line says of scripts.
    """
    with without_collecting():
        loaded = load(path)
        if not reveal or loaded.capability is None:
            return _examined(loaded, given, [], switches, reveal=False)
    bound, problems = await read_binds(loaded.capability.binds, given.environ, given.sets)
    with without_collecting():
        return _examined(loaded, replace(given, bound=bound), problems, switches, reveal=True)


def _examined(
    loaded: Loaded, given: Given, problems: list[Diagnostic], switches: ScriptSwitches, *, reveal: bool
) -> Examined:
    capability = loaded.capability
    if capability is None:
        return Examined(loaded.file, loaded.texts, None, None, tuple(in_order(loaded.diagnostics)), files=loaded.files)
    found = [*loaded.diagnostics, *problems]
    governance = govern(capability.scripting, switches, given.environ, found)
    scripts = load_scripts(capability, governance, found)
    files = {*loaded.files, *bind_files(capability.binds), *script_files(capability, governance)}

    def read_file(written: str, span: Span) -> bytes:
        path = local_path(written, Path(span.file))
        if path is not None:
            files.add(path)
        return read_beside(written, span)

    compiled = compile_plan(capability, given, reveal=reveal, read_file=read_file, scripts=scripts)
    found += compiled.diagnostics
    for rule in RULES:
        found += rule(capability, compiled)
    told = _gathered(in_order(_without_consequences(found)))
    sound = replace(compiled, plan=without_faulty(compiled.plan, told))
    return Examined(loaded.file, loaded.texts, capability, sound, tuple(told), governance, frozenset(files))


def _without_consequences(found: list[Diagnostic]) -> list[Diagnostic]:
    """Without the remark that nothing is left to serve, where an error has said why."""
    has_cause = any(item.is_error and item.code != "DOC015" for item in found)
    return [item for item in found if not (has_cause and item.code == "DOC015")]


def _gathered(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """One remark for what is said of many places of a file with the same words; every error stands for itself."""
    groups: dict[tuple[object, ...], list[Diagnostic]] = defaultdict(list)
    for item in diagnostics:
        place = item.span if item.is_error else item.span.file
        groups[item.code, item.message, place].append(item)
    return [_one(group) for group in groups.values()]


def _one(group: list[Diagnostic]) -> Diagnostic:
    """The first of a group; its help names the lines of the others."""
    first, *others = group
    lines = list(dict.fromkeys(item.span.line for item in others))
    if not lines:
        return first
    shown = ", ".join(str(line) for line in lines[:10]) + (", …" if len(lines) > 10 else "")  # noqa: PLR2004 -- a line
    word = "line" if len(lines) == 1 else "lines"
    return replace(first, help=(*first.help, f"also on {word} {shown}"))
