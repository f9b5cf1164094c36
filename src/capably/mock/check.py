"""What is wrong with a request: parameters, body, and how the caller proves itself. Everything is told at once."""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capably.mock.api import Operation, Place, Scheme
from capably.mock.request import ABSENT, Request, UnreadableBodyError, form_value, is_json, parameter_value, read_value
from capably.plan.outcome import Problem


@dataclass(frozen=True, slots=True)
class Demand:
    """A value that a header, a query key or a cookie must have, or the credential of a security scheme."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found: ``unknown`` says why the caller is not known, ``problems`` what else is wrong.

    ``is_refused`` tells that a demanded value is not there: then even a mock that is not strict refuses.
    """

    values: Mapping[tuple[Place, str], Any]
    body: Any
    problems: tuple[Problem, ...]
    unknown: tuple[Problem, ...]
    is_refused: bool


def check(operation: Operation, request: Request, path: Mapping[str, str], demands: Sequence[Demand]) -> Checked:
    """Read a request as an operation understands it, and tell what is wrong with it."""
    values: dict[tuple[Place, str], Any] = {}
    problems: list[Problem] = []
    for parameter in operation.parameters:
        value = parameter_value(parameter, request, path)
        place = parameter.place.value
        if value is not ABSENT:
            values[parameter.place, parameter.name] = value
            problems += [
                Problem(_below(parameter.name, where), place, message)
                for where, message in parameter.schema.findings(value)
            ]
        elif parameter.required:
            problems.append(Problem(parameter.name, place, "is required and missing"))
    body, wrong = _body(operation, request)
    unknown = tuple(_unknown(operation, request, demands))
    demanded = list(_demanded(operation, request, demands))
    names = {demand.name for demand in demands}
    is_refused = bool(demanded) or (bool(unknown) and any(item.name in names for item in schemes_of(operation)))
    return Checked(values, body, (*problems, *wrong, *demanded), unknown, is_refused)


def schemes_of(operation: Operation) -> list[Scheme]:
    """The security schemes that an operation names, in any of its alternatives."""
    return [scheme for group in operation.security for scheme in group]


def _below(name: str, where: str) -> str:
    return f"{name}/{where}" if where else name


def _body(operation: Operation, request: Request) -> tuple[Any, list[Problem]]:
    try:
        value = read_value(request)
    except UnreadableBodyError as problem:
        return None, [Problem("body", "body", str(problem))]
    if operation.body is None:
        return value, []
    if not request.body:
        return None, [Problem("body", "body", "is required and missing")] if operation.body.required else []
    schemas = operation.body.schemas
    media_type = request.media_type or next(iter(schemas), "")
    schema = next((item for known, item in schemas.items() if _covers(known, media_type)), None)
    if schema is None:
        known = " or ".join(schemas) or "no body"
        return value, [Problem("Content-Type", "header", f"must be {known}, not {media_type}")]
    if media_type == "application/x-www-form-urlencoded":
        value = form_value(value, schema)
    elif not is_json(media_type):
        return value, []
    return value, [Problem(_below("body", where), "body", message) for where, message in schema.findings(value)]


def _covers(known: str, media_type: str) -> bool:
    bare = known.partition(";")[0].strip()
    return bare in {media_type, "*/*"} or (bare.endswith("/*") and media_type.startswith(bare[:-1]))


def _unknown(operation: Operation, request: Request, demands: Sequence[Demand]) -> Iterator[Problem]:
    """Why none of the alternatives of ``security`` holds; nothing when one does, or when none is needed."""
    found: list[Problem] = []
    for group in operation.security:
        missing = [problem for scheme in group for problem in _missing(scheme, request, demands)]
        if not missing:
            return
        found += missing
    yield from dict.fromkeys(found)


def _missing(scheme: Scheme, request: Request, demands: Sequence[Demand]) -> Iterator[Problem]:
    if not scheme.key:
        return
    given = _credential(scheme, request)
    wanted = next((demand.value for demand in demands if demand.name == scheme.name), None)
    if given is None:
        word = f"`{scheme.prefix}` and a credential" if scheme.prefix else "a key"
        yield Problem(scheme.key, scheme.place.value, f"must be sent, with {word} (security scheme `{scheme.name}`)")
    elif wanted is not None and not _is_same(given, wanted):
        yield Problem(
            scheme.key, scheme.place.value, f"is not what this mock expects (security scheme `{scheme.name}`)"
        )


def _credential(scheme: Scheme, request: Request) -> str | None:
    given = _sent(scheme.place, scheme.key, request)
    if given is None or not scheme.prefix:
        return given or None
    word, _space, credential = given.partition(" ")
    return credential.strip() or None if word.lower() == scheme.prefix.lower() else None


def _sent(place: Place, name: str, request: Request) -> str | None:
    if place is Place.HEADER:
        return request.headers.get(name.lower())
    if place is Place.COOKIE:
        return request.cookies.get(name)
    return next((value for key, value in reversed(request.query) if key == name), None)


def _demanded(operation: Operation, request: Request, demands: Sequence[Demand]) -> Iterator[Problem]:
    for demand in demands:
        for parameter in operation.parameters:
            is_meant = parameter.name.lower() == demand.name.lower() and parameter.place is not Place.PATH
            sent = _sent(parameter.place, parameter.name, request) if is_meant else None
            if is_meant and (sent is None or not _is_same(sent, demand.value)):
                word = "is missing" if sent is None else "is not what this mock expects"
                yield Problem(parameter.name, parameter.place.value, word)


def _is_same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
