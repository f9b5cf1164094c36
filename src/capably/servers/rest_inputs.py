"""Where the inputs of one operation are found in a request, decided once, and how they are read.

What a request has that the operation does not know is left aside and told in `capably-ignored`; a caller who prefers
strict handling (RFC 7240, section 4.4) has it refused.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

import msgspec

from capably.diagnostics import did_you_mean
from capably.plan.inputs import accept, invalid_inputs, read_text
from capably.plan.operation import Input, Inputs, Location, Operation, Route
from capably.plan.outcome import Fault, Headers, Problem
from capably.servers.forms import MULTIPART, URLENCODED, FormError, read_form
from capably.servers.http import text_of
from capably.servers.rest_answer import Sent

IGNORED: Final = "capably-ignored"
_MOST_TOLD: Final = 10
_LONGEST_TOLD: Final = 60
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # may be ignored: RFC 8259, section 8.1


class Reading(msgspec.Struct, frozen=True):
    """Accepted inputs, and the headers that tell what else was sent."""

    inputs: Inputs
    headers: Headers = ()


class InputReader:
    """Reads the inputs of one operation."""

    def __init__(self, operation: Operation, asked: Iterable[str] = ()) -> None:
        """Decide where each input is found.

        Args:
            operation: whose inputs they are.
            asked: names of query parameters that are meant for the server itself.
        """
        self._operation = operation
        inputs = operation.inputs
        places = _placeholders(operation.route) if operation.route is not None else []
        at_path = _at(inputs, Location.PATH)
        self._path = [
            (item.name, place) for place, name in enumerate(places) for item in at_path if item.wire_name == name
        ]
        self._query = _at(inputs, Location.QUERY)
        self._known = {item.wire_name for item in self._query} | set(asked)
        self._headers = tuple((item.name, item.wire_name.lower().encode()) for item in _at(inputs, Location.HEADER))
        self._cookies = _at(inputs, Location.COOKIE)
        body = _at(inputs, Location.BODY)
        self._reads_body = bool(body)
        self._whole = tuple(item for item in body if item.whole_body)
        self._fields = tuple(item for item in body if not item.whole_body)

    def read(self, places: tuple[str, ...], query: bytes, sent: Sent, body: bytes) -> Reading:
        """The inputs of a request.

        Args:
            places: what stands for the placeholders of the path, in order.
            query: the query as it came.
            sent: the headers.
            body: the whole body.

        Raises:
            Fault: status 400, with every input that is missing or not what it should be; status 415, the body is
                written in a way that is not read here.
        """
        given: dict[str, Any] = {name: places[place] for name, place in self._path}
        strays: list[str] = []
        if query:
            self._take_query(query, given, strays)
        for name, wire_name in self._headers:
            if wire_name in sent:
                given[name] = text_of(sent[wire_name])
        if self._cookies and b"cookie" in sent:
            cookies = _cookies(text_of(sent[b"cookie"]))
            given |= {item.name: cookies[item.wire_name] for item in self._cookies if item.wire_name in cookies}
        if body and self._reads_body:
            self._take_body(body, sent, given, strays)
        if strays and _is_strict(sent):
            raise self._unknown(strays)
        accepted = accept(self._operation, given, from_text=True)
        return Reading(accepted, ((IGNORED, _told(strays)),)) if strays else Reading(accepted)

    def _take_query(self, query: bytes, given: dict[str, Any], strays: list[str]) -> None:
        values: dict[str, list[str]] = {}
        for name, value in _pairs(query):
            values.setdefault(name, []).append(value)
        for item in self._query:
            if item.wire_name in values:
                given[item.name] = _one(item, values[item.wire_name])
        strays += [f"query.{name}" for name in values if name not in self._known]

    def _take_body(self, body: bytes, sent: Sent, given: dict[str, Any], strays: list[str]) -> None:
        coding = sent.get(b"content-encoding", b"identity").strip().lower()
        if coding != b"identity":
            raise _coded(coding.decode("latin-1"))
        content_type = sent.get(b"content-type", b"").decode("latin-1")
        kind = content_type.partition(";")[0].strip().lower()
        is_form = bool(self._fields) and kind in {URLENCODED, MULTIPART}
        value = _form(body, content_type) if is_form else _decoded(body, content_type)
        if is_form:
            by_name = {item.wire_name: item for item in self._fields}
            value = {name: _of_form(by_name.get(name), found) for name, found in value.items()}
        given |= {item.name: value for item in self._whole}
        if not self._fields:
            return
        if not isinstance(value, dict):
            names = ", ".join(f"`{item.wire_name}`" for item in self._fields)
            raise invalid_inputs([Problem("body", "body", f"the body must be a JSON object with {names}")])
        given |= {item.name: value[item.wire_name] for item in self._fields if item.wire_name in value}
        if not self._whole:
            known = {item.wire_name for item in self._fields}
            strays += [f"body.{name}" for name in value if name not in known]

    def _unknown(self, strays: list[str]) -> Fault:
        problems = []
        for stray in strays[:_MOST_TOLD]:
            place, _dot, name = stray.partition(".")
            items = self._query if place == "query" else self._fields
            known = [item.wire_name for item in items]
            advice = next(iter(did_you_mean(name[:_LONGEST_TOLD], known)), f"this operation takes none in its {place}")
            message = f"there is no input `{name[:_LONGEST_TOLD]}`: {advice}"
            problems.append(Problem(name[:_LONGEST_TOLD], place, message))
        return invalid_inputs(problems)


def _at(inputs: Iterable[Input], location: Location) -> tuple[Input, ...]:
    return tuple(item for item in inputs if item.location is location)


def _placeholders(route: Route) -> list[str]:
    return [name for segment in route.segments if not isinstance(segment, str) for name in segment[1::2]]


def _one(item: Input, values: list[str]) -> str | list[str]:
    """The only or the last value of a repeated parameter; an array takes them all."""
    return values if item.type == "array" else values[-1]


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """Names and values of a query. What is no text is refused: to replace it would ask for something else."""
    try:
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        detail = "percent-encode the UTF-8 bytes of each name and value"
        raise Fault(400, "malformed-query", "The query is not UTF-8", detail) from None


def _cookies(text: str) -> Mapping[str, str]:
    """Cookies by name, the first of a name (RFC 6265, section 5.4: the most specific one); odd ones harm no other."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(name.strip(), _unquoted(value.strip()))
    return found


