"""Operations with steps, and what changes while the console is open: reloads, traces, numbers."""

import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.console.conftest import Open, Show

pytestmark = pytest.mark.timeout(180)  # a browser on a busy machine takes its time
MCP = "aimlapi-threads-runs-mcp"
FLOW = """
ikanos: 1.0.0-beta4
info: {{display: Bookings}}
capability:
  consumes:
    - type: http
      namespace: hotel
      baseUri: http://{upstream}
      resources:
        - {{name: rooms, path: /rooms, operations: [{{name: rooms, method: GET}}]}}
        - {{name: bookings, path: /bookings, operations: [{{name: book, method: POST, inputParameters: [
            {{name: body, in: body, type: object}}]}}]}}
  exposes:
    - type: mcp
      namespace: agent
      port: 0
      tools:
        - name: book
          description: {description}
          inputParameters: [{{name: city, type: string, required: true, description: Where to. }}]
          steps:
            - {{name: free, type: call, call: hotel.rooms}}
            - {{name: who, type: elicit, message: 'Who goes to {{{{city}}}}?', schema: {{guest: {{type: string}}}}}}
            - {{name: booked, type: call, call: hotel.book, with: {{body: {{guest: '{{{{who.guest}}}}'}}}}}}
"""


@pytest.fixture
def write(tmp_path: Path, upstream: "Upstream") -> Callable[..., Path]:
    def write(description: str = "Book a room.", text: str = FLOW) -> Path:
        document = tmp_path / "bookings.yaml"
        document.write_text(text.format(upstream=upstream.address, description=description).lstrip())
        return document

    return write


def try_it(page: Page) -> None:
    page.get_by_label("city").fill("Ghent")
    page.get_by_role("button", name="Send").click()


def test_a_flow_shows_each_step_and_asks_the_person_at_the_page(
    show: "Show", open_page: "Open", upstream: "Upstream", write: Callable[..., Path]
) -> None:
    upstream.answer(200, {"rooms": [1, 2]})
    upstream.answer(200, {"booking": 7})
    page = open_page(show(write()).call("agent", "book"))
    expect(page.get_by_text("3 steps")).to_be_visible()
    try_it(page)
    steps = page.get_by_role("region", name="Upstream", exact=True)
    expect(steps.get_by_text("Who goes to Ghent?")).to_be_visible()
    expect(steps.get_by_text("/rooms")).to_be_visible()
    answer = steps.get_by_label("guest")
    expect(answer).to_be_focused()
    answer.fill("Ada")
    page.keyboard.press("Enter")
    expect(steps.get_by_text("Answered")).to_be_visible()
    expect(steps.locator("article.stage", has_text="/bookings")).to_contain_text('"guest": "Ada"')
    expect(page.get_by_role("region", name="What the caller gets").get_by_text("result", exact=True)).to_be_visible()
    assert [seen.target for seen in upstream.requests] == ["/rooms", "/bookings"]


def test_a_question_that_is_declined_ends_the_flow(
    show: "Show", open_page: "Open", upstream: "Upstream", write: Callable[..., Path]
) -> None:
    page = open_page(show(write()).call("agent", "book"))
    try_it(page)
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_text("isError", exact=True)).to_be_visible()
    assert [seen.target for seen in upstream.requests] == ["/rooms"]


def test_a_step_that_fails_is_seen_where_it_failed(
    show: "Show", open_page: "Open", upstream: "Upstream", write: Callable[..., Path]
) -> None:
    upstream.answer(500, {"error": "no rooms today"})
    page = open_page(show(write()).call("agent", "book"))
    try_it(page)
    failed = page.get_by_role("region", name="Upstream", exact=True).locator("article.failed").first
    expect(failed).to_contain_text("free")
    expect(failed).to_contain_text("no rooms today")
    expect(page.get_by_role("region", name="What the caller gets")).to_contain_text("Step free stopped here")


