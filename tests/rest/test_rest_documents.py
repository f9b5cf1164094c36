"""What a REST server says of itself."""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from capably.examine import examine
from capably.plan.openapi import openapi_document
from capably.plan.operation import Kind, ServerPlan
from capably.servers.rest_page import reference_page

if TYPE_CHECKING:
    from tests.rest.conftest import Served

PlanOf = Callable[..., ServerPlan]
SHIP = {
    "path": "/ships/{id}",
    "name": "get-ship",
    "display": "One ship",
    "description": "Reads a ship & its <crew>.",
    "inputParameters": [
        {"name": "id", "in": "path", "type": "string", "description": "Its IMO number."},
        {"name": "deep", "in": "query", "type": "boolean", "default": False},
        {"name": "X-Trace", "in": "header", "type": "string", "required": True},
        {"name": "lang", "in": "cookie", "type": "string", "enum": ["en", "fr"]},
    ],
    "outputParameters": [{"name": "name", "type": "string", "mapping": "$.vessel"}],
}


def faults(document: Any) -> list[str]:
    return [problem.message for problem in OpenAPIV31SpecValidator(document).iter_errors()]


def test_the_document_says_what_is_checked_and_answered(plan_of: PlanOf) -> None:
    document = openapi_document(plan_of(SHIP))
    assert faults(document) == []
    told = document["paths"]["/ships/{id}"]["get"]
    assert (told["operationId"], told["summary"]) == ("get-ship", "One ship")
    assert [(item["name"], item["in"], item.get("required", False)) for item in told["parameters"]] == [
        ("id", "path", True),
        ("deep", "query", False),
        ("X-Trace", "header", True),
        ("lang", "cookie", False),
    ]
    assert told["parameters"][0]["description"] == "Its IMO number."
    assert told["parameters"][1]["schema"] == {"type": "boolean", "default": False}
    assert told["parameters"][3]["schema"] == {"type": "string", "enum": ["en", "fr"]}
    assert told["responses"]["200"]["content"]["application/json"]["schema"]["required"] == ["name"]
    assert told["responses"]["400"] == {"$ref": "#/components/responses/Failure"}


def test_fields_of_a_body_may_be_json_or_a_form_and_a_whole_body_is_json(plan_of: PlanOf) -> None:
    fields = [{"name": "a", "in": "body", "type": "string", "required": True}, {"name": "b", "in": "body"}]
    whole = [{"name": "body", "in": "body", "type": "object", "description": "All of it."}]
    document = openapi_document(
        plan_of(
            {"method": "POST", "path": "/a", "inputParameters": fields},
            {"method": "POST", "path": "/b", "inputParameters": whole},
        )
    )
    assert faults(document) == []
    body = document["paths"]["/a"]["post"]["requestBody"]
    assert list(body["content"]) == ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
    assert body["content"]["application/json"]["schema"]["required"] == ["a"]
    assert body["required"] is True
    body = document["paths"]["/b"]["post"]["requestBody"]
    assert (body["description"], list(body["content"])) == ("All of it.", ["application/json"])


def test_operations_with_one_name_get_identifiers_of_their_own(plan_of: PlanOf) -> None:
    document = openapi_document(
        plan_of({"name": "get", "path": "/a"}, {"name": "get", "path": "/b/{c}"}, {"path": "/d"})
    )
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert ids == ["get-a", "get-b-c", "op2"]
    assert faults(document) == []


def test_paths_that_differ_in_names_of_placeholders_are_one_path(plan_of: PlanOf) -> None:
    document = openapi_document(plan_of({"path": "/a/{x}"}, {"path": "/a/{y}", "method": "PUT"}))
    assert list(document["paths"]) == ["/a/{x}"]
    item = document["paths"]["/a/{x}"]
    assert [item[method]["parameters"][0]["name"] for method in ("get", "put")] == ["x", "x"]
    assert faults(document) == []


GATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "bearer", "token": "s"}, {"bearer": {"type": "http", "scheme": "bearer"}}),
    ({"type": "basic", "username": "u", "password": "s"}, {"basic": {"type": "http", "scheme": "basic"}}),
    ({"type": "digest", "username": "u", "password": "s"}, {"digest": {"type": "http", "scheme": "digest"}}),
    (
        {"type": "apikey", "key": "X-Key", "value": "s"},
        {"apikey-header-x-key": {"type": "apiKey", "in": "header", "name": "x-key"}},
    ),
    (
        {"type": "apikey", "key": "key", "value": "s", "placement": "query"},
        {"apikey-query-key": {"type": "apiKey", "in": "query", "name": "key"}},
    ),
]


