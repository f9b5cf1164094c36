"""The console as people see it, in Chromium."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.console.conftest import Complaints, Open, Show

pytestmark = pytest.mark.timeout(180)  # a browser on a busy machine takes its time
REST, MCP = "aimlapi-threads-runs-rest", "aimlapi-threads-runs-mcp"
CREATE = "POST /v1/threads/{threadid}/runs"
OPERATIONS = {
    "GET /v1/threads/{threadid}/runs": {"threadId": "t 1"},
    CREATE: {"threadId": "t 1", "body": '{"assistant_id": "a"}'},
    "POST /v1/threads/{threadid}/runs/{runid}": {"threadId": "t 1", "runId": "r/1", "body": '{"metadata": {"a": "b"}}'},
    "GET /v1/threads/{threadid}/runs/{runid}": {"threadId": "t 1", "runId": "r/1"},
}
TOOLS = {
    "aimlapi-get-runs": {"threadId": "t 1"},
    "aimlapi-create-run": {"threadId": "t 1", "body": '{"assistant_id": "a"}'},
    "aimlapi-update-run": {"threadId": "t 1", "runId": "r/1", "body": '{"metadata": {"a": "b"}}'},
    "aimlapi-get-run": {"threadId": "t 1", "runId": "r/1"},
}
CALLS = [(server, name) for server, names in ((REST, OPERATIONS), (MCP, TOOLS)) for name in names]


def send(page: Page, values: dict[str, str]) -> None:
    for name, value in values.items():
        page.get_by_label(name).fill(value)
    page.get_by_role("button", name="Send").click()


def outcome(page: Page) -> str:
    region = page.get_by_role("region", name="What the caller gets")
    expect(region.locator("[aria-busy=false]")).to_be_visible()
    return region.inner_text()


def test_the_overview_shows_what_is_served(show: "Show", open_page: "Open") -> None:
    page = open_page(show().url)
    expect(page.get_by_role("heading", level=1)).to_have_text("AIMLAPI Threads > Runs")
    for server in (REST, MCP):
        expect(page.get_by_role("heading", name=server, level=2).first).to_be_visible()
    assert page.locator("main").get_by_role("link", name="aimlapi-create-run").count() == 1
    assert page.locator("main .badge", has_text="read-only").count() == 4
    expect(page).to_have_title("AIMLAPI Threads > Runs · capably")


@pytest.mark.parametrize(("server", "name"), CALLS)
def test_every_operation_and_tool_is_tried(
    show: "Show", open_page: "Open", upstream: "Upstream", server: str, name: str
) -> None:
    values = (OPERATIONS | TOOLS)[name]
    console = show()
    upstream.answer(200, {"id": "run_42"})
    page = open_page(console.call(server, name))
    send(page, values)
    told = outcome(page)
    assert '"id": "run_42"' in told
    assert ("200" if server == REST else "result") in told
    asked = upstream.only
    assert asked.target == "/threads/t%201/runs" + ("/r%2F1" if "runId" in values else "")
    assert json.loads(asked.body or b"null") == json.loads(values.get("body", "null"))
    up = page.get_by_role("region", name="Upstream", exact=True).inner_text()
    assert f"{asked.method} http://{upstream.address}{asked.target}" in up


def test_a_failing_upstream_is_seen(
    show: "Show", open_page: "Open", upstream: "Upstream", free_port: Callable[[], int]
) -> None:
    upstream.answer(503, {"error": "down for maintenance"}, {"Retry-After": "30"})
    page = open_page(show().call(REST, CREATE))
    send(page, {"threadId": "t"})
    told = outcome(page)
    assert "503" in told
    assert "The failure is on the upstream's side" in told
    assert "retry-after 30" in told
    assert "down for maintenance" in page.get_by_role("region", name="Upstream", exact=True).inner_text()
    page = open_page(show(upstream_at=f"127.0.0.1:{free_port()}").call(REST, CREATE))
    send(page, {"threadId": "t"})
    assert "The upstream cannot be reached" in outcome(page)
    assert "no answer" in page.get_by_role("region", name="Upstream", exact=True).inner_text()


def test_what_the_server_says_of_inputs_stands_at_their_fields(show: "Show", open_page: "Open") -> None:
    page = open_page(show().call(REST, CREATE))
    page.get_by_role("button", name="Send").click()
    field = page.get_by_label("threadId")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("threadId is required")).to_be_visible()
    page.get_by_label("body").fill("{")
    expect(page.get_by_text("this is not JSON yet")).to_be_visible()
    page.get_by_label("body").fill("[1]")
    expect(page.get_by_text("a JSON object is wanted")).to_be_visible()


def test_streams_are_shown_as_they_come(show: "Show", open_page: "Open", upstream: "Upstream") -> None:
    act = upstream.stream("first")
    page = open_page(show().call(REST, CREATE))
    send(page, {"threadId": "t"})
    answer = page.get_by_role("region", name="Streamed answer")
    expect(answer).to_contain_text("data: first")
    act.send_event("second")
    expect(answer).to_contain_text("data: second")
    act.end()
    expect(page.get_by_text("streamed", exact=True)).to_be_visible()


def test_a_call_can_be_stopped(show: "Show", open_page: "Open", upstream: "Upstream") -> None:
    act = upstream.play(b"", hold=True)
    page = open_page(show().call(REST, CREATE))
    send(page, {"threadId": "t"})
    assert act.asked.wait(10)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The call was cancelled")).to_be_visible()
    assert act.gone.wait(10), "the upstream call goes on"


CURL = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there: apt-get install curl")


@CURL
def test_the_curl_command_calls_the_operation(show: "Show", open_page: "Open", upstream: "Upstream") -> None:
    page = open_page(show().call(REST, CREATE))
    page.get_by_label("threadId").fill("it's")
    page.get_by_label("body").fill('{"assistant_id": "a\'b"}')
    command = page.get_by_role("region", name="curl command").inner_text()
    assert subprocess.run(["bash", "-c", f"{command} -s"], capture_output=True, check=True).stdout == b'{"ok": true}'  # noqa: S607
    assert upstream.only.target == "/threads/it%27s/runs"
    assert upstream.only.body == b'{"assistant_id":"a\'b"}'


@CURL
def test_the_curl_command_calls_the_tool(show: "Show", open_page: "Open", upstream: "Upstream") -> None:
    page = open_page(show().call(MCP, "aimlapi-get-run"))
    page.get_by_label("threadId").fill("t")
    page.get_by_label("runId").fill("r")
    command = page.get_by_role("region", name="curl command").inner_text()
    told = subprocess.run(["bash", "-c", f"{command} -s"], capture_output=True, check=True).stdout  # noqa: S607
    assert json.loads(told)["result"]["isError"] is False
    assert upstream.only.target == "/threads/t/runs/r"


def test_configurations_of_clients_are_what_they_take(show: "Show", open_page: "Open") -> None:
    console = show()
    page = open_page(console.call(MCP, "aimlapi-get-run"))
    page.get_by_role("tab", name="VS Code").click()
    http, stdio = (json.loads(text) for text in page.get_by_role("tabpanel").locator("code").all_inner_texts())
    listener = next(item for item in console.service.listeners if item.namespace == MCP)
    assert http == {"servers": {MCP: {"type": "http", "url": f"{listener.url}/mcp"}}}
    entry = stdio["servers"][MCP]
    assert entry["args"][:3] == ["serve", "--stdio", MCP]
    assert Path(entry["args"][3]).is_absolute()
    assert list(entry["env"]) == ["AIMLAPI_API_KEY", "BASEURL"]
    page.get_by_role("tab", name="Claude Code").click()
    assert f"claude mcp add --transport http {MCP} {listener.url}/mcp" in page.get_by_role("tabpanel").inner_text()


def test_the_document_stands_beside_its_findings(show: "Show", open_page: "Open") -> None:
    page = open_page(show().url + "#/document")
    findings = page.get_by_role("region", name="Findings")
    expect(findings.locator("article")).to_have_count(8)
    link = findings.locator("article", has_text="REF006").get_by_role("link").first
    number = link.inner_text().removeprefix("line ")
    link.click()
    line = page.locator(f"#line-{number}")
    expect(line).to_have_class("chosen")
    expect(line).to_be_in_viewport()
    assert line.locator("mark").inner_text() == "rest.threadId"
    assert page.locator("#line-6").inner_text().split("\n")[-1] == "naftiko: 1.0.0-alpha2"


def test_everything_is_reached_with_the_keyboard(show: "Show", open_page: "Open", upstream: "Upstream") -> None:
    page = open_page(show().url)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("create")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    expect(page.get_by_role("link", name="aimlapi-create-run").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("aimlapi-create-run")
    for _press in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.labels?.[0]?.textContent ?? ''").startswith("threadId"):
            break
    page.keyboard.type("t-9")
    page.keyboard.press("Control+Enter")
    assert "result" in outcome(page)
    assert upstream.only.target == "/threads/t-9/runs"


PAGES = [
    "#/",
    "#/call/" + REST + "/" + "POST%20%2Fv1%2Fthreads%2F%7Bthreadid%7D%2Fruns",
    f"#/call/{MCP}/aimlapi-get-run",
]
PAGES += ["#/document", "#/traces", "#/reloads"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_keep_the_rules_of_accessibility(
    show: "Show", open_page: "Open", flaws: Callable[[Page], list[str]], scheme: str
) -> None:
    console = show()
    page = open_page(console.url, color_scheme=scheme)
    for path in PAGES:
        page.goto(console.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_text("Loading…")).to_have_count(0)
        if "POST" in path:
            send(page, {"threadId": "t", "body": "{}"})
            outcome(page)
        assert flaws(page) == []


@pytest.mark.parametrize("width", [360, 768])
def test_nothing_is_wider_than_a_phone(show: "Show", open_page: "Open", width: int) -> None:
    console = show()
    page = open_page(console.url, width=width, height=740)
    for path in PAGES:
        page.goto(console.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_text("Loading…")).to_have_count(0)
        if "POST" in path:
            send(page, {"threadId": "t" * 200, "body": "{}"})
            outcome(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("link", name="aimlapi-get-runs").first).to_be_visible()


def test_colours_follow_the_system_and_the_switch(show: "Show", open_page: "Open") -> None:
    page = open_page(show().url, color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Switch to light colours").click()
    light = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == light
    page.get_by_role("button", name="Switch to dark colours").click()
    assert page.evaluate(background) == dark
    page.emulate_media(color_scheme="light")
    assert page.evaluate(background) == light


def test_a_token_is_asked_for_and_kept_in_memory_only(
    show: "Show", open_page: "Open", complaints: "Complaints"
) -> None:
    complaints.allowed.append("401")  # the browser tells every refused request
    page = open_page(show(token="let-me-in").url)
    page.get_by_label("Bearer token").fill("wrong")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("What was given is not accepted.")).to_be_visible()
    page.get_by_label("Bearer token").fill("let-me-in")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("AIMLAPI Threads > Runs")
    assert "let-me-in" not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    page.reload()
    expect(page.get_by_label("Bearer token")).to_be_visible()


def test_texts_of_documents_are_never_taken_for_html(show: "Show", open_page: "Open", tmp_path: Path) -> None:
    bad = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    document = tmp_path / "bad.yaml"
    document.write_text(
        f"""
