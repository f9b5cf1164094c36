"""A consumed operation and the values bound to it become a request template."""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from capably.diagnostics import Diagnostic, Span, error
from capably.expr.names import find_name
from capably.expr.source import Constant, Fields, Source
from capably.expr.template import Hole, cut
from capably.plan.binding import Binder
from capably.plan.bodies import compile_body
from capably.plan.operation import Location
from capably.plan.target import Candidate, TargetParameter
from capably.plan.variables import Variables
from capably.upstream.auth import Credentials
from capably.upstream.bodies import WITH_FIELDS
from capably.upstream.request import BodyKind, BodyTemplate, Pairs, PathValue, RequestTemplate

_PATH_SAFE = "/:?#[]@!$&'()*+,;=%~-._<>"  # what may stand unescaped in the text an author wrote
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.3.1: content has no meaning there
_TWO_SCHEMES = re.compile(r"^https?://(?=https?://)")


@dataclass(frozen=True, slots=True)
class Base:
    """Where an API is: the text of its base URI with variables filled in, and the holes only calls can fill."""

    pieces: tuple[str | Hole, ...]
    span: Span

    @property
    def shown(self) -> str:
        """The base URI for people; holes as they are written."""
        return "".join(piece if isinstance(piece, str) else f"{{{piece.name}}}" for piece in self.pieces)


def compile_base(candidate: Candidate, variables: Variables, binder: Binder, found: list[Diagnostic]) -> Base:
    """Fill the variables of a base URI; a hole that a parameter or ``with`` explains is left for the call."""
    entry = candidate.consumes
    span = entry.value_span("baseUri")
    given = variables.base_uri(entry.namespace, "" if entry.needs_tunnel else entry.base_uri.strip(), span)
    parameters = [*(item.name for item in candidate.parameters), *binder.binding.values]
    pieces: list[str | Hole] = []
    for piece in cut(given if given is not None else entry.base_uri.strip(), single=True):
        if isinstance(piece, str) or (find_name(piece.name, parameters).names and not variables.binds(piece.name)):
            pieces.append(piece)
        else:
            pieces.append(variables.use(piece.name, span))
    return Base(_joined(pieces, span, found), span)


def _joined(pieces: list[str | Hole], span: Span, found: list[Diagnostic]) -> tuple[str | Hole, ...]:
    merged: list[str | Hole] = []
    for piece in pieces:
        if merged and isinstance(piece, str) and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    if not merged or not isinstance(merged[0], str):
        merged.insert(0, "")
    start = _TWO_SCHEMES.sub("", str(merged[0]))  # `http://{{host}}` and a host given with its own scheme
    if "://" not in start and "<" not in start:
        start = f"https://{start.lstrip('/')}"  # a base URI without scheme
    merged[0] = start
    if isinstance(merged[-1], str):
        merged[-1] = merged[-1].rstrip("/")
    if len(merged) == 1 and (problem := base_uri_problem(str(merged[0]))) is not None:
        found.append(error("VAR002", f"the base URI is {problem}", span, "it must look like https://host:port/path"))
    return tuple(merged)


def base_uri_problem(text: str) -> str | None:
    """What is wrong with a base URI, ``None`` when it can be used."""
    if "<" in text:
        return None  # a stand-in: the value is not known here
    if any(character.isspace() or not character.isprintable() for character in text):
        return "not a URL: it contains white space"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "not a URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return "not an http or https URL with a host"
    if parts.username is not None or parts.fragment:
        return "a URL with credentials or a fragment"
    return None


def compile_request(
    candidate: Candidate, base: Base, binder: Binder, credentials: Credentials, found: list[Diagnostic]
) -> RequestTemplate:
    """The request of one exposed operation."""
    fixed = _fixed(candidate, binder)
    values = {item.name: _value(item, binder, fixed) for item in candidate.parameters}
    by_place = {place: _pairs(candidate, place, values) for place in ("query", "header", "cookie")}
    path = _path(candidate, base, binder)
    layouts = {(item.location, item.name): item.layout for item in candidate.parameters if item.layout is not None}
    headers = _without(by_place["header"], credentials.headers) + _constants(credentials.headers)
    body, query = _body(candidate, binder, values, found), credentials.query
    if credentials.body and body is None and candidate.operation.method in _WITHOUT_BODY:
        query += credentials.body
    elif credentials.body:
        body = _with_secrets(candidate, body, credentials.body, found)
    return RequestTemplate(
        method=candidate.operation.method,
        base=path[0] if path and isinstance(path[0], str) else "",
        path=path[1:] if path and isinstance(path[0], str) else path,
        query=_without(by_place["query"], query) + _constants(query),
        headers=headers,
        cookies=by_place["cookie"] + _constants(credentials.cookies),
        body=body,
        layouts=layouts,
    )


