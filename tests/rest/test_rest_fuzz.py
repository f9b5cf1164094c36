"""Whatever a REST server is asked, it answers as its own OpenAPI document says, and never fails."""

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.processes import CAPABLY

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.rest.conftest import Served

NAME = "aimlapi-threads-runs"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
SHIP = {
    "path": "/ships/{id}",
    "inputParameters": [
        {"name": "id", "in": "path", "type": "integer", "minimum": 1},
        {"name": "deep", "in": "query", "type": "boolean"},
        {"name": "tags", "in": "query", "type": "array", "items": {"type": "string", "maxLength": 5}},
        {"name": "X-Trace", "in": "header", "type": "string", "pattern": "^[a-f0-9]{4}$", "required": True},
    ],
    "outputParameters": [{"name": "ok", "type": "boolean"}, {"name": "name", "type": "string"}],
}
FORM = {
    "method": "POST",
    "inputParameters": [
        {"name": "name", "in": "body", "type": "string", "required": True, "minLength": 2},
        {"name": "kind", "in": "body", "type": "string", "enum": ["cargo", "tanker"]},
        {"name": "crew", "in": "body", "type": "object", "properties": {"size": {"type": "integer"}}},
    ],
}
STATED = {"path": "/stated/{who}", "call": None, "outputParameters": [{"name": "hello", "value": "{{who}}"}]}


def ask(url: str, examples: int) -> None:
    """Call every operation that the document names with whatever fits its schemas, and with what does not."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    assert len(found) == len(list(schema.get_all_operations())) > 0
    for operation in found:
        for mode in MODES:

            @given(operation.as_strategy(generation_mode=mode))
            @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            def call(case: Any) -> None:
                case.call_and_validate(checks=CHECKS, timeout=20)

            try:
                call()
            except Unsatisfiable:  # where every text is a segment of the path, nothing is out of place
                assert mode is GenerationMode.NEGATIVE


def test_operations_with_every_kind_of_input(serve: Callable[..., "Served"], upstream: "Upstream") -> None:
    ask(f"http://{serve(SHIP, FORM, STATED).host}", 25)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """The bundled document in front of the threads service with its offline responder."""
    ports = ["--port", f"{NAME}-rest=0", "--port", f"{NAME}-mcp=0", "--threads-port", "0", "--console-port", "0"]
    command = [str(CAPABLY), "demo", "--data", str(tmp_path), *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        try:
            found = (re.search(r"(http://127\.0\.0\.1:\d+)/v1/threads", line) for line in child.stdout)
            yield next(match[1] for match in found if match is not None)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(20)


def test_the_bundled_document_in_front_of_the_threads_service(demo: str) -> None:
    ask(demo, 15)
