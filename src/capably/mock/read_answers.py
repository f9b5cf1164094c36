"""Documented answers: contents with their examples, and what a request must say for an example to be meant.

Examples of parameters, of the request body and of answers belong together when they have one name, as in Microcks.
A name written as ``/id=42?status=active`` says itself which values it is for.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from capably.diagnostics import warning
from capably.document import Mapping, Node, Scalar, plain
from capably.mock.api import Answering, Condition, Content, Example, Place
from capably.mock.make import NoValueError, make
from capably.mock.nodes import Nodes, flag
from capably.mock.schemas import Book, Schema
from capably.mock.template import Rendered, UnknownHoleError, compiled

Given: TypeAlias = Iterable[tuple[Place, str, Mapping]]
"""The parameters of an operation: where, by what name, and the node that has their examples."""

_RESPONSE = ("summary", "description", "headers", "content", "links")
_MEDIA = ("schema", "itemSchema", "example", "examples", "encoding", "prefixEncoding", "itemEncoding")
_STATUS = re.compile(r"[1-5](\d\d|XX|xx)|default")
_CRITERIA = re.compile(r"(?P<path>(?:/[\w.-]+=[^/?]+)*)(?:\?(?P<query>[^?]+=[^?]*))?")
_FRAMING = frozenset({"content-length", "content-type", "transfer-encoding", "connection", "date", "keep-alive"})


class AnswerReader:
    """Reads the ``responses`` of operations."""

    def __init__(self, nodes: Nodes, book: Book) -> None:
        """Read from these nodes, with the schemas of answers."""
        self.nodes = nodes
        self.book = book
        self._unchecked: list[tuple[Node, Schema, Any]] = []

    def read(self, operation: Mapping, given: Given, what: str) -> tuple[Answering, ...]:
        """The answers of an operation, in the order of the document."""
        conditions = self._conditions(operation, given)
        block = self.nodes.mapping(operation.get("responses"), f"`responses` of {what}")
        answers = []
        for status, entry in block.entries.items() if block is not None else ():
            if status.startswith("x-"):
                continue
            if not _STATUS.fullmatch(status):
                message, advice = f"`{status}` is no status", "write '200', '4XX' or default"
                self.nodes.tell(warning("OAS005", message, entry.key_span, advice))
                continue
            response = self.nodes.mapping(entry.value, f"the answer {status}", _RESPONSE)
            if response is not None:
                headers = tuple(self._headers(response))
                answers.append(Answering(status, headers, tuple(self._contents(response, conditions))))
        return tuple(answers)

    def fallback(self, operation: Mapping) -> str | None:
        """The example that Microcks's FALLBACK dispatcher names for requests that no other example is for."""
        block = operation.get("x-microcks-operation")
        rules = block.get("dispatcherRules") if isinstance(block, Mapping) else None
        if not isinstance(block, Mapping) or not isinstance(rules, Scalar):
            return None
        try:
            data = msgspec.json.decode(rules.text)
        except msgspec.DecodeError:
            return None
        name = data.get("fallback") if isinstance(data, dict) else None
        return name if isinstance(name, str) else None

    def _conditions(self, operation: Mapping, given: Given) -> dict[str, list[Condition]]:
        """What each name of an example says about requests."""
        found: dict[str, list[Condition]] = {}
        for place, parameter, node in given:
            for name, value in self._named(node):
                found.setdefault(name, []).append(Condition(place, parameter, value))
        body = self.nodes.mapping(operation.get("requestBody"), "`requestBody`")
        content = self.nodes.mapping(body.get("content"), "`content`") if body is not None else None
        for entry in content.entries.values() if content is not None else ():
            medium = self.nodes.mapping(entry.value, f"`{entry.key}`")
            for name, value in self._named(medium) if medium is not None else ():
                found.setdefault(name, []).append(Condition(Place.BODY, "", value))
        return found

    def _named(self, owner: Mapping) -> Iterator[tuple[str, Any]]:
        examples = self.nodes.mapping(owner.get("examples"), "`examples`")
        for name, entry in examples.entries.items() if examples is not None else ():
            example = self.nodes.mapping(entry.value, f"the example `{name}`")
            if example is not None and "value" in example.entries:
                yield name, plain(example.entries["value"].value)

    def _headers(self, response: Mapping) -> Iterator[tuple[str, str]]:
        """Headers that have an example, or that must be there."""
        block = self.nodes.mapping(response.get("headers"), "`headers`")
        for name, entry in block.entries.items() if block is not None else ():
            header = self.nodes.mapping(entry.value, f"the header `{name}`")
            if header is None or name.lower() in _FRAMING:
                continue
            stated = [value for _name, value in self._named(header)]
            schema = self.book.read(header.get("schema"), self.nodes)
            if (node := header.get("example")) is not None:
                stated.insert(0, plain(node))
            elif not stated and (flag(header, "required") or {"example", "default"} & schema.resolved().keys()):
                stated = [_made(schema)]
            if stated:
                yield name.lower(), _header_text(stated[0])

    def _contents(self, response: Mapping, conditions: dict[str, list[Condition]]) -> Iterator[Content]:
        block = self.nodes.mapping(response.get("content"), "`content`")
        for media_type, entry in block.entries.items() if block is not None else ():
            medium = self.nodes.mapping(entry.value, f"`{media_type}`", _MEDIA)
            if medium is None:
                continue
            schema = self.book.read(medium.get("schema"), self.nodes)
            is_json = "json" in media_type
            yield Content(media_type, tuple(self._examples(medium, schema, conditions, is_json=is_json)), schema)

    def _examples(
        self, medium: Mapping, schema: Schema, conditions: dict[str, list[Condition]], *, is_json: bool
    ) -> Iterator[Example]:
        single = medium.get("example")
        if single is not None:
            yield Example("", self._value(single, schema, is_json=is_json))
        named = self.nodes.mapping(medium.get("examples"), "`examples`")
        for name, entry in named.entries.items() if named is not None else ():
            example = self.nodes.mapping(entry.value, f"the example `{name}`")
            if example is None:
                continue
            value = next(
                (node for key in ("value", "dataValue", "serializedValue") if (node := example.get(key))), None
            )
            if value is None:
                message = f"the example `{name}` has no `value`"
                self.nodes.tell(warning("OAS007", message, entry.key_span, "files of `externalValue` are not read"))
                continue
            said = conditions.get(name) or list(_criteria(name))
            yield Example(name, self._value(value, schema, is_json=is_json), tuple(said))

    def _value(self, node: Node, schema: Schema, *, is_json: bool) -> Rendered:
        value = plain(node)
        if (
            is_json
            and isinstance(value, str)
            and value[:1] in {"{", "["}
            and "string" not in (schema.types or {"object"})
        ):
            value = _parsed(value)
        try:
            prepared = compiled(value)
        except UnknownHoleError as problem:
            message = f"`{{{{{problem}}}}}` is no expression that is known here"
            self.nodes.tell(warning("OAS008", message, node.span, "the example is told as it is written"))
            return Rendered(value)
        if is_json and not prepared.has_holes:
            self._unchecked.append((node, schema, value))
        return prepared

    def check_examples(self) -> None:
        """Tell which of the examples that were read do not fit their schemas (OAS007)."""
        found = self.book.findings_of([(schema, value) for _node, schema, value in self._unchecked])
        for (node, _schema, _value), wrong in zip(self._unchecked, found, strict=True):
            if wrong:
                where = f"`{wrong[0].where}`: " if wrong[0].where else ""
                message = f"the example does not fit its schema: {where}{wrong[0].message}"
                self.nodes.tell(warning("OAS007", message, node.span, "it is told all the same"))


def _criteria(name: str) -> Iterator[Condition]:
    match = _CRITERIA.fullmatch(name)
    if match is None:
        return
    for part in (match["path"] or "").split("/")[1:]:
        key, _equals, value = part.partition("=")
        yield Condition(Place.PATH, key, value)
    for key, value in parse_qsl(match["query"] or "", keep_blank_values=True):
        yield Condition(Place.QUERY, key, value)


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _made(schema: Schema) -> Any:
    try:
        return make(schema)
    except NoValueError:
        return ""


def _header_text(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return " ".join(text.split())