naftiko: 1.0.0-alpha2
info: {{label: "{bad}", description: "{bad}"}}
capability:
  exposes:
    - type: mcp
      namespace: mcp
      port: 0
      description: "{bad}"
      tools:
        - name: tell
          description: "{bad}"
          inputParameters: [{{name: what, type: string, description: "{bad}", default: "{bad}"}}]
          outputParameters: [{{type: string, value: "{bad}"}}]
""".lstrip()
    )
    console = show(document)
    page = open_page(console.url)
    expect(page.get_by_role("heading", level=1)).to_have_text(bad)
    page.goto(console.call("mcp", "tell"))
    send(page, {})
    assert "<img src=x" in outcome(page)
    page.goto(console.url + "#/document")
    expect(page.locator("#line-2")).to_contain_text("<script>")
    assert page.evaluate("document.querySelectorAll('img, main script').length") == 0


def test_what_may_destroy_asks_first(show: "Show", open_page: "Open", upstream: "Upstream", tmp_path: Path) -> None:
    document = tmp_path / "destroy.yaml"
    document.write_text(
        f"""
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: http://{upstream.address}
      resources: [{{name: r, path: "/r/{{id}}", operations: [{{name: drop, method: DELETE}}]}}]
  exposes:
    - type: rest
      namespace: rest
      port: 0
      resources: [{{path: "/r/{{id}}", operations: [{{method: DELETE, name: drop, call: api.drop}}]}}]
