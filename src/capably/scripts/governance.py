"""Which scripts of a document may run, and what they may use up: what the operator says, and what the document says."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from capably.diagnostics import Diagnostic, Span, did_you_mean, error
from capably.model.scripting import Scripting
from capably.plan.steps import ScriptLimits
from capably.scalars import read_size

LANGUAGES = ("javascript", "python")
_OURS = "CAPABLY_SCRIPTING"
_PUBLISHED = ("IKANOS_SCRIPTING", "NAFTIKO_SCRIPTING")
LEAST_MEMORY = 2**20


@dataclass(frozen=True, slots=True)
class ScriptSwitches:
    """What the command line says of scripts, which no document overrules."""

    is_off: bool = False
    languages: tuple[str, ...] = LANGUAGES


@dataclass(frozen=True, slots=True)
class Governance:
    """What holds for the scripts of a document.

    ``off_by`` says what switched them off for as long as the process runs, ``paused_by`` what did until an operator
    says otherwise; both are empty when they run.
    ``location`` is where scripts without a location of their own are, as written, and the file it is relative to.
    """

    off_by: str = ""
    paused_by: str = ""
    languages: tuple[str, ...] = LANGUAGES
    default_language: str | None = None
    location: tuple[str, Path] | None = None
    limits: ScriptLimits = field(default_factory=ScriptLimits)


def govern(
    written: Scripting | None, switches: ScriptSwitches, environ: Mapping[str, str], found: list[Diagnostic]
) -> Governance:
    """What holds, when all have spoken. What cannot be used is told, and its default holds."""
    languages = tuple(name for name in LANGUAGES if name in switches.languages)
    governance = Governance(_off_by(switches, environ), _paused_by(written, environ), languages)
    if written is None:
        return governance
    if written.allowed_languages:
        allowed = [language_of(name) for name in written.allowed_languages]
        _check_languages(written, found)
        governance = replace(governance, languages=tuple(name for name in languages if name in allowed))
    if written.default_location is not None:
        span = written.value_span("defaultLocation")
        governance = replace(governance, location=(written.default_location, Path(span.file)))
    return replace(governance, default_language=written.default_language, limits=_limits(written, found))


def language_of(written: str) -> str:
    """A language as it is known here: lower case, and the short names in use."""
    name = written.strip().lower()
    return {"js": "javascript", "py": "python"}.get(name, name)


def _off_by(switches: ScriptSwitches, environ: Mapping[str, str]) -> str:
    if switches.is_off:
        return "`--no-scripts`"
    return f"{_OURS}=false in the environment" if _is_false(environ.get(_OURS)) else ""


def _paused_by(written: Scripting | None, environ: Mapping[str, str]) -> str:
    enabled = written.enabled if written is not None else None
    if enabled is None:
        name = next((name for name in _PUBLISHED if _is_false(environ.get(name))), None)
        return f"{name}=false in the environment" if name is not None else ""
    return "" if enabled else "`management.scripting.enabled` of the control server"


def _is_false(value: str | None) -> bool:
    return value is not None and value.strip().lower() == "false"


def _limits(written: Scripting, found: list[Diagnostic]) -> ScriptLimits:
    limits = ScriptLimits()
    if written.timeout is not None and _is_positive(written, "timeout", written.timeout, found):
        limits = replace(limits, timeout_s=written.timeout / 1000)
    if written.statement_limit is not None and _is_positive(written, "statementLimit", written.statement_limit, found):
        limits = replace(limits, statements=written.statement_limit)
    if written.memory_limit is not None:
        size = read_size(written.memory_limit)
        if size is None or size < LEAST_MEMORY:
            advice = "write a size such as 64MiB, at least 1MiB"
            span = written.value_span("memoryLimit")
            found.append(error("SCR005", f"`memoryLimit: {written.memory_limit}` cannot be used", span, advice))
        else:
            limits = replace(limits, memory_bytes=size)
    return limits


def _is_positive(written: Scripting, key: str, value: int, found: list[Diagnostic]) -> bool:
    if 1 <= value < _MOST:
        return True
    found.append(error("SCR005", f"`{key}: {value}` cannot be used", written.value_span(key), "write 1 or more"))
    return False


_MOST = 2**53


def _check_languages(written: Scripting, found: list[Diagnostic]) -> None:
    span = written.value_span("allowedLanguages")
    unknown = [name for name in written.allowed_languages if language_of(name) not in {*LANGUAGES, "groovy"}]
    found += [unknown_language(name, span, "SCR005") for name in unknown]


def unknown_language(name: str, span: Span, code: str = "SCR002") -> Diagnostic:
    """The finding for a language nobody knows."""
    return error(code, f"`{name}` is no language of scripts", span, *did_you_mean(name, LANGUAGES))
