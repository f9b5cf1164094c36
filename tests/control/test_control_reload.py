"""Documents are read again at an operator's word; what cannot be served is refused with what is wrong with it."""

import logging
from typing import TYPE_CHECKING

import pytest
from tests.control.conftest import written

if TYPE_CHECKING:
    from tests.control.conftest import Control


async def test_a_reload_with_nothing_new_changes_nothing(control: "Control") -> None:
    served = await control()
    answer = await served.ask("POST", "/config/reload")
    assert (answer.status, answer.json["status"], answer.json["generation"]) == (200, "unchanged", 1)


async def test_a_changed_document_is_looked_at_and_then_taken_up(control: "Control") -> None:
    served = await control()
    served.document.write_text(written().replace("hello", "goodbye"), encoding="utf-8")
    looked = (await served.ask("POST", "/config/validate")).json
    assert (looked["valid"], looked["reloadable"], looked["structuralChanges"]) == (True, True, [])
    assert (looked["status"], looked["generation"]) == ("valid", 1)
    assert looked["changes"] != []
    assert (await served.call()).json == {"a": "hello"}
    taken = (await served.ask("POST", "/config/reload", {})).json
    assert (taken["status"], taken["generation"]) == ("applied", 2)
    assert taken["changes"] == looked["changes"]
    assert (await served.call()).json == {"a": "goodbye"}
    status = (await served.ask("GET", "/status")).json
    assert (status["generation"], status["lastReload"]["status"]) == (2, "applied")


async def test_a_document_that_cannot_be_read_is_refused_and_the_process_stays_ready(control: "Control") -> None:
    served = await control()
    served.document.write_text("ikanos: [\n", encoding="utf-8")
    looked = (await served.ask("POST", "/config/validate")).json
    assert (looked["valid"], looked["reloadable"]) == (False, False)
    refused = await served.ask("POST", "/config/reload")
    assert (refused.status, refused.json["status"], refused.json["generation"]) == (422, "rejected", 1)
    assert refused.json["reason"] == "the document cannot be served"
    (found,) = refused.json["diagnostics"]
    assert (found["code"], found["severity"], found["file"]) == ("DOC002", "error", str(served.document))
    assert (found["line"], found["column"]) == (2, 1)
    ready = await served.ask("GET", "/health/ready")
    assert (ready.status, ready.json["status"]) == (200, "UP")
    assert ready.json["lastReload"]["status"] == "rejected"
    assert ready.json["lastReload"]["reason"] == "the document cannot be served"
    assert (await served.call()).json == {"a": "hello"}


async def test_what_it_takes_is_nothing(control: "Control") -> None:
    answer = await (await control()).ask("POST", "/config/reload", {"force": True})
    assert answer.problem == (400, "unexpected-body", "this takes no values: send no body, or {}")


ALLOWED = {"management": {"reload": True}}


async def test_a_reload_changes_what_the_control_server_allows_and_asks_for(control: "Control") -> None:
    served = await control(ALLOWED)
    assert (await served.ask("GET", "/status")).status == 404
    gated = {
        "authentication": {"type": "bearer", "token": "{{TOKEN}}"},
        "management": {"info": True, "reload": True},
    }
    served.document.write_text(written(gated), encoding="utf-8")
    assert (await served.ask("POST", "/config/reload")).json["status"] == "applied"
    assert (await served.ask("GET", "/status")).status == 401
    assert (await served.ask("GET", "/status", authorization="Bearer let-me-in")).status == 200
    served.document.write_text(written(ALLOWED), encoding="utf-8")
    await served.ask("POST", "/config/reload", authorization="Bearer let-me-in")
    assert (await served.ask("GET", "/status")).problem[:2] == (404, "not-enabled")


async def test_a_control_server_stays_where_it_is(control: "Control", caplog: pytest.LogCaptureFixture) -> None:
    served = await control(ALLOWED)
    url = served.url
    served.document.write_text(written({"port": 1, **ALLOWED}), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert (await served.ask("POST", "/config/reload")).json["status"] == "applied"
    assert f"the control server stays at {url} until the process ends" in caplog.messages
    served.document.write_text(written(), encoding="utf-8")
    assert (await served.ask("POST", "/config/reload")).json["status"] == "applied"
    assert (await served.ask("GET", "/health/live")).status == 200