def _unquoted(value: str) -> str:
    """The value of a cookie without its quotes and percent-encoding (OpenAPI 3.1.1, section 4.8.12: style form)."""
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1]
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value


def _is_strict(sent: Sent) -> bool:
    preferred = sent.get(b"prefer", b"").decode("latin-1").lower()
    return any(each.strip().replace(" ", "") == "handling=strict" for each in preferred.split(","))


def _told(strays: list[str]) -> str:
    names = [quote(stray[:_LONGEST_TOLD], safe=".[]$-") for stray in strays[:_MOST_TOLD]]
    return ", ".join(names) + (", ..." if len(strays) > _MOST_TOLD else "")


def _form(body: bytes, content_type: str) -> dict[str, list[str]]:
    try:
        return read_form(body, content_type)
    except FormError as problem:
        detail = f"the form cannot be read: {problem}"
        raise Fault(400, "malformed-body", "The request body cannot be read", detail) from None


def _of_form(item: Input | None, values: list[str]) -> Any:
    """The value of a field of a form in the type it is declared to have; a ticked box without a value is `on`."""
    if item is None:
        return values[-1] if len(values) == 1 else values
    if item.type == "boolean" and values[-1] == "on":
        return True
    if item.type == "object":
        try:
            return msgspec.json.decode(values[-1])
        except (msgspec.DecodeError, RecursionError):
            return values[-1]
    return read_text(_one(item, values), item.type, item.schema)


def _coded(coding: str) -> Fault:
    """Why a body is not read that the caller has compressed (RFC 9110, section 15.5.16)."""
    detail = f"send the body as it is, without `Content-Encoding: {coding[:_LONGEST_TOLD]}`"
    headers = (("accept-encoding", "identity"),)
    return Fault(415, "unsupported-media-type", "The request body must not be compressed", detail, headers=headers)


def _decoded(body: bytes, content_type: str) -> Any:
    try:
        return msgspec.json.decode(body.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        if content_type and "json" not in content_type.lower():
            detail = f"send `Content-Type: application/json` and JSON, not {content_type}"
            raise Fault(415, "unsupported-media-type", "The request body must be JSON", detail) from None
        detail = f"the body is not valid JSON: {problem}"
        raise Fault(400, "malformed-body", "The request body cannot be read", detail) from None