""".lstrip()
    )
    page = open_page(show(document).call("rest", "DELETE /r/{id}"))
    expect(page.get_by_text("destructive", exact=True)).to_be_visible()
    send(page, {"id": "7"})
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    assert upstream.requests == []
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Send it").click()
    assert re.search(r"\b200\b", outcome(page))
    assert upstream.only.method == "DELETE"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_the_reference_page_of_a_rest_server_keeps_the_same_rules(
    show: "Show", open_page: "Open", flaws: Callable[[Page], list[str]], scheme: str, width: int
) -> None:
    url = next(item.url for item in show().service.listeners if item.namespace == REST)
    page = open_page(f"{url}/docs", color_scheme=scheme, width=width)
    expect(page.get_by_role("heading", level=1)).to_have_text("AIMLAPI Threads > Runs")
    page.get_by_role("navigation").get_by_role("link").nth(1).click()
    heading = page.get_by_role("heading", name="POST /v1/threads/{threadid}/runs", exact=True)
    expect(heading).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert flaws(page) == []


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_a_password_is_the_browsers_own_affair(show: "Show", open_page: "Open", tmp_path: Path, scheme: str) -> None:
    document = tmp_path / "asked.yaml"
    document.write_text(
        f"""
ikanos: 1.0.0-beta4
info: {{display: Asked}}
capability:
  exposes:
    - type: mcp
      namespace: mcp
      port: 0
      tools: [{{name: tell, description: Tells., outputParameters: [{{type: string, value: told}}]}}]
    - type: control
      port: 0
      management: {{console: true}}
      authentication: {{type: {scheme}, username: ada, password: '{{{{PASSWORD}}}}'}}
""".lstrip()
    )
    console = show(document, PASSWORD="difference-engine")
    assert console.ask("/").status == 401
    page = open_page(console.url, http_credentials={"username": "ada", "password": "difference-engine"})
    expect(page.get_by_role("heading", level=1)).to_have_text("Asked")
    page.goto(console.call("mcp", "tell"))
    send(page, {})
    assert "told" in outcome(page)
