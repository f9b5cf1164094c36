"""An operator switches scripts and changes their limits while they run: the next run of each obeys."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from capably.plan.outcome import Fault
from capably.plan.steps import Script, ScriptLimits, SourceFile
from capably.scripts.governance import Governance
from capably.scripts.sandboxes import Sandboxes
from capably.scripts.switchboard import Switchboard


def script(main: str = "result = 1", language: str = "javascript", off_by: str = "") -> Script:
    return Script(language, SourceFile("main", main), (), ScriptLimits(10.0, 10**9, 2**25), "shape", off_by)


async def refusal(sandboxes: Sandboxes, wanted: Script) -> tuple[int, str, str]:
    with pytest.raises(Fault) as caught:
        await sandboxes.run_script(wanted, {})
    return caught.value.status, caught.value.kind, caught.value.detail


async def test_scripts_that_are_switched_off_are_refused_until_they_are_switched_on(sandboxes: Sandboxes) -> None:
    assert await sandboxes.run_script(script(), {}) == 1
    assert sandboxes.switchboard.change({"enabled": False}) == []
    detail = "Script step 'shape' is not run: scripts are switched off by PUT /scripting"
    assert await refusal(sandboxes, script()) == (503, "scripts-off", detail)
    assert sandboxes.switchboard.change({"enabled": True}) == []
    assert await sandboxes.run_script(script(), {}) == 1


async def test_a_script_its_document_switches_off_can_be_switched_on_and_left_to_the_document(
    sandboxes: Sandboxes,
) -> None:
    off = script(off_by="the document")
    detail = "Script step 'shape' is not run: scripts are switched off by the document"
    assert await refusal(sandboxes, off) == (503, "scripts-off", detail)
    sandboxes.switchboard.change({"enabled": True})
    assert await sandboxes.run_script(off, {}) == 1
    sandboxes.switchboard.change({"enabled": None})
    assert (await refusal(sandboxes, off))[1] == "scripts-off"


async def test_a_new_limit_holds_for_the_next_run(sandboxes: Sandboxes) -> None:
    endless = script("for (;;);")
    sandboxes.switchboard.change({"timeout": 100})
    assert (await refusal(sandboxes, endless))[:2] == (504, "script-timeout")
    sandboxes.switchboard.change({"timeout": None, "statementLimit": 20_000})
    assert (await refusal(sandboxes, endless))[:2] == (500, "script-statements")


async def test_a_language_can_be_forbidden(sandboxes: Sandboxes) -> None:
    sandboxes.switchboard.change({"allowedLanguages": ["Python"]})
    detail = "Script step 'shape' is not run: javascript is not allowed (allowed: python)"
    assert await refusal(sandboxes, script()) == (503, "scripts-off", detail)
    assert await sandboxes.run_script(script(language="python"), {}) == 1


async def test_runs_are_counted_and_refusals_are_not(sandboxes: Sandboxes) -> None:
    assert sandboxes.switchboard.shown()["stats"] == {
        "totalExecutions": 0,
        "totalErrors": 0,
        "averageDurationMs": 0.0,
    }
    await sandboxes.run_script(script(), {})
    await refusal(sandboxes, script("throw 1"))
    sandboxes.switchboard.change({"enabled": False})
    await refusal(sandboxes, script())
    told = sandboxes.switchboard.shown()["stats"]
    assert (told["totalExecutions"], told["totalErrors"]) == (2, 1)
    assert told["averageDurationMs"] > 0
    assert told["lastExecutionAt"].endswith("Z")


async def test_a_script_that_waits_for_its_turn_obeys_what_is_changed_meanwhile(sandboxes: Sandboxes) -> None:
    slow = [asyncio.create_task(sandboxes.execute(script("for (;;);"), {})) for _ in range(8)]
    last = asyncio.create_task(sandboxes.run_script(script(), {}))
    await asyncio.sleep(0.2)
    sandboxes.switchboard.change({"enabled": False})
    for task in slow:
        task.cancel()
    with pytest.raises(Fault, match="Scripts are switched off"):
        await last
    await asyncio.gather(*slow, return_exceptions=True)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"timeout": 0}, "`timeout` must be milliseconds: a whole number, 1 or more"),
        ({"timeout": True}, "`timeout` must be milliseconds: a whole number, 1 or more"),
        ({"timeout": "100"}, "`timeout` must be milliseconds: a whole number, 1 or more"),
        ({"statementLimit": 1.5}, "`statementLimit` must be a whole number, 1 or more"),
        ({"memoryLimit": "1KiB"}, "`memoryLimit` must be a size such as 64MiB, at least 1MiB"),
        ({"enabled": "yes"}, "`enabled` must be true or false"),
        ({"allowedLanguages": ["groovy"]}, "`allowedLanguages` must be a list of javascript and python"),
        ({"allowedLanguages": "python"}, "`allowedLanguages` must be a list of javascript and python"),
        ({"timeOut": 5}, "`timeOut` cannot be changed: did you mean `timeout`?"),
        (
            {"defaultLanguage": "python"},
            "`defaultLanguage` is read when documents are loaded: change the document, and reload it",
        ),
    ],
)
def test_what_cannot_be_used_is_told_and_changes_nothing(wanted: dict[str, Any], problem: str) -> None:
    switchboard = Switchboard()
    before = switchboard.shown()
    assert switchboard.change({"enabled": False, **wanted}) == [problem]
    assert switchboard.shown() == before


KEYS = st.sampled_from(["enabled", "timeout", "statementLimit", "memoryLimit", "allowedLanguages", "other"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = SCALARS | st.lists(st.sampled_from(["javascript", "py", "Python", "groovy"]) | SCALARS, max_size=3)


@hypothesis_given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_is_wanted_is_done_whole_or_not_at_all(wanted: dict[str, Any]) -> None:
    switchboard = Switchboard()
    before = switchboard.shown()
    problems = switchboard.change(wanted)
    after = switchboard.shown()
    if problems:
        assert after == before
        return
    for key, value in wanted.items():
        if value is None:
            assert after[key] == before[key]
        elif key in {"enabled", "timeout", "statementLimit"}:
            assert after[key] == value


def test_what_documents_say_is_shown_until_it_is_changed() -> None:
    said = Governance(
        languages=("python",),
        default_language="python",
        location=("./scripts", Path("a.yaml")),
        limits=ScriptLimits(3.0, 50, 2**26),
    )
    switchboard = Switchboard(lambda: said)
    stats = {"totalExecutions": 0, "totalErrors": 0, "averageDurationMs": 0.0}
    stated = {
        "enabled": True,
        "defaultLocation": "./scripts",
        "defaultLanguage": "python",
        "timeout": 3000,
        "statementLimit": 50,
        "memoryLimit": 2**26,
        "allowedLanguages": ["python"],
        "stats": stats,
    }
    assert switchboard.shown() == stated
    switchboard.change({"timeout": 10, "memoryLimit": "128MiB"})
    assert switchboard.shown() == stated | {"timeout": 10, "memoryLimit": 2**27}


@pytest.mark.parametrize("said", [Governance(off_by="`--no-scripts`"), Governance(paused_by="`--no-scripts`")])
def test_who_switched_scripts_off_is_shown(said: Governance) -> None:
    shown = Switchboard(lambda: said).shown()
    assert (shown["enabled"], shown["switchedOffBy"]) == (False, "`--no-scripts`")


def test_what_is_switched_off_for_good_stays_off() -> None:
    switchboard = Switchboard(lambda: Governance(off_by="`--no-scripts`"))
    switchboard.change({"enabled": True})
    assert switchboard.held_off_by == "`--no-scripts`"
    assert switchboard.shown()["enabled"] is False
