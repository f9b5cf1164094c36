"""An OpenAPI document (3.0 to 3.2) as an :class:`Api`.

What cannot be used is told with its place and left out; the rest is served.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, nearest
from capably.document import Document, Mapping, Node, Scalar, plain
from capably.mock.api import Api, Body, Operation, Parameter, Place, Scheme
from capably.mock.nodes import Nodes, flag
from capably.mock.read_answers import AnswerReader
from capably.mock.schemas import Book

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_ROOT = ("openapi", "info", "jsonSchemaDialect", "servers", "paths", "webhooks", "components", "security", "tags",
         "externalDocs", "$self")  # fmt: skip
_PATH_ITEM = ("$ref", "summary", "description", "servers", "parameters", "additionalOperations", *METHODS)
_OPERATION = ("tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody", "responses",
              "callbacks", "deprecated", "security", "servers")  # fmt: skip
_PARAMETER = ("name", "in", "description", "required", "deprecated", "allowEmptyValue", "style", "explode",
              "allowReserved", "schema", "example", "examples", "content")  # fmt: skip
_VERSION = re.compile(r"3\.[0-2](\.\d+)?(-.+)?")
_STYLES = {Place.PATH: "simple", Place.QUERY: "form", Place.HEADER: "simple", Place.COOKIE: "form"}
_PREFIXES = {"bearer": "Bearer", "basic": "Basic", "digest": "Digest"}
_NOT_PARAMETERS = frozenset({"accept", "content-type", "authorization"})  # OpenAPI 3.1, section 4.8.12.2


def read_api(document: Document) -> tuple[Api | None, list[Diagnostic]]:
    """Read a document.

    Returns:
        The API, ``None`` when the document is no OpenAPI that can be served, and what is wrong with it.
    """
    refused = _refusal(document)
    if refused is not None or not isinstance(document.root, Mapping):
        return None, [refused] if refused is not None else []
    reader = _Reader(document.root)
    return reader.api(), reader.nodes.found


def _refusal(document: Document) -> Diagnostic | None:
    """Why a document cannot be served at all (OAS001, OAS002)."""
    root = document.root
    if not isinstance(root, Mapping):
        where = root.span if root is not None else Span(document.file, 1, 1, 1, 1)
        return error("OAS001", "this is no OpenAPI document: it is no mapping", where, _START)
    version = root.get("openapi")
    if not isinstance(version, Scalar):
        return _other_kind(document.file, root)
    if _VERSION.fullmatch(version.text):
        return None
    message = f"OpenAPI {version.text} is not served"
    return error("OAS002", message, version.span, "write the document as OpenAPI 3.0, 3.1 or 3.2")


def _other_kind(file: str, root: Mapping) -> Diagnostic:
    """What a mapping without a key `openapi` is instead."""
    if "swagger" in root.entries:
        advice = "convert it to OpenAPI 3, for example at https://converter.swagger.io"
        return error("OAS002", "Swagger 2 is not served", root.key_span("swagger"), advice)
    for key in root.entries:
        if key in _CAPABILITY:
            message, advice = "this is a capability document, not an OpenAPI document", f"run it: capably serve {file}"
            return error("OAS001", message, root.key_span(key), advice)
        if nearest(key, ["openapi"]) is not None:
            message = f"this is no OpenAPI document: `{key}` is no key of it"
            return error("OAS001", message, root.key_span(key), "did you mean `openapi`?")
    where = root.key_span(next(iter(root.entries), ""))
    return error("OAS001", "this is no OpenAPI document: it has no key `openapi`", where, _START)


_CAPABILITY = frozenset({"naftiko", "ikanos", "capability"})
_START = "an OpenAPI document starts with `openapi: 3.1.0`, and has `info` and `paths`"


class _Reader:
    def __init__(self, root: Mapping) -> None:
        self.nodes = Nodes(root)
        self.root = root
        document = plain(root)
        self.requests = Book(document, is_request=True)
        self.answers = AnswerReader(self.nodes, Book(document, is_request=False))
        self.schemes: dict[str, Scheme] = {}

    def api(self) -> Api:
        self.nodes.mapping(self.root, "an OpenAPI document", _ROOT)
        self.schemes = dict(self._schemes())
        paths = self.nodes.mapping(self.root.get("paths"), "`paths`")
        operations = [
            operation
            for path, entry in (paths.entries.items() if paths is not None else ())
            if not path.startswith("x-")
            for operation in self._path(path, entry.key_span, entry.value)
        ]
        self.answers.check_examples()
        if not operations and not self.nodes.found:
            message = "the document has no operation to serve"
            self.nodes.tell(error("OAS003", message, self.root.key_span("paths"), "write `paths:` with an operation"))
        info = self.nodes.mapping(self.root.get("info"), "`info`")
        title = info.get("title") if info is not None else None
        name = title.text if isinstance(title, Scalar) else self.root.span.file
        return Api(name, tuple(dict.fromkeys(self._bases())), tuple(operations), tuple(self.schemes.values()))

    def _bases(self) -> Iterator[str]:
        """The paths of the servers, without a last slash; those at the root of a host are left out."""
        for node in self.nodes.items(self.root.get("servers"), "`servers`"):
            server = self.nodes.mapping(node, "a server")
            url = server.get("url") if server is not None else None
            if server is None or not isinstance(url, Scalar):
                continue
            text = url.text
            variables = self.nodes.mapping(server.get("variables"), "`variables`")
            for name, entry in variables.entries.items() if variables is not None else ():
                default = entry.value.get("default") if isinstance(entry.value, Mapping) else None
                text = text.replace(f"{{{name}}}", default.text if isinstance(default, Scalar) else "")
            path = urlsplit(text if "//" in text else "//host/" + text.lstrip("/")).path.rstrip("/")
            if path:
                yield path

    def _schemes(self) -> Iterator[tuple[str, Scheme]]:
        components = self.nodes.mapping(self.root.get("components"), "`components`")
        block = self.nodes.mapping(components.get("securitySchemes"), "`securitySchemes`") if components else None
        for name, entry in block.entries.items() if block is not None else ():
            scheme = self.nodes.mapping(entry.value, "a security scheme")
            kind = self.nodes.text(scheme, "type", f"the security scheme `{name}`") if scheme is not None else None
            if scheme is None or kind is None:
                continue
            if kind == "apiKey":
                key, place = (self.nodes.text(scheme, part, f"the security scheme `{name}`") for part in ("name", "in"))
                if key is not None and place in {"query", "header", "cookie"}:
                    yield name, Scheme(name, Place(place), key)
            elif kind == "http":
                word = self.nodes.text(scheme, "scheme", f"the security scheme `{name}`") or "bearer"
                yield name, Scheme(name, Place.HEADER, "Authorization", _PREFIXES.get(word.lower(), word))
            else:
                key = "Authorization" if kind in {"oauth2", "openIdConnect"} else ""
                yield name, Scheme(name, Place.HEADER, key, "Bearer" if key else "")

    def _path(self, path: str, span: Span, node: Node) -> Iterator[Operation]:
        item = self.nodes.mapping(node, f"the path `{path}`", _PATH_ITEM)
        if item is None:
            return
        if not path.startswith("/"):
            self.nodes.tell(error("OAS003", f"the path `{path}` must start with `/`", span, f"write `/{path}:`"))
            return
        shared = self._parameters(item.get("parameters"))
        for method in METHODS:
            operation = self.nodes.mapping(item.get(method), f"`{method} {path}`", _OPERATION)
            if operation is not None:
                yield self._operation(method.upper(), path, operation, shared)

    def _operation(
        self, method: str, path: str, node: Mapping, shared: dict[tuple[Place, str], tuple[Parameter, Mapping]]
    ) -> Operation:
        parameters = shared | self._parameters(node.get("parameters"))
        asked = self._body(node.get("requestBody"))
        given = [(item.place, item.name, at) for item, at in parameters.values()]
        named = node.get("operationId")
        return Operation(
            name=named.text if isinstance(named, Scalar) else f"{method} {path}",
            method=method,
            path=path,
            parameters=tuple(item for item, _node in parameters.values()),
            body=asked,
            security=self._security(node),
            answers=self.answers.read(node, given, f"`{method.lower()} {path}`"),
            fallback=self.answers.fallback(node),
        )

    def _parameters(self, node: Node | None) -> dict[tuple[Place, str], tuple[Parameter, Mapping]]:
        found = {}
        for item in self.nodes.items(node, "`parameters`"):
            block = self.nodes.mapping(item, "a parameter", _PARAMETER)
            parameter = self._parameter(block) if block is not None else None
            if parameter is not None and block is not None:
                found[parameter.place, parameter.name] = parameter, block
        return found

    def _parameter(self, node: Mapping) -> Parameter | None:
        name = self.nodes.text(node, "name", "a parameter")
        place = self.nodes.text(node, "in", f"the parameter `{name}`") if name is not None else None
        if name is None or place is None:
            return None
        if place not in _STYLES:
            advice = did_you_mean(place, [item.value for item in _STYLES])
            self.nodes.tell(error("OAS003", f"`{place}` is no place of a parameter", node.value_span("in"), *advice))
            return None
        if place == "header" and name.lower() in _NOT_PARAMETERS:
            return None
        at = Place(place)
        content = self.nodes.mapping(node.get("content"), "`content`")
        medium = next(iter(content.entries.values()), None) if content is not None else None
        block = self.nodes.mapping(medium.value, "`content`") if medium is not None else node
        style = node.get("style")
        written = style.text if isinstance(style, Scalar) else _STYLES[at]
        return Parameter(
            name=name,
            place=at,
            required=flag(node, "required") or at is Place.PATH,
            schema=self.requests.read(block.get("schema") if block is not None else None, self.nodes),
            style=written,
            explode=flag(node, "explode", default=written in {"form", "cookie"}),
            is_json=medium is not None and "json" in medium.key,
        )

    def _body(self, node: Node | None) -> Body | None:
        block = self.nodes.mapping(node, "`requestBody`", ("description", "content", "required"))
        content = self.nodes.mapping(block.get("content"), "`content`") if block is not None else None
        if block is None or content is None:
            return None
        media = {key: self.nodes.mapping(entry.value, f"`{key}`") for key, entry in content.entries.items()}
        schemas = {
            key.lower(): self.requests.read(item.get("schema"), self.nodes)
            for key, item in media.items()
            if item is not None
        }
        return Body(flag(block, "required"), schemas)

    def _security(self, node: Mapping) -> tuple[tuple[Scheme, ...], ...]:
        owner = node if "security" in node.entries else self.root
        alternatives = []
        for item in self.nodes.items(owner.get("security"), "`security`"):
            needed = self.nodes.mapping(item, "a security requirement")
            entries = needed.entries.values() if needed is not None else ()
            for entry in entries:
                if entry.key not in self.schemes:
                    message = f"no security scheme is named `{entry.key}`"
                    self.nodes.tell(error("OAS004", message, entry.key_span, *did_you_mean(entry.key, self.schemes)))
            alternatives.append(tuple(self.schemes[entry.key] for entry in entries if entry.key in self.schemes))
        return tuple(alternatives)