def test_a_reload_changes_the_page(show: "Show", open_page: "Open", write: Callable[..., Path]) -> None:
    console = show(write())
    page = open_page(console.url)
    expect(page.get_by_text("Book a room.")).to_be_visible()
    write("Book a room with a view.")
    console.run(console.service.reload())
    expect(page.get_by_text("Book a room with a view.")).to_be_visible()
    expect(page.get_by_text("Generation 2", exact=True)).to_be_visible()
    page.get_by_role("link", name="Reloads").click()
    row = page.get_by_role("row", name="description")
    expect(row).to_contain_text("Book a room.")
    expect(row).to_contain_text("Book a room with a view.")


def test_what_was_typed_stays_when_another_operation_is_reloaded(
    show: "Show", open_page: "Open", write: Callable[..., Path]
) -> None:
    console = show(write())
    page = open_page(console.call("agent", "book"))
    page.get_by_label("city").fill("Ghent")
    write("Book a room with a view.")
    console.run(console.service.reload())
    expect(page.locator("main").get_by_text("Book a room with a view.")).to_be_visible()
    expect(page.get_by_label("city")).to_have_value("Ghent")


def test_a_reload_that_is_refused_is_shown_with_what_is_wrong(
    show: "Show", open_page: "Open", write: Callable[..., Path]
) -> None:
    console = show(write())
    page = open_page(console.url + "#/reloads")
    write(text=FLOW.replace("call: hotel.book,", "call: hotel.bok,").replace("hotel.rooms", "hotel.romms"))
    page.get_by_role("button", name="Reload").click()
    refused = page.locator("article.reload")
    expect(refused).to_contain_text("refused")
    expect(refused.locator("article.finding").first).to_contain_text("REF001")
    expect(refused).to_contain_text("did you mean hotel.rooms?")
    expect(page.get_by_text("Generation 1, a later one refused")).to_be_visible()
    write()
    page.get_by_role("button", name="Check the files").click()
    expect(page.locator("main").get_by_text("nothing had changed")).to_be_visible()


def test_calls_of_others_appear_as_traces_and_numbers(show: "Show", open_page: "Open") -> None:
    console = show()
    page = open_page(console.url + "#/traces")
    expect(page.get_by_text("No calls yet.")).to_be_visible()
    url = next(item.url for item in console.service.listeners if item.kind.value == "rest")
    call = partial(urllib.request.urlopen, f"{url}/v1/threads/t1/runs")
    for _time in range(5):
        call().close()
    link = page.get_by_role("link", name="GET /v1/threads/{threadid}/runs").first
    page.locator("tbody").get_by_role("link").first.click()
    expect(link).to_be_attached()
    expect(page.get_by_role("heading", level=1)).to_have_text("GET /v1/threads/{threadid}/runs")
    expect(page.locator(".waterfall details")).to_have_count(2)
    page.locator(".waterfall summary").nth(1).click()
    expect(page.get_by_text("/threads/t1/runs")).to_be_visible()
    page.goto(console.url)
    requests = page.get_by_role("img", name="Requests over the last minutes")
    expect(requests).to_be_visible()
    for _time in range(20):
        call().close()
    expect(requests.locator("path.stroke")).to_be_attached()


def test_a_call_from_the_console_leads_to_its_trace(show: "Show", open_page: "Open") -> None:
    page = open_page(show().call(MCP, "aimlapi-get-runs") + "?threadId=t1")
    expect(page.get_by_label("threadId")).to_have_value("t1")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name="trace", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("tools/call aimlapi-get-runs")
    expect(page.locator(".waterfall")).to_contain_text("http.client.GET")


def test_nothing_is_asked_while_nobody_looks(show: "Show", open_page: "Open") -> None:
    page = open_page(show().url)
    expect(page.get_by_text("Generation 1")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    hide = "v => { Object.defineProperty(document, 'hidden', {value: v, configurable: true}); "
    hide += "document.dispatchEvent(new Event('visibilitychange')) }"
    page.evaluate(hide, True)
    page.wait_for_timeout(300)
    asked.clear()
    page.wait_for_timeout(3000)
    assert asked == []
    with page.expect_request("**/pulse.json"):
        page.evaluate(hide, False)
