"""The JSON Schema of documents, as editors use it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.processes import CAPABLY

from capably.capabilities import THREADS_RUNS
from capably.model.schema import document_schema

SHARED = Path(__file__).parents[2] / "shared"
PUBLISHED = {
    "naftiko": ("naftiko-1.0.0-alpha2.schema.json", "1.0.0-alpha2"),
    "ikanos": ("ikanos-1.0.0-beta4.schema.json", "1.0.0-beta4"),
}


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(document_schema())
    return jsonschema.Draft202012Validator(document_schema())


def read(path: Path) -> Any:
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


def test_the_command_prints_the_schema() -> None:
    command = [str(CAPABLY), "schema"]
    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout) == document_schema()


def test_the_bundled_document_is_valid(schema: jsonschema.Draft202012Validator) -> None:
    assert list(schema.iter_errors(read(THREADS_RUNS))) == []


def test_collections_are_lists_or_maps_by_name(schema: jsonschema.Draft202012Validator) -> None:
    operations: list[Any] = [[{"name": "list", "method": "GET"}], {"list": {"method": "GET"}}]
    for written in operations:
        resources = [{"name": "things", "path": "/things", "operations": written}]
        api = {"namespace": "api", "type": "http", "baseUri": "https://api.example", "resources": resources}
        assert schema.is_valid({"ikanos": "1.0.0-beta4", "capability": {"consumes": [api]}})


@pytest.mark.parametrize(
    "document",
    [
        {"capability": {}},
        {"naftiko": "9.9"},
        {"ikanos": "1.0.0-beta4", "capability": {"exposes": [{"type": "rest", "port": []}]}},
        {"ikanos": "1.0.0-beta4", "capability": {"consumes": [{"type": "http"}]}},
    ],
)
def test_what_capably_refuses_is_not_valid(schema: jsonschema.Draft202012Validator, document: Any) -> None:
    assert not schema.is_valid(document)


def test_every_key_is_described() -> None:
    for name, definition in document_schema()["$defs"].items():
        for key, value in definition["properties"].items():
            assert value["description"].endswith("."), f"{name}.{key}"


def test_documents_valid_under_a_published_schema_are_valid_here(schema: jsonschema.Draft202012Validator) -> None:
    folder = SHARED / "schemas"
    checked = [THREADS_RUNS]
    for dialect, (name, version) in PUBLISHED.items() if folder.is_dir() else ():
        published = jsonschema.Draft202012Validator(json.loads((folder / name).read_text(encoding="utf-8")))
        for path in sorted((SHARED / "tutorial").rglob("*.y*ml")):
            document = read(path)
            if dialect in document and published.is_valid({**document, dialect: version}):
                checked.append(path)
    assert [str(path) for path in checked if not schema.is_valid(read(path))] == []
