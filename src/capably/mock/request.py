"""A request, and the values of its parameters as their schemas understand them."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from capably.mock.api import Parameter, Place
from capably.mock.schemas import Schema

_SEPARATORS = {"spaceDelimited": " ", "pipeDelimited": "|"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: ``path`` still encoded, ``query`` decoded pairs, header names in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies; none where the header cannot be read."""
        try:
            cookies = SimpleCookie(self.headers.get("cookie", ""))
        except CookieError:
            return {}
        return {name: morsel.value for name, morsel in cookies.items()}

    @property
    def media_type(self) -> str:
        """The media type of the body in lower case, without parameters; empty when it is not said."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class UnreadableBodyError(ValueError):
    """A body that is not what its media type says."""


def read_value(request: Request) -> Any:
    """The body as a value: of JSON, the fields of a form, or text; ``None`` when it is empty or bytes.

    Raises:
        UnreadableBodyError: it is not the JSON or the text that it says to be.
    """
    if not request.body:
        return None
    if request.media_type == "application/x-www-form-urlencoded":
        return _grouped(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
    if is_json(request.media_type) or not request.media_type:
        try:
            return msgspec.json.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            if not request.media_type:
                return request.body.decode("utf-8", "replace")
            raise UnreadableBodyError(f"the body is not valid JSON: {problem}") from None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON (RFC 6839, section 3.1)."""
    return media_type.endswith(("/json", "+json"))


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Pairs as an object; a name that comes twice has a list."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


ABSENT = object()
"""The value of a parameter that a request does not have."""


def parameter_value(parameter: Parameter, request: Request, path: Mapping[str, str]) -> Any:
    """The value of a parameter, :data:`ABSENT` when there is none; text where it does not read as its type."""
    name = parameter.name
    if parameter.place is Place.QUERY:
        return _query_value(parameter, request)
    if parameter.place is Place.PATH:
        text = path.get(name)
    elif parameter.place is Place.HEADER:
        text = request.headers.get(name.lower())
    else:
        text = request.cookies.get(name)
    if text is None:
        return ABSENT
    text = _without_prefix(parameter, text)
    return _from_text(parameter, text, _separator(parameter))


def _separator(parameter: Parameter) -> str:
    if parameter.style == "label" and parameter.explode:
        return "."
    return f";{parameter.name}=" if parameter.style == "matrix" and parameter.explode else ","


def _without_prefix(parameter: Parameter, text: str) -> str:
    """The text without what the styles ``label`` and ``matrix`` begin a segment with (RFC 6570)."""
    prefix = {"label": ".", "matrix": f";{parameter.name}="}.get(parameter.style, "")
    return text.removeprefix(prefix)


def _query_value(parameter: Parameter, request: Request) -> Any:
    types = parameter.schema.types
    if "object" in types and parameter.style == "deepObject":
        start = parameter.name + "["
        pairs = [
            (key[len(start) : -1], value) for key, value in request.query if key.startswith(start) and key[-1] == "]"
        ]
        return _fields(parameter.schema, _grouped(pairs)) if pairs else ABSENT
    if "object" in types and parameter.explode and not parameter.is_json:
        known = parameter.schema.resolved().get("properties", {})
        pairs = [(key, value) for key, value in request.query if key in known]
        return _fields(parameter.schema, _grouped(pairs)) if pairs else ABSENT
    values = [value for key, value in request.query if key == parameter.name]
    if not values:
        return ABSENT
    if "array" in types and parameter.explode:
        item = _item(parameter.schema)
        return [coerced(value, item) for value in values]
    return _from_text(parameter, values[-1], _SEPARATORS.get(parameter.style, ","))


def _from_text(parameter: Parameter, text: str, separator: str) -> Any:
    if parameter.is_json:
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
    types = parameter.schema.types
    if "array" in types:
        item = _item(parameter.schema)
        return [coerced(unquote(part), item) for part in text.split(separator)] if text else []
    if "object" in types:
        parts = text.split(separator)
        if parameter.explode:
            pairs = {name: value for name, _equals, value in (part.partition("=") for part in parts)}
        else:
            pairs = dict(zip(parts[::2], parts[1::2], strict=False))
        return _fields(parameter.schema, pairs)
    return coerced(text, parameter.schema)


def _item(schema: Schema) -> Schema:
    return schema.child(schema.resolved().get("items", {}))


def _fields(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.resolved().get("properties", {})
    return {name: coerced(value, schema.child(properties.get(name, {}))) for name, value in values.items()}


def form_value(value: Any, schema: Schema) -> Any:
    """The fields of a form, each in the type that its schema says."""
    return _fields(schema, value) if isinstance(value, dict) else value


def coerced(text: Any, schema: Schema) -> Any:
    """A text as the number, truth or null that a schema wants, when it is written as one; else as it is."""
    types = schema.types
    if isinstance(text, list) or "array" in types:
        item = _item(schema)
        return [coerced(part, item) for part in (text if isinstance(text, list) else [text])]
    if not isinstance(text, str) or "string" in types or not types & {"integer", "number", "boolean", "null"}:
        return text
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return text if isinstance(value, (str, list, dict)) else value
