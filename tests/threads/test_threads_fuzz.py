"""Whatever the service is asked, it answers as its own OpenAPI document says, and never fails."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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

if TYPE_CHECKING:
    from tests.threads.conftest import Postgres, Service, Victim

OPERATIONS = 25  # that need a key: the 23 of the original, the list of threads, the events of a run
EXAMPLES = 4
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
QUIET: Any = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None, "derandomize": True}


def _schema(service: "Service") -> Any:
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{service.port}/openapi.json")


def _names(service: "Service") -> dict[str, str]:
    """A finished run and all that belongs to it."""
    thread, assistant = service.thread("hi"), service.assistant()
    run = service.ended(service.start(thread, assistant))
    message = service.client.beta.threads.messages.list(thread.id).data[0]
    step = service.client.beta.threads.runs.steps.list(run.id, thread_id=thread.id).data[0]
    return {
        "assistant_id": assistant.id,
        "thread_id": thread.id,
        "run_id": run.id,
        "message_id": message.id,
        "step_id": step.id,
    }


def _ask(service: "Service", examples: int) -> int:
    """Call every operation with what fits its schemas and what does not, about what is there and what is not."""
    names = _names(service)
    headers = {"Authorization": f"Bearer {service.key}"}
    schema = _schema(service)
    found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    assert len(found) == len(list(schema.get_all_operations()))
    for operation in found:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(operation.as_strategy(generation_mode=mode), st.booleans())
            @settings(max_examples=examples, **QUIET)
            def call(case: Any, there: bool) -> None:  # noqa: FBT001 - hypothesis gives it
                if there and case.method != "DELETE" and case.path_parameters:
                    case.path_parameters |= {name: names[name] for name in case.path_parameters}
                case.call_and_validate(checks=CHECKS, headers=headers, timeout=20)

            try:
                call()
            except Unsatisfiable:  # where every text is a segment of the path, nothing is out of place
                assert mode is GenerationMode.NEGATIVE
    return len(found)


@pytest.mark.timeout(240)
def test_every_operation_with_what_fits_its_schemas_and_what_does_not(service: "Service") -> None:
    assert _ask(service, EXAMPLES) == OPERATIONS + 2


@pytest.mark.timeout(240)
def test_every_operation_on_postgresql(killed: Callable[..., "Victim"], postgres: "Postgres") -> None:
    url = postgres.database()
    victim = killed(database=url, key=postgres.key(url))
    assert _ask(victim.service, EXAMPLES) == OPERATIONS + 2


@pytest.mark.timeout(240)
def test_operations_that_follow_from_each_other(service: "Service") -> None:
    headers = {"Authorization": f"Bearer {service.key}"}
    machine = _schema(service).as_state_machine()

    class Following(machine):  # type: ignore[misc, valid-type]  # made when the document is read
        def get_call_kwargs(self, _case: Any) -> dict[str, Any]:
            return {"headers": headers, "timeout": 20}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Following.run(settings=settings(max_examples=8, stateful_step_count=8, **QUIET))
