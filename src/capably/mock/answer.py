"""A request becomes an answer: found by its path, checked, chosen, filled in. No I/O."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from capably.diagnostics import nearest
from capably.mock.api import Api, Operation, Place
from capably.mock.body import encode, escaped, is_xml
from capably.mock.check import Checked, Demand, check, schemes_of
from capably.mock.choose import Choice, choose, preference
from capably.mock.make import NoValueError, make
from capably.mock.request import Request
from capably.mock.routes import Found, Routes
from capably.mock.schemas import Schema
from capably.mock.template import Setting
from capably.plan.outcome import Fault, Headers
from capably.render.count import amount

_LONGEST_SHOWN = 200  # finding the nearest path takes time that grows with the path a caller sends


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: and for the log, which example it is and what was wrong with the request."""

    status: int
    media_type: str | None
    body: bytes
    headers: Headers = ()
    story: str = ""
    remarks: tuple[str, ...] = ()


class Mock:
    """An API that answers with its examples."""

    def __init__(self, api: Api, demands: Sequence[Demand] = (), *, is_strict: bool = False) -> None:
        """Build the routes. Only a strict mock refuses a request for what the document says; demands always hold."""
        self._routes = Routes(api)
        self._demands = tuple(demands)
        self._is_strict = is_strict
        self._made: dict[int, tuple[Schema, Any, str]] = {}

    def answer(self, request: Request, now: Callable[[], datetime], chance: Random) -> Answer:
        """Answer a request; ``now`` and ``chance`` are for examples that ask for the time or for something random.

        Raises:
            Fault: the document has no such path (404) or method (405), the request is refused (400, 401, 406).
        """
        found = self._routes.find(request.method, request.path)
        if found is None:
            raise self._no_path(request.path)
        if found.operation is None:
            return _without_operation(request, found)
        checked = check(found.operation, request, found.values, self._demands)
        self._refuse(found.operation, checked)
        wanted = preference(request.headers.get("prefer", ""))
        choice = choose(found.operation, checked, request.headers.get("accept", ""), wanted)
        remarks = tuple(
            f"{item.location} {item.input}: {item.message}" for item in (*checked.unknown, *checked.problems)
        )
        if choice is None:
            return Answer(200, None, b"", story="no answer is documented", remarks=remarks)
        setting = Setting(found.segments, _params(request, found), request.headers, checked.body, now(), chance)
        body, story, more = self._body(choice, setting)
        media_type = choice.content.media_type if choice.content is not None else None
        media_type = "application/json" if media_type is not None and "*" in media_type else media_type
        applied = (("preference-applied", _applied(request)),) if _applied(request) else ()
        headers = (*choice.answering.headers, *applied)
        return Answer(choice.answering.code, media_type, body, headers, story, (*remarks, *more))

    def _refuse(self, operation: Operation, checked: Checked) -> None:
        """Refuse what is wrong, all of it at once.

        Raises:
            Fault: 401 for a caller that is not known, else 400.
        """
        problems = (*checked.unknown, *checked.problems)
        if not problems or not (self._is_strict or checked.is_refused):
            return
        told = "; ".join(f"{item.location} {item.input}: {item.message}" for item in problems)
        if checked.unknown:
            challenges = dict.fromkeys(scheme.challenge for scheme in schemes_of(operation) if scheme.challenge)
            headers = tuple(("www-authenticate", challenge) for challenge in challenges)
            raise Fault(401, "unauthorized", "The caller is not known", told, problems, headers)
        raise Fault(400, "invalid-request", "The request is not what the document describes", told, problems)

    def _body(self, choice: Choice, setting: Setting) -> tuple[bytes, str, tuple[str, ...]]:
        """The body, what it comes from, and what is to be remarked about it."""
        content = choice.content
        if content is None:
            return b"", "", ()
        if choice.example is not None:
            escape = escaped if is_xml(content.media_type) else str
            value = choice.example.value.of(setting, escape)
            return encode(value, content.media_type, content.schema), choice.example.name or "example", ()
        made, remark = self._make(content.schema)
        return encode(made, content.media_type, content.schema), "made from the schema", (remark,) if remark else ()

    def _make(self, schema: Schema) -> tuple[Any, str]:
        """A value for a schema, made once; with a remark when it does not fit."""
        key = id(schema)
        if key not in self._made:
            try:
                self._made[key] = schema, make(schema), ""
            except NoValueError as problem:
                self._made[key] = schema, problem.best, "no value was found that fits the schema: give an example"
        _schema, value, remark = self._made[key]
        return value, remark

    def _no_path(self, path: str) -> Fault:
        shown = self._routes.shown(path)[:_LONGEST_SHOWN]
        close = nearest(shown, self._routes.paths)
        advice = f"did you mean {close}?" if close is not None else f"it has {amount(len(self._routes.paths), 'path')}"
        return Fault(404, "no-path", "The document has no such path", f"nothing is documented at {shown}: {advice}")


def _without_operation(request: Request, found: Found) -> Answer:
    """Answer OPTIONS; refuse any other method that the path has not."""
    headers = (("allow", found.allowed),)
    if request.method == "OPTIONS":
        return Answer(204, None, b"", headers)
    detail = f"this path answers to {found.allowed}, not to {request.method}"
    raise Fault(405, "method-not-allowed", "The method is not documented here", detail, headers=headers)


def _params(request: Request, found: Found) -> dict[str, Any]:
    """What ``request.params`` names: the query, and over it the path."""
    return dict(request.query) | dict(found.values)


def _applied(request: Request) -> str:
    """The preferences that were heeded (RFC 7240, section 3)."""
    wanted = preference(request.headers.get("prefer", ""))
    said = (("code", wanted.code), ("example", wanted.example), ("dynamic", "true" if wanted.is_made else None))
    return ", ".join(f"{name}={value}" for name, value in said if value is not None)


def known_demands(api: Api) -> list[str]:
    """The names that a demand can have: of security schemes, headers, query keys and cookies."""
    schemes = [scheme.name for operation in api.operations for scheme in schemes_of(operation)]
    parameters = [item.name for each in api.operations for item in each.parameters if item.place is not Place.PATH]
    return list(dict.fromkeys([*schemes, *parameters]))
