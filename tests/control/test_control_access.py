"""Who may ask a control server, for what, and how."""

from typing import TYPE_CHECKING, Any

import pytest

from capably.plan import control as keys
from capably.servers.control.endpoints import ENDPOINTS, Endpoint

if TYPE_CHECKING:
    from tests.control.conftest import Control, Controlled

NOTHING = {
    "management": {"health": False},
    "observability": {"metrics": {"local": {"enabled": False}}, "traces": {"local": {"enabled": False}}},
}


def path_of(endpoint: Endpoint) -> str:
    return endpoint.path.replace("{name}", "capably")


async def test_what_the_document_does_not_allow_names_the_key_that_would(control: "Control") -> None:
    served = await control(NOTHING)
    for endpoint in ENDPOINTS:
        answer = await served.ask(endpoint.method, path_of(endpoint))
        shown = path_of(endpoint)
        key = keys.LOG_STREAM if shown == "/logs/stream" else endpoint.key
        detail = f"the document does not allow {shown}: set `{key}` of its control server"
        assert answer.problem == (404, "not-enabled", detail)


async def test_the_console_is_there_where_the_document_allows_it(control: "Control") -> None:
    served = await control({"management": {"console": True}})
    assert (await served.ask("GET", "/")).headers["content-type"].startswith("text/html")
    served = await control(NOTHING)
    detail = "the document does not allow /: set `management.console` of its control server"
    assert (await served.ask("GET", "/")).problem == (404, "not-enabled", detail)


async def test_every_endpoint_has_a_key_that_documents_know() -> None:
    assert {item.key for item in ENDPOINTS} == keys.EVERYTHING - {keys.CONSOLE}


async def test_a_path_that_is_none_tells_which_there_are(control: "Control") -> None:
    served = await control({"management": {"info": True}})
    answer = await served.ask("GET", "/statuses")
    expected = "there is /health/live, /health/ready, /status, /metrics, /traces, /traces/NAME"
    assert answer.problem == (404, "no-route", expected)


async def test_head_is_get_without_a_body_and_other_methods_are_refused(control: "Control") -> None:
    served = await control()
    whole, head = [await served.ask(method, "/health/live") for method in ("GET", "HEAD")]
    assert (head.status, head.text, head.headers["content-length"]) == (200, "", whole.headers["content-length"])
    refused = await served.ask("DELETE", "/status")
    assert refused.problem[:2] == (405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    asked = await served.ask("OPTIONS", "/scripting")
    assert (asked.status, asked.headers["allow"]) == (204, "GET, HEAD, PUT, OPTIONS")


@pytest.mark.parametrize("path", ["/health/live", "/config", "/nothing", "/metrics"])
async def test_nothing_of_it_may_be_kept_or_taken_for_a_page(control: "Control", path: str) -> None:
    answer = await (await control()).ask("GET", path)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_unknown_parameter_is_told(control: "Control") -> None:
    answer = await (await control()).ask("GET", "/traces?operations=a")
    detail = "`operations` is not known here: there is `operation`, `status`"
    assert answer.problem == (400, "unknown-parameter", detail)


AUTHENTICATION: dict[str, Any] = {"authentication": {"type": "bearer", "token": "{{TOKEN}}"}}


@pytest.mark.parametrize("path", ["/health/live", "/status", "/nothing", "/"])
async def test_whoever_is_not_known_learns_nothing(control: "Control", path: str) -> None:
    served = await control(AUTHENTICATION)
    for headers in ({}, {"authorization": "Bearer other"}):
        answer = await served.ask("GET", path, **headers)
        assert answer.problem[0] == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="capably"'


async def test_whoever_is_known_is_let_in(control: "Control") -> None:
    served = await control(AUTHENTICATION)
    assert (await served.ask("GET", "/health/live", authorization="Bearer let-me-in")).status == 200


async def test_the_token_of_the_command_line_is_asked_for(control: "Control") -> None:
    served = await control(token="shibboleth")
    assert (await served.ask("GET", "/status")).status == 401
    assert (await served.ask("GET", "/status", authorization="Bearer shibboleth")).status == 200


async def test_a_name_that_is_rebound_to_this_machine_is_refused(control: "Control") -> None:
    answer = await (await control()).ask("GET", "/config", host="evil.test")
    assert answer.problem[:2] == (421, "wrong-host")


async def changed_nothing(served: "Controlled") -> bool:
    return bool((await served.ask("GET", "/scripting")).json["enabled"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.test"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_web_pages_of_other_origins_change_nothing(
    control: "Control", headers: dict[str, str], status: int
) -> None:
    served = await control()
    sent = {"content_type": "application/json", **headers}
    answer = await served.ask("PUT", "/scripting", b'{"enabled": false}', **sent)
    assert answer.problem[0] == status
    assert await changed_nothing(served)


async def test_a_body_without_a_type_is_refused(control: "Control") -> None:
    served = await control()
    assert (await served.ask("PUT", "/scripting", b'{"enabled": false}')).problem[0] == 415
    assert await changed_nothing(served)


async def test_its_own_page_may_change_something(control: "Control") -> None:
    served = await control()
    answer = await served.ask("PUT", "/scripting", {"enabled": False}, origin=served.url, sec_fetch_site="same-origin")
    assert (answer.status, answer.json["enabled"]) == (200, False)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", (400, "malformed-body")),
        (b"[]", (400, "malformed-body")),
        (b'{"a": "' + b"a" * 70_000 + b'"}', (413, "body-too-large")),
    ],
)
async def test_a_body_that_cannot_be_used_is_told(control: "Control", body: bytes, told: tuple[int, str]) -> None:
    answer = await (await control()).ask("PUT", "/scripting", body, content_type="application/json")
    assert answer.problem[:2] == told
