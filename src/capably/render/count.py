"""How many findings there are, in numbers and in words."""

from collections import Counter
from collections.abc import Iterable

from capably.diagnostics import Diagnostic, Severity

_PLURALS = {Severity.ERROR: "errors", Severity.WARNING: "warnings", Severity.NOTE: "notes"}


def count(diagnostics: Iterable[Diagnostic]) -> Counter[Severity]:
    """The number of findings of each severity."""
    return Counter(item.severity for item in diagnostics)


def summary(diagnostics: Iterable[Diagnostic], checked: Iterable[str]) -> str:
    """One line about a whole check.

    Args:
        diagnostics: what was found.
        checked: names of all files that were read, with or without findings.

    Returns:
        ``2 errors, 5 warnings in 1 file``, ``1 warning in 1 of 3 files`` or ``no problems found in 3 files``.
    """
    found = list(diagnostics)
    affected = {item.span.file for item in found}
    everything = affected | set(checked)
    if not found:
        return f"no problems found in {_amount(len(everything), 'file', 'files')}"
    counts = count(found)
    amounts = [
        _amount(counts[severity], severity.value, plural) for severity, plural in _PLURALS.items() if counts[severity]
    ]
    where = f"{len(affected)} of " if len(affected) < len(everything) else ""
    return f"{', '.join(amounts)} in {where}{_amount(len(everything), 'file', 'files')}"


def _amount(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
