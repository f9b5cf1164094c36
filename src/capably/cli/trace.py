"""What a call did, told on stderr as it happens: requests, replies, times and results, secrets left out."""

import json
from collections.abc import Iterable
from typing import Any

import click

from capably.plan.effects import Call, Execute, Progress
from capably.plan.outcome import Fault
from capably.plan.variables import SECRET_NAMES, Variable
from capably.telemetry.redaction import HIDDEN, Redactor
from capably.upstream.reply import Reply

_MOST_SHOWN = 400


class Trace:
    """Tells what the runtime performs and how steps end. ``variables`` are those whose values are not shown."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        """Know what to leave out."""
        self._hide = Redactor(variables).hide

    def performed(self, key: str, effect: Call | Execute, answer: Reply | Fault | Any, seconds: float) -> None:
        """An effect has ended; ``key`` is the step's, empty for an operation of one call."""
        name = f"{key}: " if key else ""
        self._tell(f"{name}{_asked(effect)}  {_answered(answer)}  {seconds * 1000:.1f} ms")
        if isinstance(effect, Call):
            shown = effect.shown
            for header, value in shown.headers:
                hidden = HIDDEN if SECRET_NAMES.search(header) else value
                self._tell(f"    > {header}: {hidden}")
            if shown.body is not None:
                self._tell(f"    > {_cut(shown.body.decode('utf-8', 'replace'))}")

    def ended(self, progress: Progress) -> None:
        """A step has ended."""
        why = f": {progress.fault}" if progress.fault else ""
        self._tell(f"{progress.step.name}: {progress.end.value}{why}")
        if progress.result is not None:
            self._tell(f"    = {_cut(json.dumps(progress.result, ensure_ascii=False, default=str))}")

    def _tell(self, line: str) -> None:
        click.echo(self._hide(line), err=True)


def _asked(effect: Call | Execute) -> str:
    if isinstance(effect, Execute):
        return f"{effect.script.language} {effect.script.main.name}"
    return f"{effect.request.method} {effect.shown.url}"


def _answered(answer: Reply | Fault | Any) -> str:
    if isinstance(answer, Reply):
        size = "a stream" if answer.stream is not None else f"{len(answer.body)} bytes"
        return f"-> {answer.status}, {size}"
    return f"-> {answer.detail}" if isinstance(answer, Fault) else "-> done"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}… ({len(text)} characters)"