def _with_secrets(
    candidate: Candidate, body: BodyTemplate | None, added: tuple[tuple[str, str], ...], found: list[Diagnostic]
) -> BodyTemplate | None:
    """The body with an API key as one more field."""
    if body is None:
        return BodyTemplate(BodyKind.JSON, Fields(()), added)
    if body.kind in WITH_FIELDS:
        return replace(body, added=added)
    message = f"the API key cannot be placed in a body of type {body.kind.name.lower()}"
    span = candidate.operation.value_span("body")
    found.append(error("AUT003", message, span, "it can be a field of a json, yaml or form body"))
    return body


def _constants(pairs: tuple[tuple[str, str], ...]) -> Pairs:
    return tuple((name, Constant(value)) for name, value in pairs)


def _without(pairs: Pairs, overriding: tuple[tuple[str, str], ...]) -> Pairs:
    names = {name.lower() for name, _value in overriding}
    return tuple(pair for pair in pairs if pair[0].lower() not in names)


def _fixed(candidate: Candidate, binder: Binder) -> dict[str, Source]:
    """Values that the consumed side states for its parameters."""
    return {item.name: binder.stated(item) for item in candidate.parameters if item.fixed is not None}


def _value(parameter: TargetParameter, binder: Binder, fixed: dict[str, Source]) -> Source | None:
    bound = binder.parameter(parameter.name)
    if bound is not None:
        return bound
    if parameter.name in fixed:
        return fixed[parameter.name]
    return Constant(parameter.schema["default"]) if "default" in parameter.schema else None


def _pairs(candidate: Candidate, place: str, values: dict[str, Source | None]) -> Pairs:
    named = ((item.name, values[item.name]) for item in candidate.parameters if item.location == place)
    return tuple((name, source) for name, source in named if source is not None)


def _path(candidate: Candidate, base: Base, binder: Binder) -> tuple[str | PathValue, ...]:
    span = candidate.resource.value_span("path")
    path = candidate.path.partition("#")[0]
    if path and path[0] not in "/?":
        path = f"/{path}"
    parts: list[str | PathValue] = []
    before, after = _parted(base.pieces)
    joint = ("&" if "?" in path else "?",) if after else ()
    for piece in (*before, *cut(path, single=True), *joint, *after):
        if isinstance(piece, str):
            part: str | PathValue = piece if piece in before else quote(piece, safe=_PATH_SAFE)
        else:
            part = _path_part(piece, candidate, binder, span)
        if parts and isinstance(part, str) and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    return tuple(parts)


def _parted(pieces: tuple[str | Hole, ...]) -> tuple[tuple[str | Hole, ...], tuple[str | Hole, ...]]:
    """A base URI before and after its question mark: paths are joined to the one, queries to the other."""
    for at, piece in enumerate(pieces):
        if isinstance(piece, str) and "?" in piece:
            start, _, query = piece.partition("?")
            rest = tuple(item for item in (query, *pieces[at + 1 :]) if item)
            return (*pieces[:at], start.rstrip("/")), rest
    return pieces, ()


def _path_part(hole: Hole, candidate: Candidate, binder: Binder, span: Span) -> str | PathValue:
    source = binder.hole(hole, span)
    if isinstance(source, Constant) and isinstance(source.value, str):
        return quote(source.value, safe="<>")
    layouts = {item.name: item.layout for item in candidate.parameters if item.location == Location.PATH}
    return PathValue(hole.name, source, layouts.get(find_name(hole.name, layouts).one or ""))


def _body(
    candidate: Candidate, binder: Binder, values: dict[str, Source | None], found: list[Diagnostic]
) -> BodyTemplate | None:
    declared = candidate.operation.body
    if declared is not None:
        return compile_body(declared, lambda text, node: binder.text(text, node.span), found)
    parts = [item for item in candidate.parameters if item.location == Location.BODY]
    if len(parts) == 1 and is_whole_body(parts[0]):
        source = values[parts[0].name]
        return BodyTemplate(BodyKind.JSON, source, follows_header=True) if source is not None else None
    fields = tuple((item.name, source) for item in parts if (source := values[item.name]) is not None)
    return BodyTemplate(BodyKind.JSON, Fields(fields), follows_header=True) if fields else None


def is_whole_body(parameter: TargetParameter) -> bool:
    """Whether an only ``in: body`` parameter is the entire JSON body instead of one field of it."""
    return parameter.type == "object" or parameter.name.lower() == "body"
