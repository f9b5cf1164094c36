"""The switches of scripts, over HTTP: the next call obeys."""

from typing import TYPE_CHECKING, Any

import pytest

from capably.scripts.governance import ScriptSwitches

if TYPE_CHECKING:
    from tests.control.conftest import Control


async def test_scripts_are_switched_off_and_on_while_the_process_runs(control: "Control") -> None:
    served = await control()
    assert (await served.call("POST")).text == "42"
    off = await served.ask("PUT", "/scripting", {"enabled": False})
    assert (off.status, off.json["enabled"], off.json["timeout"]) == (200, False, 60000)
    detail = "step `s`: Script step 's' is not run: scripts are switched off by PUT /scripting"
    assert (await served.call("POST")).problem == (503, "scripts-off", detail)
    assert (await served.ask("PUT", "/scripting", {"enabled": True})).json["enabled"] is True
    assert (await served.call("POST")).text == "42"
    stats = (await served.ask("GET", "/scripting")).json["stats"]
    assert (stats["totalExecutions"], stats["totalErrors"]) == (2, 0)


async def test_a_document_that_switches_its_scripts_off_is_overruled_by_an_operator(control: "Control") -> None:
    served = await control({"management": {"scripting": {"enabled": False, "timeout": 3000}}})
    told = (await served.ask("GET", "/scripting")).json
    by = "`management.scripting.enabled` of the control server"
    assert (told["enabled"], told["timeout"], told["switchedOffBy"]) == (False, 3000, by)
    assert (await served.call("POST")).problem[:2] == (503, "scripts-off")
    told = (await served.ask("PUT", "/scripting", {"enabled": True})).json
    assert told["enabled"] is True
    assert "switchedOffBy" not in told
    assert (await served.call("POST")).text == "42"


async def test_what_the_command_line_switches_off_stays_off(control: "Control") -> None:
    served = await control(scripts=ScriptSwitches(is_off=True))
    answer = await served.ask("PUT", "/scripting", {"enabled": True})
    detail = "scripts are switched off by `--no-scripts`, for as long as this process runs"
    assert answer.problem == (409, "scripts-held-off", detail)
    assert (await served.ask("GET", "/scripting")).json["enabled"] is False


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"timeout": 0}, "`timeout` must be milliseconds: a whole number, 1 or more"),
        ({"timout": 1}, "`timout` cannot be changed: did you mean `timeout`?"),
    ],
)
async def test_what_cannot_be_set_is_told(control: "Control", body: dict[str, Any], detail: str) -> None:
    answer = await (await control()).ask("PUT", "/scripting", body)
    assert answer.problem == (400, "invalid-setting", detail)
