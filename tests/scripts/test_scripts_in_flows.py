"""A script as a step of a flow: its context, its result for later steps, and its failure as the caller is told it."""

import pytest

from capably.expr.source import ABSENT
from capably.plan.outcome import Fault
from capably.plan.steps import Script, ScriptLimits, SourceFile
from capably.scripts.sandboxes import Sandboxes


def of_step(language: str, main: str, timeout_s: float = 10.0, statements: int = 10**9) -> Script:
    return Script(language, SourceFile("main", main), (), ScriptLimits(timeout_s, statements, 2**25), "shape")


def do_less(key: str) -> str:
    return f"do less, or raise `management.scripting.{key}` of the control server"


MEMORY = "keep less at once, or raise `management.scripting.memoryLimit` of the control server"
DEPTH = "exceeded the depth of calls: it calls itself without end, or nests too deep"
SECONDS = "which is 0.2 s of computing in Python"
DATE = "`result[0]` is a Date: make it text, a number, a list or a plain object"


@pytest.mark.parametrize(
    ("script", "told", "detail"),
    [
        (
            of_step("javascript", "\nthrow new RangeError('no ship')"),
            (400, "script-failed", "A script failed"),
            "failed: RangeError: no ship (main:2)",
        ),
        (
            of_step("python", "\nraise ValueError('no ship')"),
            (400, "script-failed", "A script failed"),
            "failed: ValueError: no ship (main:2)",
        ),
        (
            of_step("javascript", "for (;;);", timeout_s=0.2),
            (504, "script-timeout", "A script took too long"),
            f"exceeded the timeout limit (200 ms): {do_less('timeout')}",
        ),
        (
            of_step("python", "while True: pass", statements=10_000),
            (500, "script-statements", "A script did too much"),
            f"exceeded the statement limit (10000), {SECONDS}: {do_less('statementLimit')}",
        ),
        (
            of_step("python", "x = 'a' * 10 ** 9"),
            (500, "script-memory", "A script needed too much memory"),
            f"exceeded the memory limit (32 MiB): {MEMORY}",
        ),
        (
            of_step("javascript", "(function f() { f() })()"),
            (500, "script-stack", "A script called too deep"),
            DEPTH,
        ),
        (
            of_step("javascript", "result = [new Date()]"),
            (500, "script-result", "A script's result cannot be told"),
            f"failed: {DATE} (main)",
        ),
    ],
)
async def test_a_failure_names_step_limit_file_and_line(
    sandboxes: Sandboxes, script: Script, told: tuple[int, str, str], detail: str
) -> None:
    with pytest.raises(Fault) as caught:
        await sandboxes.run_script(script, {})
    fault = caught.value
    assert (fault.status, fault.kind, fault.title) == told
    assert fault.detail == f"Script step 'shape' {detail}"


async def test_a_result_reaches_whoever_drives_the_flow(sandboxes: Sandboxes) -> None:
    assert await sandboxes.run_script(of_step("javascript", "result = context.a + 1"), {"a": 1}) == 2
    assert await sandboxes.run_script(of_step("python", "1"), {}) is ABSENT
