"""Checks of values against a JSON Schema (2020-12), with what is wrong told in one sentence each.

A ``format`` of the standard is asserted (JSON Schema Validation, section 7.2.2), any other is an annotation (decision
0020); references lead nowhere outside of the schema. Patterns cannot be made to run long: the engine gives up instead.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

_MOST_FLAWS = 20  # a caller can be wrong in any number of places
_MOST_CHARACTERS = 200  # of a message that quotes a caller's value

_WORDS: Final = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a value: where in it, and what was expected there."""

    path: tuple[str | int, ...]
    message: str


class SchemaCheck:
    """A schema, compiled when it is first used."""

    __slots__ = ("_schema", "_validator")

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Keep the schema."""
        self._schema = schema
        self._validator: Draft202012Validator | None = None

    def fault(self) -> str | None:
        """Why the schema itself cannot be used, ``None`` when it can."""
        import jsonschema_rs  # noqa: PLC0415 -- only documents that say more than types need it

        try:
            self._compiled()
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as problem:
            return str(problem).partition("\n")[0]
        return None

    def flaws(self, value: Any, name: str = "") -> list[Flaw]:
        """What is wrong with a value, which is called ``name``; nothing when it is as the schema says."""
        validator = self._compiled()
        if validator.is_valid(value):
            return []
        errors = list(islice(validator.iter_errors(value), _MOST_FLAWS))
        mistyped = {tuple(error.instance_path) for error in errors if error.kind.name == "type"}
        flaws = (
            Flaw(path, message)
            for error in errors
            if error.kind.name == "type" or tuple(error.instance_path) not in mistyped
            for path, message in _told(error, name)
        )
        return sorted(flaws, key=lambda flaw: ([str(part) for part in flaw.path], flaw.message))

    def _compiled(self) -> "Draft202012Validator":
        if self._validator is None:
            from jsonschema_rs import Draft202012Validator, EmailOptions  # noqa: PLC0415 -- see above

            address = EmailOptions(allow_display_text=False)
            self._validator = Draft202012Validator(
                dict(self._schema), validate_formats=True, email_options=address, offline=True
            )
        return self._validator


_SIMPLE: Final = frozenset(
    {"type", "enum", "title", "description", "default", "examples", "format", "items", "x-mcp-header"}
)
"""Keywords that need no compiling: types and choices among texts are looked at directly, ``items`` and ``format`` when
they say nothing. Other choices are compiled: to Python ``True`` is 1, to JSON it is not."""

_FORMATS: Final[Mapping[str, str]] = {
    "date": "a date such as 2026-01-31",
    "date-time": "a date and time with its offset such as 2026-01-31T08:30:00Z",
    "time": "a time with its offset such as 08:30:00Z",
    "duration": "a duration such as P1DT12H",
    "email": "an email address",
    "idn-email": "an email address",
    "hostname": "a host name",
    "idn-hostname": "a host name",
    "ipv4": "an IPv4 address such as 192.0.2.1",
    "ipv6": "an IPv6 address such as 2001:db8::1",
    "uri": "a URI with its scheme, such as https://example.com/a",
    "uri-reference": "a URI, or a path that leads to one",
    "iri": "an IRI with its scheme, such as https://example.com/a",
    "iri-reference": "an IRI, or a path that leads to one",
    "uri-template": "a URI template (RFC 6570)",
    "uuid": "a UUID such as 123e4567-e89b-12d3-a456-426614174000",
    "json-pointer": "a JSON pointer such as /a/0",
    "relative-json-pointer": "a relative JSON pointer such as 1/a",
    "regex": "a regular expression (ECMA-262)",
}
"""The formats of the standard (JSON Schema Validation 2020-12, section 7.3), in words."""


def check_of(schema: Mapping[str, Any]) -> SchemaCheck | None:
    """The check of a schema that says more than a type and choices among texts."""
    says_more = not _SIMPLE.issuperset(schema) or schema.get("items") or schema.get("format") in _FORMATS
    has_texts = all(isinstance(choice, str) for choice in schema.get("enum") or ())
    return SchemaCheck(schema) if says_more or not has_texts else None


def _told(error: "ValidationError", name: str) -> Iterator[tuple[tuple[str | int, ...], str]]:
    path = tuple(error.instance_path)
    kind = error.kind.name
    detail = error.kind.as_dict()
    if kind == "additionalProperties":
        for stray in islice(detail["unexpected"], 5):
            yield (*path, stray), f"{_place((*path, stray[:40]), name)} is not known: leave it out"
        return
    if kind == "required":
        path = (*path, detail["property"])
        yield path, f"{_place(path, name)} is required"
        return
    context = detail.get("context")
    if kind in {"anyOf", "oneOf"} and context:
        ways = (" and ".join(message for error in way for _path, message in _told(error, name)) for way in context[:5])
        yield path, f"{_place(path, name)} fits none of what is allowed: {', or '.join(ways)}"
        return
    expected = _EXPECTED.get(kind)
    if expected is None:
        yield path, f"{_place(path, name)} is not valid: {error.message[:_MOST_CHARACTERS]}"
    else:
        yield path, f"{_place(path, name)} must {expected(detail)}, not {shown(error.instance)}"


def _place(path: Iterable[str | int], name: str) -> str:
    """``order.lines[0].id``, in backquotes."""
    text = name
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return f"`{text}`" if text else "the value"


def _one_of(choices: Iterable[Any]) -> str:
    return "be one of " + ", ".join(f"`{choice}`" for choice in choices)


_EXPECTED: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "type": lambda detail: "be " + " or ".join(_WORDS[kind] for kind in detail["types"]),
    "enum": lambda detail: _one_of(detail["options"]),
    "const": lambda detail: f"be `{detail['expected_value']}`",
    "pattern": lambda detail: f"match `{detail['pattern']}`",
    "format": lambda detail: f"be {_FORMATS.get(detail['format'], detail['format'])}",
    "minimum": lambda detail: f"be {detail['limit']} or more",
    "maximum": lambda detail: f"be {detail['limit']} or less",
    "exclusiveMinimum": lambda detail: f"be more than {detail['limit']}",
    "exclusiveMaximum": lambda detail: f"be less than {detail['limit']}",
    "multipleOf": lambda detail: f"be a multiple of {detail['multiple_of']}",
    "minLength": lambda detail: f"have at least {detail['limit']} characters",
    "maxLength": lambda detail: f"have at most {detail['limit']} characters",
    "minItems": lambda detail: f"have at least {detail['limit']} elements",
    "maxItems": lambda detail: f"have at most {detail['limit']} elements",
}
"""What is expected, by keyword, to stand after "must"."""


def shown(value: Any) -> str:
    """A caller's value as a message quotes it: not longer than a line."""
    if isinstance(value, str):
        return f"the string `{value[:40]}`" + ("…" if len(value) > 40 else "")  # noqa: PLR2004 -- enough to recognise
    if value is None:
        return "null"
    names = {bool: str(value).lower(), dict: "an object", list: "a list"}
    return names.get(type(value), str(value))


def word_for(kind: str) -> str:
    """A JSON type in words."""
    return _WORDS.get(kind, "a value")
