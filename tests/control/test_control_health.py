"""Whether a process lives and is ready, and what it says of itself."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from capably import __version__
from capably.servers.control.moments import duration

if TYPE_CHECKING:
    from tests.control.conftest import Control


async def test_a_process_that_answers_lives(control: "Control") -> None:
    answer = await (await control()).ask("GET", "/health/live")
    assert (answer.status, answer.json) == (200, {"status": "UP"})


async def test_it_is_ready_when_its_servers_run(control: "Control") -> None:
    served = await control()
    answer = await served.ask("GET", "/health/ready")
    assert (answer.status, answer.json["status"]) == (200, "UP")
    assert [(item["type"], item["namespace"], item["state"]) for item in answer.json["adapters"]] == [
        ("rest", "web", "started"),
        ("control", "control", "started"),
    ]
    assert answer.json["adapters"][1]["url"] == served.url


async def test_it_is_not_ready_once_it_has_been_told_to_stop(control: "Control") -> None:
    served = await control()
    served.service.is_stopping = True
    answer = await served.ask("GET", "/health/ready")
    assert (answer.status, answer.json["status"]) == (503, "DEGRADED")
    assert answer.json["reason"] == "stopping: open requests may end"
    assert answer.json["adapters"][0]["state"] == "stopped"
    assert (await served.ask("GET", "/health/live")).status == 200


async def test_status_tells_what_runs_since_when(control: "Control") -> None:
    told = (await (await control()).ask("GET", "/status")).json
    assert told["capability"]["display"] == "Fleet"
    assert told["capability"]["specVersion"] == "1.0.0-beta4"
    assert told["capabilities"] == [told["capability"]]
    assert told["engine"]["version"] == __version__
    assert re.fullmatch(r"PT([0-9.]+S)", told["uptime"])
    assert told["generation"] == 1
    assert told["otel"]["status"] == "active"
    assert told["status"] == "UP"
    assert "lastReload" not in told


async def test_where_records_are_sent_is_told_without_what_it_takes(control: "Control") -> None:
    exporters = {"otlp": {"endpoint": "http://user:hidden@127.0.0.1:9/?token=secret-one"}}
    served = await control({"management": {"info": True}, "observability": {"exporters": exporters}})
    told = (await served.ask("GET", "/status")).json["otel"]
    assert told == {"status": "active", "exporter": "otlp", "endpoint": "http://127.0.0.1:9/?token=<hidden>"}


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_a_duration_is_written_to_the_tenth_of_a_second(passed: timedelta) -> None:
    match = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([0-9.]+)S)?", duration(passed))
    assert match is not None
    assert any(match.groups())
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    assert minutes < 60
    assert seconds < 60
    assert abs(hours * 3600 + minutes * 60 + seconds - passed.total_seconds()) < 0.06


async def test_where_nothing_is_recorded_status_says_so(control: "Control") -> None:
    served = await control({"management": {"info": True}, "observability": {"enabled": False}})
    assert (await served.ask("GET", "/status")).json["otel"] == {"status": "inactive"}
    for path in ("/metrics", "/traces"):
        answer = await served.ask("GET", path)
        assert answer.problem == (503, "nothing-recorded", "nothing is recorded: `observability.enabled` is false")
