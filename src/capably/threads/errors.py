"""The one error shape every answer uses, and the errors the service can give (Assistants API v2, errors)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from capably.threads.objects import Wire

TYPES = {
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "server_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


class Fault(Wire):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class Refusal(Wire):
    """The body of every answer that is no success."""

    error: Fault


# What any operation may be answered instead of a success, as the OpenAPI document says it.
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": description}
    for status, description in {
        400: "The request cannot be understood, or does not fit the state of what it is about.",
        401: "There is no key, or it opens nothing.",
        404: "What it names is not there.",
        413: "The body is too large.",
        421: "The service on this machine was asked under another name.",
        429: "The key makes more requests than it may; `Retry-After` says when to come back.",
        500: "The service failed.",
    }.items()
}


class ApiError(Exception):
    """A refusal, told to the caller as it is.

    Attributes:
        status: the HTTP status.
        message: a sentence for a person.
        param: the field that is at fault, in the form `messages[0].role`, or None.
        code: a stable word for a program, or None.
        headers: what the answer says besides.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.headers = dict(headers or {})
        self.status = status
        self.message = message
        self.param = param
        self.code = code

    def as_body(self) -> dict[str, Any]:
        """The body of the answer: `{"error": {"message", "type", "param", "code"}}`."""
        return error_body(self.status, self.message, self.param, self.code)


def error_body(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The error envelope for a status; its `type` follows from the status alone."""
    kind = TYPES.get(HTTPStatus(status), "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def not_found(kind: str, identity: str) -> ApiError:
    """An object that is not there; `kind` is assistant, thread, message or run."""
    return ApiError(HTTPStatus.NOT_FOUND, f"No {kind} found with id '{identity}'.")


def thread_is_busy(thread_id: str, run_id: str) -> ApiError:
    """A second run while one is active (the wording clients of this API look for)."""
    return ApiError(HTTPStatus.BAD_REQUEST, f"Thread {thread_id} already has an active run {run_id}.")


def thread_is_locked(thread_id: str, run_id: str, doing: str = "add messages to") -> ApiError:
    """A message while a run is active (the wording clients of this API look for)."""
    message = f"Can't {doing} {thread_id} while a run {run_id} is active."
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def not_waiting(status: str) -> ApiError:
    """Outputs for a run that does not wait for them."""
    return ApiError(HTTPStatus.BAD_REQUEST, f'Runs in status "{status}" do not accept tool outputs.')


def not_cancellable(status: str) -> ApiError:
    """Cancelling a run that has ended."""
    return ApiError(HTTPStatus.BAD_REQUEST, f"Cannot cancel run with status '{status}'.")


def wrong_outputs(what: str, expected: list[str], given: list[str]) -> ApiError:
    """Not exactly the outputs, or approvals, a run waits for."""
    message = f"Expected {what} for call_ids {expected}, got {given}"
    return ApiError(HTTPStatus.BAD_REQUEST, message, param=what.replace(" ", "_"))


def unknown_cursor(param: str, identity: str) -> ApiError:
    """A list cursor that is not in this list; `param` is after or before."""
    message = f"No object of this list has the id '{identity}' given as '{param}'."
    return ApiError(HTTPStatus.BAD_REQUEST, message, param=param, code="invalid_cursor")
