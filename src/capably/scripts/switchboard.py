"""What holds for scripts while a process runs: what documents say, and what an operator has changed since."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from capably.diagnostics import did_you_mean
from capably.plan.steps import Script, ScriptLimits
from capably.scalars import read_size
from capably.scripts.failure import Failure, ScriptError
from capably.scripts.governance import LANGUAGES, LEAST_MEMORY, Governance, language_of

_AT_LOAD: Final = ("defaultLanguage", "defaultLocation")
"""What is read when documents are loaded, and cannot be changed later."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What an operator has changed; ``None`` where documents still decide."""

    enabled: bool | None = None
    timeout_s: float | None = None
    statements: int | None = None
    memory_bytes: int | None = None
    languages: tuple[str, ...] | None = None

    def limits(self, stated: ScriptLimits) -> ScriptLimits:
        """The limits that hold for a script whose document states these."""
        return ScriptLimits(
            stated.timeout_s if self.timeout_s is None else self.timeout_s,
            stated.statements if self.statements is None else self.statements,
            stated.memory_bytes if self.memory_bytes is None else self.memory_bytes,
        )


@dataclass(slots=True)
class Statistics:
    """How scripts have gone so far."""

    executions: int = 0
    errors: int = 0
    seconds: float = 0.0
    last: float | None = None

    def count(self, seconds: float, *, failed: bool) -> None:
        """One more has ended."""
        self.executions += 1
        self.errors += failed
        self.seconds += seconds
        self.last = time.time()

    def shown(self) -> dict[str, Any]:
        """The figures by their published names."""
        average = self.seconds / self.executions * 1000 if self.executions else 0.0
        shown = {
            "totalExecutions": self.executions,
            "totalErrors": self.errors,
            "averageDurationMs": round(average, 3),
        }
        if self.last is None:
            return shown
        at = datetime.fromtimestamp(self.last, UTC).isoformat(timespec="milliseconds")
        return {**shown, "lastExecutionAt": at.replace("+00:00", "Z")}


@dataclass(slots=True)
class Switchboard:
    """The switches of all scripts of a process; what is changed holds for the next run of each script.

    ``governance`` gives what the documents say at present. What is changed is forgotten when the process ends.
    """

    governance: Callable[[], Governance] = Governance
    changes: Changes = field(default_factory=Changes)
    statistics: Statistics = field(default_factory=Statistics)

    def admitted(self, script: Script) -> Script:
        """The script with the limits that hold for it now.

        Raises:
            ScriptError: scripts, or those of its language, are switched off.
        """
        changes = self.changes
        off_by = script.off_by if changes.enabled is None else ("" if changes.enabled else "PUT /scripting")
        if off_by:
            raise ScriptError(Failure.OFF, f"is not run: scripts are switched off by {off_by}")
        if changes.languages is not None and script.language not in changes.languages:
            allowed = ", ".join(changes.languages) or "none"
            raise ScriptError(Failure.OFF, f"is not run: {script.language} is not allowed (allowed: {allowed})")
        return replace(script, limits=changes.limits(script.limits))

    @property
    def held_off_by(self) -> str:
        """What has switched scripts off for as long as the process runs; empty when nothing has."""
        return self.governance().off_by

    def shown(self) -> dict[str, Any]:
        """What holds now, by the keys of the document, with statistics."""
        said, changes = self.governance(), self.changes
        limits = changes.limits(said.limits)
        off_by = said.off_by or (said.paused_by if changes.enabled is None else "")
        shown = {
            "enabled": not off_by and changes.enabled is not False,
            "defaultLocation": said.location[0] if said.location is not None else None,
            "defaultLanguage": said.default_language,
            "timeout": round(limits.timeout_s * 1000),
            "statementLimit": limits.statements,
            "memoryLimit": limits.memory_bytes,
            "allowedLanguages": list(said.languages if changes.languages is None else changes.languages),
        }
        shown |= {"switchedOffBy": off_by} if off_by else {}
        return {**shown, "stats": self.statistics.shown()}

    def change(self, wanted: Mapping[str, Any]) -> list[str]:
        """Change what is wanted, by the keys of the document; null takes a change back.

        Returns:
            What is wrong with it, in sentences for people; then nothing is changed.
        """
        problems: list[str] = []
        found: dict[str, Any] = {}
        for key, value in wanted.items():
            if key not in _READERS:
                problems.append(_no_such(key))
                continue
            name, read, expected = _READERS[key]
            found[name] = read(value) if value is not None else None
            if value is not None and found[name] is None:
                problems.append(f"`{key}` must be {expected}")
        if not problems:
            self.changes = replace(self.changes, **found)
        return problems


def _no_such(key: str) -> str:
    if key in _AT_LOAD:
        return f"`{key}` is read when documents are loaded: change the document, and reload it"
    return f"`{key}` cannot be changed: {(did_you_mean(key, _READERS) or ('',))[0]}"


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 1 <= value < _MOST else None


def _seconds(value: Any) -> float | None:
    milliseconds = _whole(value)
    return milliseconds / 1000 if milliseconds is not None else None


def _bytes(value: Any) -> int | None:
    size = read_size(value) if isinstance(value, str) else _whole(value)
    return size if size is not None and size >= LEAST_MEMORY else None


def _languages(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    names = tuple(dict.fromkeys(map(language_of, value)))
    return names if all(name in LANGUAGES for name in names) else None


_MOST: Final = 2**53
_Reader: TypeAlias = tuple[str, Callable[[Any], Any], str]
_READERS: Final[Mapping[str, _Reader]] = MappingProxyType(
    {
        "enabled": ("enabled", _flag, "true or false"),
        "timeout": ("timeout_s", _seconds, "milliseconds: a whole number, 1 or more"),
        "statementLimit": ("statements", _whole, "a whole number, 1 or more"),
        "memoryLimit": ("memory_bytes", _bytes, "a size such as 64MiB, at least 1MiB"),
        "allowedLanguages": ("languages", _languages, f"a list of {' and '.join(LANGUAGES)}"),
    }
)
"""Key: field of the changes, how a value is read (``None`` when it cannot be), what it must be."""
