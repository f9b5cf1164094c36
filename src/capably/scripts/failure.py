"""How a script fails: a stable word, a sentence, and the place in the script."""

from enum import StrEnum


class Failure(StrEnum):
    """Why a script gave no result; stable, for callers and logs."""

    THREW = "script-failed"
    SYNTAX = "script-syntax"
    TIME = "script-timeout"
    STATEMENTS = "script-statements"
    MEMORY = "script-memory"
    STACK = "script-stack"
    RESULT = "script-result"
    BROKEN = "script-sandbox"
    OFF = "scripts-off"


class ScriptError(Exception):
    """A script that gave no result.

    ``message`` says what happened and, for a limit, which it was and how it is raised. ``file`` and ``line`` (from 1)
    are the place in the script, where it is known.
    """

    def __init__(self, failure: Failure, message: str, file: str = "", line: int | None = None) -> None:
        """Keep what happened and where."""
        super().__init__(message)
        self.failure = failure
        self.message = message
        self.file = file
        self.line = line

    def __str__(self) -> str:
        """The message, with its place."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return f"{self.message} ({place})" if place else self.message


def out_of_time(seconds: float) -> ScriptError:
    """The error of a script that ran too long."""
    message = (
        f"exceeded the timeout limit ({seconds * 1000:.0f} ms): do less, or raise `management.scripting.timeout` "
        "of the control server"
    )
    return ScriptError(Failure.TIME, message)


def out_of_statements(statements: int, told: str = "") -> ScriptError:
    """The error of a script that did too much; ``told`` says how much that was, where statements are not counted."""
    message = (
        f"exceeded the statement limit ({statements}){told}: do less, or raise `management.scripting.statementLimit` "
        "of the control server"
    )
    return ScriptError(Failure.STATEMENTS, message)


def out_of_memory(memory_bytes: int) -> ScriptError:
    """The error of a script that needed too much memory."""
    message = (
        f"exceeded the memory limit ({memory_bytes // 2**20} MiB): keep less at once, or raise "
        "`management.scripting.memoryLimit` of the control server"
    )
    return ScriptError(Failure.MEMORY, message)


def out_of_stack() -> ScriptError:
    """The error of a script that called or nested too deep."""
    return ScriptError(Failure.STACK, "exceeded the depth of calls: it calls itself without end, or nests too deep")
