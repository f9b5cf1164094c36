"""What an OpenAPI document is told, with places, and that the rest of it is served."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from capably.mock.serving import open_file

if TYPE_CHECKING:
    from tests.mock.conftest import Mocking


def told(folder: Path, text: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Code and place, message and help of each finding."""
    file = folder / "api.yaml"
    file.write_text(text, encoding="utf-8")
    found = open_file(file).diagnostics
    return [(f"{item.code} {item.span.line}:{item.span.column}", item.message, item.help) for item in found]


START = "an OpenAPI document starts with `openapi: 3.1.0`, and has `info` and `paths`"
NO_TYPE = (
    "the schema cannot be used: type: \"strng\" is not valid under any of the schemas listed in the 'anyOf' keyword"
)
PATH = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /a:\n    get:\n"


@pytest.mark.parametrize(
    ("text", "place", "message", "advice"),
    [
        ("", "OAS001 1:1", "this is no OpenAPI document: it is no mapping", START),
        ("- a", "OAS001 1:1", "this is no OpenAPI document: it is no mapping", START),
        ("a: 1", "OAS001 1:1", "this is no OpenAPI document: it has no key `openapi`", START),
        ("info: {}\nopenAPI: 3.1.0", "OAS001 2:1", "this is no OpenAPI document: `openAPI` is no key of it",
         "did you mean `openapi`?"),
        ("openapi: 4.0.0", "OAS002 1:10", "OpenAPI 4.0.0 is not served",
         "write the document as OpenAPI 3.0, 3.1 or 3.2"),
        ("swagger: '2.0'", "OAS002 1:1", "Swagger 2 is not served",
         "convert it to OpenAPI 3, for example at https://converter.swagger.io"),
        ("openapi: 3.1.0\npaths: {}", "OAS003 2:1", "the document has no operation to serve",
         "write `paths:` with an operation"),
        ("openapi: 3.1.0\npaths: [a]", "OAS003 2:8", "`paths` must be a mapping, not a list", "this part is left out"),
        (PATH + "      respones: {}", "OAS005 6:7", "`respones` is no key of `get /a`", "did you mean `responses`?"),
        (PATH + "      responses: {OK: {}}", "OAS005 6:19", "`OK` is no status", "write '200', '4XX' or default"),
        (PATH + "      parameters: [{in: query}]", "OAS003 6:20", "a parameter has no `name`", "write `name:`"),
        (PATH + "      parameters: [{name: a, in: querry}]", "OAS003 6:34", "`querry` is no place of a parameter",
         "did you mean `query`?"),
        (PATH + "      parameters: [$ref: '#/components/parameters/A']\ncomponents: {parameters: {B: {}}}",
         "OAS004 6:26", "`#/components/parameters/A` leads nowhere: there is no `A`", "known here: `B`"),
        (PATH + "      requestBody: {$ref: other.yaml#/a}", "OAS004 6:27", "`other.yaml#/a` is not in this document",
         "bundle the files into one document, and write `#/...`"),
        (PATH + "      requestBody: {$ref: '#/paths/~1a/get/requestBody'}", "OAS004 6:20",
         "the reference leads to itself", "name the thing that is meant"),
        (PATH + "      security: [{tokn: []}]\ncomponents: {securitySchemes: {token: {type: http, scheme: bearer}}}",
         "OAS004 6:19", "no security scheme is named `tokn`", "did you mean `token`?"),
        (PATH + "      parameters: [{name: a, in: query, schema: {type: strng}}]", "OAS006 6:49",
         NO_TYPE, "any value is taken"),
        (PATH + "      parameters: [{name: a, in: query, schema: {pattern: '('}}]", "OAS006 6:49",
         'the schema cannot be used: pattern: "(" is not a "regex"', "any value is taken"),
        (PATH + "      responses: {200: {content: {a/json: {schema: {required: [b]}, example: {}}}}}", "OAS007 6:78",
         'the example does not fit its schema: "b" is a required property', "it is told all the same"),
        (PATH + "      responses: {200: {content: {a/json: {examples: {e: {externalValue: f}}}}}}", "OAS007 6:55",
         "the example `e` has no `value`", "files of `externalValue` are not read"),
    ],
)  # fmt: skip
def test_a_document_is_told(tmp_path: Path, text: str, place: str, message: str, advice: str) -> None:
    assert told(tmp_path, text) == [(place, message, (advice,))]


def test_a_capability_document_is_sent_to_serve(tmp_path: Path) -> None:
    ((place, message, advice),) = told(tmp_path, "info: {}\nikanos: 1.0.0-beta4\n")
    assert (place, message) == ("OAS001 2:1", "this is a capability document, not an OpenAPI document")
    assert advice == (f"run it: capably serve {tmp_path / 'api.yaml'}",)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (found,) = open_file(tmp_path / "none.yaml").diagnostics
    assert (found.code, found.message) == ("DOC001", "the file cannot be read: No such file or directory")


def test_yaml_that_cannot_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    ((place, message, _advice),) = told(tmp_path, "openapi: 3.1.0\npaths: {\n")
    assert place.startswith("DOC002 3:1")
    assert message.startswith("this is not valid YAML")


def test_what_is_wrong_is_left_out_and_the_rest_is_served(mocking: "Mocking") -> None:
    right = {"responses": {"200": {"description": "", "content": {"application/json": {"example": 1}}}}}
    wrong = {**right, "parameters": [{"name": "a", "in": "nowhere"}], "requestBody": {"$ref": "#/none"}}
    mock = mocking({"/a": {"get": wrong, "put": "x"}, "b": {"get": right}, "/c": {"get": right}}, strict=True)
    assert [item.code for item in mock.diagnostics] == ["OAS003", "OAS004", "OAS003", "OAS003"]
    assert (mock.get("/a"), mock.get("/c")) == (1, 1)


def test_references_are_followed_everywhere(mocking: "Mocking") -> None:
    components = {
        "parameters": {"P": {"name": "p", "in": "query", "required": True,
                       "schema": {"$ref": "#/components/schemas/T"}}},
        "schemas": {"S": {"type": "integer"}, "T": {"$ref": "#/components/schemas/S"}},
        "responses": {"R": {"description": "", "content": {"application/json": {"examples": {"e": {"$ref":
                      "#/components/examples/E"}}}}}},
        "examples": {"E": {"value": {"a": 1}}},
        "pathItems": {"I": {"get": {"parameters": [{"$ref": "#/components/parameters/P"}],
                      "responses": {"200": {"$ref": "#/components/responses/R"}}}}},
    }  # fmt: skip
    mock = mocking({"/a": {"$ref": "#/components/pathItems/I"}}, strict=True, components=components)
    assert mock.diagnostics == []
    assert mock.get("/a?p=1") == {"a": 1}


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4", "3.1.0", "3.1.1", "3.2.0"])
def test_every_version_of_3_is_served(tmp_path: Path, version: str) -> None:
    document: dict[str, Any] = {
        "openapi": version,
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": {"get": {}}},
    }
    assert told(tmp_path, json.dumps(document)) == []
