"""Schemas of an OpenAPI document: checking values against them.

OpenAPI 3.1 schemas are JSON Schema 2020-12. Those of 3.0 are brought into that form once: ``nullable``, and bounds
whose exclusiveness is a flag. What only an answer has (``readOnly``) is not demanded of a request, nor the reverse.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jsonschema_rs import Draft202012Validator, ReferencingError, Registry, ValidationError, meta

from capably.diagnostics import warning
from capably.document import Node, plain
from capably.mock.nodes import Nodes

_DOCUMENT = "urn:openapi"
_LONGEST_TOLD = 200
_FLAGS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}  # OpenAPI 3.0: they are booleans there


class Finding(NamedTuple):
    """Something wrong with a value: where in it (``crewIds/0``, empty for the value itself), and what."""

    where: str
    message: str


class Schema:
    """A schema of a document, in the form of JSON Schema 2020-12. What checks values is made when it is first asked."""

    __slots__ = ("_fault", "_validator", "book", "data")

    def __init__(self, data: Any, book: "Book") -> None:
        """Keep the schema, and the document it may refer to."""
        self.data = data
        self.book = book
        self._validator: Draft202012Validator | None = None
        self._fault: str | None = None

    def findings(self, value: Any) -> list[Finding]:
        """What is wrong with a value; nothing where the schema itself is wrong, which was told at load."""
        validator = self._compiled()
        if validator is None:
            return []
        return [
            Finding("/".join(map(str, item.instance_path)), _told(item.message))
            for item in validator.iter_errors(value)
        ]

    def accepts(self, value: Any) -> bool:
        """Whether a value fits."""
        validator = self._compiled()
        return validator is None or validator.is_valid(value)

    def fault(self) -> str | None:
        """Why the schema is none, or ``None``. What it refers to is only looked at when values are checked."""
        if not _has_references(self.data):
            self._compiled()
        elif self._fault is None:
            try:
                meta.validate(self.data)
            except ValidationError as problem:
                self._fault = _located(problem)
        return self._fault

    @property
    def is_usable(self) -> bool:
        """Whether values can be checked against it, and against all that it refers to."""
        return self._compiled() is not None

    def _compiled(self) -> Draft202012Validator | None:
        if self._validator is None and self._fault is None:
            try:
                self._validator = Draft202012Validator(
                    self.data, registry=self.book.registry, validate_formats=True, offline=True
                )
            except ValidationError as problem:
                self._fault = _located(problem)
            except (ReferencingError, ValueError) as problem:
                self._fault = _told(str(problem))
        return self._validator

    def resolved(self) -> Mapping[str, Any]:
        """The schema with its ``$ref`` followed; keys beside the reference win. ``false`` and cycles give ``{}``."""
        data, seen = self.data, set[str]()
        beside: dict[str, Any] = {}
        while isinstance(data, dict) and isinstance(ref := data.get("$ref"), str) and ref not in seen:
            seen.add(ref)
            beside = {**{key: value for key, value in data.items() if key != "$ref"}, **beside}
            data = self.book.lookup(ref)
        return {**data, **beside} if isinstance(data, dict) else beside

    def child(self, data: Any) -> "Schema":
        """A schema within this one."""
        return Schema(data, self.book)

    @property
    def types(self) -> frozenset[str]:
        """The types it allows, as far as ``type``, ``$ref`` and ``allOf`` say; empty when they do not."""
        if not self.is_usable:
            return frozenset()
        data = self.resolved()
        kind = data.get("type")
        if isinstance(kind, str):
            return frozenset({kind})
        if isinstance(kind, list):
            return frozenset(kind)
        if "properties" in data:
            return frozenset({"object"})
        for part in data.get("allOf") or data.get("oneOf") or data.get("anyOf") or ():
            if part is not self.data and (found := _shallow_types(self.child(part))):
                return found
        return frozenset()


def _shallow_types(schema: Schema) -> frozenset[str]:
    kind = schema.resolved().get("type", ())
    return frozenset({kind} if isinstance(kind, str) else kind)


class Book:
    """All schemas of a document, for one direction."""

    def __init__(self, document: Any, *, is_request: bool) -> None:
        """Bring the schemas into the form of 2020-12."""
        version = str(document.get("openapi", "")) if isinstance(document, dict) else ""
        self._absent = "readOnly" if is_request else "writeOnly"
        self._is_old = version.startswith("3.0")
        self._document = self._modern(document)
        self.registry = Registry([(_DOCUMENT, self._document)])

    def schema(self, data: Any) -> Schema:
        """A schema as the document has it."""
        return Schema(self._modern(data), self)

    def read(self, node: Node | None, nodes: Nodes) -> Schema:
        """The schema at a node. Where there is none, and where it cannot be used (OAS006), anything fits."""
        schema = self.schema(True if node is None else plain(node))
        fault = schema.fault()
        if node is None or fault is None:
            return schema
        nodes.tell(warning("OAS006", f"the schema cannot be used: {fault}", node.span, "any value is taken"))
        return self.schema(True)

    def findings_of(self, pairs: Sequence[tuple[Schema, Any]]) -> list[list[Finding]]:
        """What is wrong with each of many values. All schemas are compiled as one: what they share is compiled once."""
        names = {id(schema): f"{at}" for at, (schema, _value) in enumerate(pairs)}
        together = self.schema(True).child({"properties": {names[id(schema)]: schema.data for schema, _value in pairs}})
        if not together.is_usable:
            return [schema.findings(value) for schema, value in pairs]
        found = [together.findings({names[id(schema)]: value}) for schema, value in pairs]
        return [[Finding(item.where.partition("/")[2], item.message) for item in each] for each in found]

    def lookup(self, ref: str) -> Any:
        """What a reference leads to within the document, ``None`` when there is nothing."""
        node = self._document
        for part in ref.partition("#")[2].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            elif isinstance(node, dict):
                node = node.get(key)
            else:
                return None
        return node

    def _modern(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self._modern(item) for item in data]
        if not isinstance(data, dict):
            return data
        new = {key: self._modern(value) for key, value in data.items()}
        ref = new.get("$ref")
        if isinstance(ref, str) and ref.startswith("#"):
            new["$ref"] = _DOCUMENT + ref
        if self._is_old:
            _without_flags(new)
        self._release(new)
        return new

    def _release(self, data: dict[str, Any]) -> None:
        """Demand nothing of this direction that only the other has."""
        required, properties = data.get("required"), data.get("properties")
        if isinstance(required, list) and isinstance(properties, dict):
            data["required"] = [
                name for name in required if not isinstance(name, str) or not self._is_absent(properties.get(name))
            ]

    def _is_absent(self, data: Any) -> bool:
        return isinstance(data, dict) and data.get(self._absent) is True


def _without_flags(data: dict[str, Any]) -> None:
    """Write the schema keys of OpenAPI 3.0 as 2020-12 does."""
    for flag, bound in _FLAGS.items():
        if isinstance(data.get(flag), bool):
            is_exclusive = data.pop(flag)
            if is_exclusive and bound in data:
                data[flag] = data.pop(bound)
    if data.pop("nullable", None) is True:
        if isinstance(data.get("type"), str):
            data["type"] = [data["type"], "null"]
        if isinstance(data.get("enum"), list) and None not in data["enum"]:
            data["enum"] = [*data["enum"], None]


def _has_references(data: Any) -> bool:
    if isinstance(data, dict):
        return "$ref" in data or any(map(_has_references, data.values()))
    return isinstance(data, list) and any(map(_has_references, data))


def _located(problem: ValidationError) -> str:
    where = "/".join(map(str, problem.instance_path))
    return _told(f"{where}: {problem.message}" if where else problem.message)


def _told(message: str) -> str:
    return message if len(message) <= _LONGEST_TOLD else f"{message[:_LONGEST_TOLD]}..."
