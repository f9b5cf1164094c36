"""How many findings there are, in numbers and in words."""

from collections import Counter
from collections.abc import Iterable

from capably.diagnostics import Diagnostic, Severity


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
        return f"no problems found in {amount(len(everything), 'file')}"
    counts = count(found)
    amounts = [amount(counts[severity], severity.value) for severity in Severity if counts[severity]]
    where = f"{len(affected)} of " if len(affected) < len(everything) else ""
    return f"{', '.join(amounts)} in {where}{amount(len(everything), 'file')}"


def amount(number: int, noun: str) -> str:
    """How many there are, such as ``1 warning`` and ``2 warnings``; for nouns whose plural takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
