"""Forms made from input schemas: what is typed arrives as the type the schema says, and nothing else is sent."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.console.conftest import Open, Show

pytestmark = pytest.mark.timeout(180)  # a browser on a busy machine takes its time
INPUTS: tuple[dict[str, Any], ...] = (
    {"name": "text", "minLength": 2, "maxLength": 8, "pattern": "^[a-z]+$", "description": "A short word."},
    {"name": "day", "format": "date"},
    {"name": "moment", "format": "date-time"},
    {"name": "count", "type": "integer", "minimum": 1, "maximum": 10, "default": 3},
    {"name": "weight", "type": "number"},
    {"name": "size", "enum": ["small", "large"]},
    {"name": "sure", "type": "boolean"},
    {"name": "tags", "type": "array", "items": {"type": "string"}},
    {"name": "guest", "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
)


@pytest.fixture
def form(show: "Show", open_page: "Open", upstream: "Upstream", tmp_path: Path) -> Page:
    """The page of an operation that sends its inputs on as fields of a JSON body."""
    stated = [{"in": "body", "type": "string", "required": item["name"] == "text", **item} for item in INPUTS]
    call = {item["name"]: f"rest.{item['name']}" for item in INPUTS}
    consumed = {"name": "send", "method": "POST", "inputParameters": [{**item, "required": False} for item in stated]}
    exposed = {"name": "send", "method": "POST", "call": "api.send", "with": call, "inputParameters": stated}
    api = {"type": "http", "namespace": "api", "baseUri": f"http://{upstream.address}"}
    document = {
        "ikanos": "1.0.0-beta4",
        "capability": {
            "consumes": [{**api, "resources": [{"name": "r", "path": "/r", "operations": [consumed]}]}],
            "exposes": [
                {"type": "rest", "namespace": "rest", "port": 0, "resources": [{"path": "/r", "operations": [exposed]}]}
            ],
        },
    }
    file = tmp_path / "form.yaml"
    file.write_text(json.dumps(document))
    return open_page(show(file).call("rest", "POST /r"), timezone_id="Europe/Brussels")


def sent(page: Page, upstream: "Upstream") -> Any:
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("region", name="What the caller gets").locator(".status")).to_have_text("200")
    return json.loads(upstream.only.body)


def test_what_is_left_empty_is_not_sent(form: Page, upstream: "Upstream") -> None:
    form.get_by_label("text").fill("abc")
    assert sent(form, upstream) == {"text": "abc", "count": 3}


def test_values_arrive_in_their_types(form: Page, upstream: "Upstream") -> None:
    form.get_by_label("text").fill("abc")
    form.get_by_label("day").fill("2026-11-24")
    form.get_by_label("moment").fill("2026-11-24T13:30:00")
    form.get_by_label("count").fill("7")
    form.get_by_label("weight").fill("-1.5e3")
    form.get_by_label("size").select_option("large")
    form.get_by_label("sure").select_option("false")
    form.get_by_label("tags").fill('["a", "b"]')
    form.get_by_label("guest").fill('{"name": "Ada", "age": 36}')
    assert sent(form, upstream) == {
        "text": "abc",
        "day": "2026-11-24",
        "moment": "2026-11-24T12:30:00.000Z",
        "count": 7,
        "weight": -1500,
        "size": "large",
        "sure": False,
        "tags": ["a", "b"],
        "guest": {"name": "Ada", "age": 36},
    }


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("text", "a", "at least 2 characters"),
        ("text", "ABC", "it has to match ^[a-z]+$"),
        ("count", "11", "at most 10"),
        ("count", "1.5", "a whole number is wanted"),
        ("weight", "much", "much is no number"),
        ("tags", "{}", "a JSON array is wanted"),
        ("guest", '{"name": ', "this is not JSON yet"),
    ],
)
def test_what_cannot_be_right_is_told_at_its_field(
    form: Page, upstream: "Upstream", name: str, value: str, told: str
) -> None:
    form.get_by_label("text").fill("abc")
    form.get_by_label(name).fill(value)
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_label(name)).to_be_focused()
    expect(form.locator(".flaw", has_text=told)).to_be_visible()
    assert upstream.requests == []


def test_what_only_the_server_knows_is_told_at_the_field_as_well(form: Page) -> None:
    form.get_by_label("text").fill("abc")
    form.get_by_label("guest").fill('{"age": "old"}')
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_label("guest")).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("guest")).to_be_focused()


def test_an_example_is_made_from_the_schema(form: Page) -> None:
    form.get_by_role("button", name="Insert an example").last.click()
    assert json.loads(form.get_by_label("guest").input_value()) == {"name": "", "age": 0}
