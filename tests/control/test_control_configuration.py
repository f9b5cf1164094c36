"""What is in force, told without secrets."""

from typing import TYPE_CHECKING

from capably.plan.variables import Given

if TYPE_CHECKING:
    from tests.control.conftest import Control

AUTHENTICATION = {"type": "basic", "username": "op", "password": "written-in-the-document"}


async def test_the_documents_are_shown_after_their_imports_without_secrets(control: "Control") -> None:
    served = await control({"management": {"config": True}, "authentication": AUTHENTICATION})
    basic = "Basic b3A6d3JpdHRlbi1pbi10aGUtZG9jdW1lbnQ="
    answer = await served.ask("GET", "/config", authorization=basic)
    for secret in ("topsecret", "written-in-the-document", "written-out", "hidden", "let-me-in"):
        assert secret not in answer.text
    (document,) = answer.json["documents"]
    assert document["file"] == str(served.document)
    assert document["title"] == "Fleet"
    capability = document["document"]["capability"]
    assert capability["consumes"][0]["authentication"] == {"type": "bearer", "token": "{{env.KEY}}"}
    assert capability["consumes"][0]["baseUri"] == "http://127.0.0.1:9/"
    assert capability["exposes"][1]["authentication"] == {"type": "basic", "username": "op", "password": "***"}
    parameter = capability["consumes"][0]["resources"][0]["operations"][0]["inputParameters"][0]
    assert parameter == {"name": "X-Api-Key", "in": "header", "value": "***"}


async def test_where_each_value_comes_from_is_told(control: "Control") -> None:
    served = await control()
    (document,) = (await served.ask("GET", "/config")).json["documents"]
    environment = {"name": "KEY", "kind": "secret", "value": "***", "from": "environment variable FLEET_KEY"}
    assert document["variables"] == [environment]


async def test_a_value_of_the_command_line_is_told_as_such(control: "Control") -> None:
    served = await control(given=Given({"KEY": "another-secret"}))
    told = await served.ask("GET", "/config")
    assert told.json["documents"][0]["variables"][0]["from"] == "--set"
    assert "another-secret" not in told.text
    assert told.json["settings"]["set"] == ["KEY"]


async def test_the_settings_of_the_process_are_told(control: "Control") -> None:
    served = await control(token="shibboleth", drain_s=3.0, host="127.0.0.1")
    answer = await served.ask("GET", "/config", authorization="Bearer shibboleth")
    settings = answer.json["settings"]
    assert (settings["host"], settings["drainSeconds"], settings["control"]) == (
        "127.0.0.1",
        3.0,
        {"host": None, "port": 0},
    )
    assert "shibboleth" not in answer.text
