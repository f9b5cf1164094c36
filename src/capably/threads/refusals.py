"""Every error of the framework, told in the API's one error shape."""

from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from capably.threads.errors import ApiError, error_body

# What pydantic calls it -> (the API's code, the sentence; {param} is the field, {said} pydantic's own words).
SENTENCES: Mapping[str, tuple[str, str]] = {
    "missing": ("missing_required_parameter", "Missing required parameter: '{param}'."),
    "extra_forbidden": ("unknown_parameter", "Unknown parameter: '{param}'."),
    "json_invalid": ("invalid_json", "The body is not valid JSON: {said}."),
}
# Statuses of the framework that deserve more than their name.
STATUSES: Mapping[int, tuple[str, str]] = {
    404: ("unknown_url", "Unknown path: {method} {path}."),
    405: ("method_not_allowed", "{path} does not take {method}."),
    413: ("body_too_large", "{detail}"),
}


LONGEST_PARAM = 200


def tell_refusals(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Register the error answers of an application with these routes."""
    app.add_exception_handler(ApiError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, partial(_framework, routes))


async def _told(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ApiError):
        raise error
    return JSONResponse(error.as_body(), error.status, error.headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """One fault of a request, which is what the error shape has room for: the one deepest inside."""
    if not isinstance(error, RequestValidationError):
        raise error
    params = [(_param(fault, error.body), fault) for fault in error.errors()]
    # Each branch of a union reports its own fault; the deepest, then the last, is of the branch that was meant.
    param, fault = max(reversed(params), key=lambda pair: pair[0].count(".") + pair[0].count("["))
    if not param and fault["type"] != "json_invalid":
        return _whole_body(request)
    said = str(fault.get("ctx", {}).get("error", fault["msg"]))
    code, sentence = SENTENCES.get(fault["type"], ("invalid_value", "Invalid '{param}': {said}."))
    message = sentence.format(param=param, said=said.rstrip("."))
    return JSONResponse(error_body(HTTPStatus.BAD_REQUEST, message, param or None, code), HTTPStatus.BAD_REQUEST)


def _whole_body(request: Request) -> JSONResponse:
    """A body that is absent, not an object, or sent as something else than JSON (curl's default, for one)."""
    kind = request.headers.get("content-type", "application/json")
    message = "The body must be a JSON object."
    if "json" not in kind:
        message = f"The body must be a JSON object, sent with 'Content-Type: application/json', not '{kind}'."
    body = error_body(HTTPStatus.BAD_REQUEST, message, code="invalid_body")
    return JSONResponse(body, HTTPStatus.BAD_REQUEST)


async def _framework(routes: Sequence[BaseRoute], request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code, sentence = STATUSES.get(error.status_code, ("invalid_request", "{detail}"))
    message = sentence.format(method=request.method, path=request.url.path, detail=error.detail)
    headers = (
        {"allow": _allowed(routes, request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    )
    return JSONResponse(error_body(error.status_code, message, code=code), error.status_code, headers)


def _allowed(routes: Sequence[BaseRoute], request: Request) -> str:
    """All methods a path takes (RFC 9110, 15.5.6): its routes are several, the framework names those of one."""
    methods = {
        method
        for route in routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return ", ".join(sorted(methods))


def _param(fault: Mapping[str, Any], body: Any) -> str:
    """The field of a fault as clients write it: `messages[0].role`.

    Its location also names branches of unions and marks of keys; what the body has at that place tells them apart.
    """
    source, *parts = fault["loc"]
    if source != "body":
        return ".".join(str(part) for part in parts)
    place, here = "", body
    for part in parts:
        if isinstance(here, list) and isinstance(part, int):
            place, here = f"{place}[{part}]", here[part]
        elif isinstance(here, dict) and part in here:
            place, here = f"{place}.{part}".lstrip("."), here[part]
    if fault["type"] == "missing" and isinstance(here, dict):
        place = f"{place}.{parts[-1]}".lstrip(".")
    return place[:LONGEST_PARAM]