@pytest.mark.parametrize(("block", "schemes"), GATES, ids=lambda item: str(item.get("type", "")))
def test_what_callers_are_asked_is_told_without_secrets(
    plan_of: PlanOf, block: dict[str, Any], schemes: dict[str, Any]
) -> None:
    document = openapi_document(
        plan_of({}, {"path": "/open", "authentication": {"type": "none"}}, authentication=block)
    )
    assert document["components"]["securitySchemes"] == schemes
    assert document["security"] == [{next(iter(schemes)): []}]
    assert "security" not in document["paths"]["/x"]["get"]
    assert document["paths"]["/open"]["get"]["security"] == []
    assert faults(document) == []


def test_scopes_are_told_of_operations_that_need_them(plan_of: PlanOf) -> None:
    block = {
        "type": "oauth2",
        "authorizationServerUri": "https://auth.test",
        "resource": "https://web.test",
        "scopes": ["all"],
    }
    document = openapi_document(plan_of({"scopes": ["ships:read"]}, authentication=block))
    assert document["security"] == [{"oauth2": ["all"]}]
    assert document["paths"]["/x"]["get"]["security"] == [{"oauth2": ["all", "ships:read"]}]
    assert faults(document) == []


def test_the_documents_are_served(serve: Callable[..., "Served"]) -> None:
    served = serve(SHIP)
    as_json, as_yaml, page = (served.get(path) for path in ("/openapi.json", "/openapi.yaml", "/docs"))
    assert (as_json.status, as_json.headers["content-type"]) == (200, "application/json")
    assert as_yaml.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(as_yaml.text) == as_json.json
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert served.call("HEAD", "/docs").headers["content-length"] == str(len(page.body))
    refused = served.call("POST", "/openapi.json")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert served.call("OPTIONS", "/docs").headers["allow"] == "GET, HEAD, OPTIONS"


def test_they_are_behind_the_door_of_the_server(serve: Callable[..., "Served"]) -> None:
    served = serve({}, authentication={"type": "bearer", "token": "sesame"})
    assert [served.get(path).status for path in ("/openapi.json", "/openapi.yaml", "/docs")] == [401] * 3
    told = served.get("/openapi.json", Authorization="Bearer sesame")
    assert told.status == 200
    assert b"sesame" not in told.body


def test_paths_of_the_document_are_never_hidden(serve: Callable[..., "Served"]) -> None:
    mine = {"path": "/docs", "call": None, "outputParameters": [{"name": "mine", "value": True, "type": "boolean"}]}
    served = serve(mine)
    assert served.get("/docs").json == {"mine": True}
    assert served.call("DELETE", "/docs").status == 405
    assert served.get("/openapi.json").status == 200


def test_they_can_be_switched_off(serve: Callable[..., "Served"]) -> None:
    served = serve({}, documentation=False)
    assert [served.get(path).status for path in ("/openapi.json", "/openapi.yaml", "/docs")] == [404] * 3


class _Reader(HTMLParser):
    """Reads a page strictly: what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_html_that_asks_nothing_of_anybody(serve: Callable[..., "Served"]) -> None:
    page = serve(SHIP, {"path": "/f/{path}", "name": "'\"><script>alert(1)</script>"}).get("/docs")
    reader = _Reader()
    reader.feed(page.text)
    assert reader.open == []
    assert "Reads a ship & its <crew>." in reader.text
    names = {tag for tag, _attributes in reader.tags}
    assert names.isdisjoint({"script", "link", "img", "iframe", "crew"})
    ids = [attributes["id"] for _tag, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [str(attributes["href"]) for tag, attributes in reader.tags if tag == "a"]
    assert all(link.startswith("#") or link in {"openapi.json", "openapi.yaml"} for link in links)
    style = re.search("<style>(.*)</style>", page.text, re.DOTALL)
    assert style is not None
    allowed = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{allowed}'" in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_page_shows_a_call_with_what_it_cannot_do_without(plan_of: PlanOf) -> None:
    inputs = [
        {"name": "q", "in": "query", "type": "string", "required": True},
        {"name": "n", "in": "body", "type": "integer", "required": True},
        {"name": "m", "in": "body", "type": "string"},
    ]
    page = reference_page(openapi_document(plan_of({"method": "POST", "inputParameters": inputs})))
    reader = _Reader()
    reader.feed(page)
    assert json.dumps({"n": 1}) in reader.text
    assert 'curl -X POST "$SERVER/x?q=VALUE"' in reader.text


CORPUS = Path(__file__).parents[2] / ".." / "shared" / "corpus"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not there")
def test_what_real_documents_offer_is_valid_openapi() -> None:
    files = [file for file in sorted(CORPUS.rglob("*.y*ml")) if "_negative" not in file.parts][::8]
    plans = [examined.compiled.plan for file in files if (examined := examine(file)).compiled is not None]
    servers = [server for plan in plans for server in plan.servers if server.kind is Kind.REST]
    assert servers
    assert [(server.namespace, found) for server in servers if (found := faults(openapi_document(server)))] == []
