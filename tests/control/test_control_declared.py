"""What documents say of their control server, and what the command line makes of it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from capably.control import control_server
from capably.errors import CommandError
from capably.examine import Examined, examine_with
from capably.plan.control import (
    CONFIG,
    CONSOLE,
    EVERYTHING,
    HEALTH,
    INFO,
    LOG_LEVELS,
    LOG_STREAM,
    LOGS,
    METRICS,
    SCRIPTING,
    TRACES,
    Control,
)
from capably.plan.gate import scheme_of
from capably.plan.operation import ServerPlan
from capably.plan.variables import Given
from capably.settings import ControlSettings, Settings

MCP = {"type": "mcp", "namespace": "a", "port": 1, "tools": [{"name": "t", "outputParameters": [{"value": "x"}]}]}


def examined(folder: Path, *servers: dict[str, Any], name: str = "a.yaml", **environ: str) -> Examined:
    written = {"ikanos": "1.0.0-beta4", "capability": {"exposes": [MCP, *servers]}}
    (folder / name).write_text(json.dumps(written), encoding="utf-8")
    return asyncio.run(examine_with(folder / name, Given(environ=environ)))


def control(**more: Any) -> dict[str, Any]:
    return {"type": "control", "port": 9, **more}


def plan_of(document: Examined) -> ServerPlan:
    assert document.compiled is not None
    plan = document.compiled.plan.control
    assert plan is not None
    return plan


def declared(folder: Path, **more: Any) -> Control:
    document = examined(folder, control(**more))
    assert document.diagnostics == ()
    stated = plan_of(document).control
    assert stated is not None
    return stated


def told(document: Examined) -> list[tuple[str, str]]:
    return [(item.code, item.message) for item in document.diagnostics]


def test_a_control_server_that_says_nothing_shows_health_metrics_and_traces(tmp_path: Path) -> None:
    assert declared(tmp_path).allows == {HEALTH, METRICS, TRACES}


def test_it_is_none_of_the_servers_that_callers_are_for(tmp_path: Path) -> None:
    document = examined(tmp_path, control())
    assert document.compiled is not None
    assert [server.kind.value for server in document.compiled.plan.servers] == ["mcp"]


@pytest.mark.parametrize(
    ("management", "allowed"),
    [
        ({"health": False}, set()),
        ({"info": True}, {HEALTH, INFO}),
        ({"config": "yes", "console": True}, {HEALTH, CONFIG, CONSOLE}),
        ({"scripting": {}}, {HEALTH, SCRIPTING}),
        ({"logs": True}, {HEALTH, LOGS, LOG_LEVELS}),
        ({"logs": False}, {HEALTH}),
        ({"logs": {}}, {HEALTH, LOGS, LOG_LEVELS}),
        ({"logs": {"level-control": False, "stream": True}}, {HEALTH, LOGS, LOG_STREAM}),
    ],
)
def test_each_key_of_management_allows_its_part(tmp_path: Path, management: dict[str, Any], allowed: set[str]) -> None:
    assert declared(tmp_path, management=management).allows - {METRICS, TRACES} == allowed


def test_what_is_recorded_is_as_the_document_says(tmp_path: Path) -> None:
    traces = {"sampling": 0.5, "propagation": "b3", "local": {"buffer-size": 50}}
    exporters = {"otlp": {"endpoint": "http://collector.test:4317"}}
    block = {"metrics": {"local": {"enabled": False}}, "traces": traces, "exporters": exporters}
    stated = declared(tmp_path, observability=block)
    assert METRICS not in stated.allows
    plan = stated.observability
    assert (plan.enabled, plan.traces_kept, plan.sampling, plan.propagation) == (True, 50, 0.5, "b3")
    assert plan.otlp == "http://collector.test:4317"


def test_the_address_of_a_collector_may_come_from_outside(tmp_path: Path) -> None:
    block = {"exporters": {"otlp": {"endpoint": "{{OTEL_ENDPOINT}}"}}}
    document = examined(tmp_path, control(observability=block), OTEL_ENDPOINT="http://c.test")
    stated = plan_of(document).control
    assert stated is not None
    assert stated.observability.otlp == "http://c.test"


def test_where_nothing_is_recorded_nothing_is_asked_for(tmp_path: Path) -> None:
    block = {"enabled": False, "exporters": {"otlp": {"endpoint": "{{OTEL_ENDPOINT}}"}}}
    document = examined(tmp_path, control(observability=block))
    assert document.compiled is not None
    assert document.compiled.missing == ()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"observability": {"traces": {"local": {"buffer-size": 5}}}}, "`buffer-size` cannot be 5"),
        ({"observability": {"traces": {"sampling": 1.5}}}, "`sampling` cannot be 1.5"),
        ({"observability": {"traces": {"sampling": True}}}, "`sampling` cannot be true"),
        ({"management": {"logs": {"max-subscribers": 21}}}, "`max-subscribers` cannot be 21"),
        ({"management": {"logs": "loud"}}, "`logs` must be true or false, not `loud`"),
        ({"management": {"logs": []}}, "`logs` must hold mappings, not a list"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_and_its_default_holds(
    tmp_path: Path, more: dict[str, Any], message: str
) -> None:
    document = examined(tmp_path, control(**more))
    assert ("DOC010", message) in told(document)
    assert plan_of(document).control is not None


def test_an_unknown_key_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    document = examined(tmp_path, control(management={"helth": True}))
    assert told(document) == [("DOC012", "`helth` is not a key of `management`")]
    assert document.diagnostics[0].help == ("did you mean `health`?",)


def test_a_second_control_server_is_left_out(tmp_path: Path) -> None:
    document = examined(tmp_path, control(), control(port=10))
    assert told(document) == [("CTL001", "a second control server")]
    assert plan_of(document).port == 9


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "example.test"])  # noqa: S104 -- the finding
def test_a_control_server_that_others_reach_must_ask_who_they_are(tmp_path: Path, address: str) -> None:
    document = examined(tmp_path, control(address=address))
    assert told(document) == [("CTL002", f"the control server would listen on {address} without authentication")]
    assert "listen on 127.0.0.1, or add `authentication`" in document.diagnostics[0].help[0]
    assert document.compiled is not None
    assert document.compiled.plan.control is None
    assert document.is_served


def test_one_that_asks_who_they_are_may_be_reached(tmp_path: Path) -> None:
    block = {"type": "bearer", "token": "{{TOKEN}}"}
    plan = plan_of(examined(tmp_path, control(address="0.0.0.0", authentication=block), TOKEN="t"))  # noqa: S104
    assert scheme_of(plan.gate) == "bearer"


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "a.localhost"])
def test_the_loopback_needs_no_authentication(tmp_path: Path, address: str) -> None:
    assert plan_of(examined(tmp_path, control(address=address))).address == address


def test_a_port_that_another_server_has_is_told(tmp_path: Path) -> None:
    document = examined(tmp_path, control(port=1))
    assert told(document) == [("SRV001", "`control` and `a` both listen on port 1")]


def settings(host: str | None = None, port: int = 0, token: str = "") -> Settings:
    return Settings(control=ControlSettings(port, host, token))


def test_without_a_declared_one_the_command_line_asks_for_one_that_may_do_everything(tmp_path: Path) -> None:
    plan = control_server([examined(tmp_path)], settings(port=7))
    assert plan is not None
    assert (plan.address, plan.port, plan.control) == (None, 7, Control(EVERYTHING))


def test_nobody_asks_for_one(tmp_path: Path) -> None:
    assert control_server([examined(tmp_path)], Settings()) is None


def test_the_command_line_moves_a_declared_one_and_leaves_what_it_may_do(tmp_path: Path) -> None:
    document = examined(tmp_path, control(management={"health": False}))
    plan = control_server([document], settings("127.0.0.2", 7))
    assert plan is not None
    assert (plan.address, plan.port) == ("127.0.0.2", 7)
    assert plan.control is not None
    assert plan.control.allows == {METRICS, TRACES}


def test_the_address_of_all_servers_does_not_move_the_control_server(tmp_path: Path) -> None:
    plan = control_server([examined(tmp_path, control())], Settings(host="0.0.0.0"))  # noqa: S104
    assert plan is not None
    assert plan.address is None


def test_the_command_line_opens_it_to_others_only_with_a_token(tmp_path: Path) -> None:
    document = examined(tmp_path)
    with pytest.raises(CommandError) as refused:
        control_server([document], settings("0.0.0.0", 7))  # noqa: S104
    assert refused.value.exit_code == 2
    assert refused.value.message == "--control: other machines could reach 0.0.0.0 without being asked who they are"
    assert "--control-token-env NAME" in refused.value.help_lines[0]
    plan = control_server([document], settings("0.0.0.0", 7, "secret"))  # noqa: S104
    assert plan is not None
    assert scheme_of(plan.gate) == "bearer"
    assert "secret" not in repr(plan)


def test_documents_that_declare_the_same_one_share_it(tmp_path: Path) -> None:
    documents = [examined(tmp_path, control(), name=name) for name in ("a.yaml", "b.yaml")]
    plan = control_server(documents, Settings())
    assert plan is not None
    assert plan.port == 9


def test_documents_that_declare_different_ones_are_refused(tmp_path: Path) -> None:
    documents = [examined(tmp_path, control(port=port), name=name) for port, name in enumerate(("a.yaml", "b.yaml"), 8)]
    with pytest.raises(CommandError, match="declare different control servers, and there is one for all") as refused:
        control_server(documents, Settings())
    assert refused.value.help_lines == ("make them alike, or declare it in one of them",)
