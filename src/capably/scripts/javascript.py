"""JavaScript: a script runs in a realm of its own, which exists for that one call."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import wasmtime

from capably.expr.source import ABSENT
from capably.plan.steps import Script, ScriptLimits, SourceFile
from capably.scripts.failure import (
    Failure,
    ScriptError,
    out_of_memory,
    out_of_stack,
    out_of_statements,
    out_of_time,
)
from capably.scripts.quickjs import OUT_OF_MEMORY, Guest, GuestError, Watch, prepare
from capably.scripts.result import MAX_DEPTH, read_result
from capably.scripts.sources import place_of, shifted

__all__ = ["check", "prepare", "run"]

_CHECKING = ScriptLimits(timeout_s=10)


def run(script: Script, context: Mapping[str, Any], watch: Watch) -> Any:
    """Run a script and give its result, ``ABSENT`` when it has none. Blocks: it belongs on a thread.

    Raises:
        ScriptError: it failed, or ran out of something.
    """
    given = json.dumps(context, ensure_ascii=True, allow_nan=False)
    with _guest(script, script.limits, watch) as guest:
        kit = guest.evaluate(_prelude())
        start, finish = guest.item(kit, 0), guest.item(kit, 1)
        guest.call(start, guest.text(given), guest.logger())
        for file, before in shifted(script):
            guest.evaluate("\n" * before + file.text)
        if not guest.run_jobs():
            raise out_of_statements(script.limits.statements)
        watch.statements = _UNCOUNTED  # what reading the result takes is not the script's doing; its time is limited
        told = guest.read(guest.call(finish, guest.evaluate(_RESULT)))
    if told.startswith("!"):
        raise ScriptError(Failure.RESULT, told[1:], script.main.name)
    return read_result(told[1:]) if told else ABSENT


def check(file: SourceFile) -> ScriptError | None:
    """What is wrong with the syntax of a file; nothing of it is run: a script is read whole before its first line."""
    script = Script("javascript", file)
    try:
        with _guest(script, _CHECKING, Watch(_CHECKING.statements)) as guest:
            guest.evaluate(f"throw {_READ!r};" + file.text)
    except ScriptError as problem:
        return None if problem.message == _READ else problem
    return None


_READ = "capably: read, not run"
_RESULT = "typeof result === 'undefined' ? undefined : result"
_UNCOUNTED = 2**62


@contextmanager
def _guest(script: Script, limits: ScriptLimits, watch: Watch) -> Iterator[Guest]:
    """An instance, whose exceptions and traps are told as errors of the script."""
    guest = Guest(limits.memory_bytes, limits.timeout_s, watch)
    try:
        yield guest
    except wasmtime.Trap as trap:
        raise _stopped(trap, limits) from None
    except GuestError as problem:
        raise _threw(script, limits, watch, problem) from None
    finally:
        guest.close()


def _stopped(trap: wasmtime.Trap, limits: ScriptLimits) -> ScriptError:
    match trap.trap_code:
        case wasmtime.TrapCode.INTERRUPT:
            return out_of_time(limits.timeout_s)
        case wasmtime.TrapCode.STACK_OVERFLOW:
            return out_of_stack()
        case wasmtime.TrapCode.UNREACHABLE:  # what compiled Rust does when there is no memory left
            return out_of_memory(limits.memory_bytes)
        case code:
            return ScriptError(Failure.BROKEN, f"the sandbox stopped the script ({code})")


def _threw(script: Script, limits: ScriptLimits, watch: Watch, problem: GuestError) -> ScriptError:
    if watch.ran_out:
        return out_of_statements(limits.statements)
    if problem.name == "InternalError" and problem.message in {OUT_OF_MEMORY, "string too long"}:
        return out_of_memory(limits.memory_bytes)
    lines = [int(found) for found in _PLACE.findall(problem.stack)]
    file, line = place_of(script, lines[0]) if lines else (script.main.name, None)
    failure = Failure.SYNTAX if problem.name == "SyntaxError" else Failure.THREW
    return ScriptError(failure, str(problem), file, line)


@cache
def _prelude() -> str:
    return files("capably.scripts").joinpath("prelude.js").read_text("utf-8").replace("MOST_LEVELS", str(MAX_DEPTH))


_PLACE = re.compile(r"eval_script:(\d+)")
