"""Python: a script runs in Monty, an interpreter without files, network, processes or imports from outside.

Monty interprets a subset of Python in processes of its own, which a pool keeps warm; each run gets a fresh heap. A
process that dies, whatever a script did to it, is replaced.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_monty import (
    AsyncMonty,
    AsyncMontySession,
    Monty,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
    ResourceLimits,
)

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
from capably.scripts.result import read_result
from capably.scripts.sources import files_of

STATEMENT_S = 20e-6
"""Monty counts no statements: so many seconds of its time stand for one, which takes a tenth of that and less."""
_GRACE_S = 1.0
_READ = "capably: read, not run"

# What is fed after the script. A script cannot change the module json, and a name it takes stays its own.
_FINISH = """
import json as __json__
try:
    __told__ = __json__.dumps([result], allow_nan=False)
except NameError:
    __told__ = ""
__told__
"""


async def run(pool: AsyncMonty, script: Script, context: Mapping[str, Any], write: Callable[[str], None]) -> Any:
    """Run a script and give its result, ``ABSENT`` when it has none. ``write`` is given what it prints, in pieces.

    Raises:
        ScriptError: it failed, or ran out of something.
    """
    limits = script.limits
    seconds = _seconds(limits)
    file = script.main
    try:
        async with asyncio.timeout(limits.timeout_s + _GRACE_S), pool.checkout(limits=_resources(limits)) as session:
            inputs = {"context": dict(context)}
            for file in files_of(script):
                await _feed(session, file.text, inputs, write)
                inputs = {}
            told = str(await session.feed_run(_FINISH, print_callback=lambda _stream, _text: None))
    except TimeoutError:
        raise out_of_time(limits.timeout_s) from None
    except MontyCrashedError as problem:
        raise (out_of_time(limits.timeout_s) if problem.timed_out else _crashed(limits)) from None
    except MontyError as problem:
        raise _told(problem, script, seconds, file) from None
    return read_result(told)[0] if told else ABSENT


async def _feed(session: AsyncMontySession, text: str, inputs: dict[str, Any], write: Callable[[str], None]) -> None:
    await session.feed_run(text, inputs=inputs, print_callback=lambda _stream, piece: write(piece))


def check(file: SourceFile) -> ScriptError | None:
    """What is wrong with the syntax of a file; nothing of it is run: a script is read whole before its first line."""
    with Monty(max_processes=1) as pool, pool.checkout(limits=_resources(ScriptLimits(timeout_s=10))) as session:
        try:
            session.feed_run(f"raise ValueError({_READ!r})\n" + file.text)
        except MontyError as problem:
            if str(problem).endswith(_READ):
                return None
            return ScriptError(Failure.SYNTAX, _reason(problem), file.name, _line(problem, 1))
    return None


def _seconds(limits: ScriptLimits) -> float:
    """How long a script may compute: the timeout, or the time that its statements may take, whichever is less."""
    return min(limits.timeout_s, max(limits.statements * STATEMENT_S, 0.05))


def _resources(limits: ScriptLimits) -> ResourceLimits:
    return {
        "max_memory": limits.memory_bytes,
        "max_feed_duration_secs": _seconds(limits),
        "max_total_sleep_secs": 0,
        "max_suspensions": 1,
    }


def _crashed(limits: ScriptLimits) -> ScriptError:
    message = f"ended its sandbox's process, which may use {limits.memory_bytes // 2**20} MiB: nothing else was harmed"
    return ScriptError(Failure.BROKEN, message)


def _told(problem: MontyError, script: Script, seconds: float, file: SourceFile) -> ScriptError:
    """What went wrong, in the words all scripts share. Monty's limits cannot be caught by a script."""
    reason = _reason(problem)
    if reason.startswith("TimeoutError: feed time limit exceeded"):
        return _took_too_long(script.limits, seconds)
    if reason.startswith("MemoryError: memory limit exceeded"):
        return out_of_memory(script.limits.memory_bytes)
    if reason.startswith("RecursionError"):
        return out_of_stack()
    name, line = _place(problem, script)
    if isinstance(problem, MontySyntaxError):
        return ScriptError(Failure.SYNTAX, reason, name, line)
    if not name:  # it stands in what is fed after the script: the result is no JSON
        return ScriptError(Failure.RESULT, f"`result` cannot be told as JSON: {reason}", script.main.name)
    return ScriptError(Failure.THREW, reason, name or file.name, line)


def _took_too_long(limits: ScriptLimits, seconds: float) -> ScriptError:
    if seconds >= limits.timeout_s:
        return out_of_time(limits.timeout_s)
    return out_of_statements(limits.statements, f", which is {seconds:g} s of computing in Python")


def _place(problem: MontyError, script: Script) -> tuple[str, int | None]:
    """The innermost place that is in a file of the script. Monty names what it is fed ``<python-input-N>``."""
    names = {f"<python-input-{position}>": file.name for position, file in enumerate(files_of(script))}
    frames = problem.traceback() if isinstance(problem, MontyRuntimeError | MontySyntaxError) else []
    found = [(names[frame.filename], frame.line) for frame in frames if frame.filename in names]
    return found[-1] if found else ("", None)


def _reason(problem: MontyError) -> str:
    """The error as Python tells it: its type and message; what the interpreter cannot do is told as its limit."""
    reason = str(problem)
    _before, marker, construct = reason.partition("The monty syntax parser does not yet support ")
    return f"the sandbox's Python has no {construct.removeprefix('the ')}" if marker else reason


def _line(problem: MontyError, before: int) -> int | None:
    frames = problem.traceback() if isinstance(problem, MontyRuntimeError | MontySyntaxError) else []
    return max(frames[-1].line - before, 1) if frames else None
