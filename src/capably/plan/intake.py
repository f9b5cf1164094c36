"""What callers of one operation give: its inputs, collected while its calls are compiled.

Inputs come from declarations, from route placeholders, and from being referred to (docs/names.md, "Inputs").
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, nearest, warning
from capably.document import Node, Scalar, plain
from capably.expr.names import Match, find_name, fold
from capably.expr.reference import GENERIC_SCOPES, strip_scope
from capably.expr.source import Constant, FromInput, Source, Text
from capably.expr.template import Hole, cut
from capably.model.exposes import Exposed, Exposes
from capably.model.values import Parameter
from capably.plan.operation import Input, Kind, Location, Origin
from capably.plan.parameter_schema import schema_of
from capably.plan.target import ENVIRONMENT, TargetParameter
from capably.plan.variables import Variables

_PARTS_OF_A_REQUEST = {
    "path": "path",
    "query": "query",
    "header": "header",
    "headers": "header",
    "cookie": "cookie",
    "body": "body",
}
_WHOLE_BODY = "body"


@dataclass(frozen=True, slots=True)
class Front:
    """The exposed side of one operation: what its server, resource and route say of its inputs."""

    kind: Kind
    namespace: str
    exposed: Exposed
    parameters: tuple[Parameter, ...]
    placeholders: tuple[str, ...]
    span: Span
    once: str | None = None
    server: Exposes | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The server's names, which mean its callers' inputs: its own, and the one it has in the file it stands in."""
        return (self.namespace,) if self.once is None else (self.namespace, self.once)

    @property
    def scope(self) -> str:
        """The generic name of the scope its inputs are in."""
        return "tools" if self.kind is Kind.MCP else "rest"


class Intake:
    """Collects the inputs of one operation.

    ``fixed`` are names that look like inputs and have a source of their own: declared with a value, or bound by what
    refers to a flow.
    """

    def __init__(
        self,
        front: Front,
        variables: Variables,
        found: list[Diagnostic],
        targets: Iterable[TargetParameter] = (),
    ) -> None:
        """Start with the inputs that the exposed side states; ``targets`` tell the types it leaves out."""
        self.front = front
        self.fixed: dict[str, Source] = {}
        self._variables = variables
        self._found = found
        self._types = {item.name: item.type for item in targets}
        self._inputs: dict[str, Input] = {}
        self._referred: set[str] = set()
        for parameter in front.parameters:
            self._declare(parameter)
        for placeholder in front.placeholders:
            self._place(placeholder)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What has been collected."""
        return tuple(self._inputs.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are known."""
        return (*self.fixed, *self._inputs)

    def find(self, name: str) -> Source | None:
        """The source of a name that is known already."""
        fixed = find_name(name, self.fixed).one
        if fixed is not None:
            return self.fixed[fixed]
        given = find_name(name, self._inputs).one
        if given is None:
            return None
        self._referred.add(given)
        return FromInput(given)

    def inherit(self) -> None:
        """Know that what was inferred so far is declared by the flow that is referred to."""
        for name, item in self._inputs.items():
            if item.origin is Origin.TARGET:
                self._inputs[name] = replace(item, origin=Origin.FLOW)

    def has(self, name: str) -> bool:
        """Whether a name is known by exactly these letters."""
        return name in self.fixed or name in self._inputs

    def read(self, name: str, target: TargetParameter, span: Span) -> Source | None:
        """The source of a known name for a parameter, whose type and description a route's input takes over."""
        fixed = find_name(name, self.fixed).one
        if fixed is not None:
            return self.fixed[fixed]
        named = find_name(name, self._inputs)
        if named.one is None:
            return None
        return FromInput(self._known(named.one, name, Match.EXACT, target, span))

    def refer(self, name: str, target: TargetParameter | None, span: Span, origin: Origin) -> Source:
        """The source of a caller's input, which becomes known by being referred to."""
        fixed = find_name(name, self.fixed).one
        if fixed is not None:
            return self.fixed[fixed]
        matched = find_name(name, self._inputs)
        if len(matched.names) > 1:
            choices = ", ".join(f"`{item}`" for item in matched.names)
            self._found.append(error("REF004", f"`{name}` may mean {choices}", span, "write the name exactly"))
        if matched.names:
            return FromInput(self._known(matched.names[0], name, matched.match, target, span))
        parts = name.split(".")
        if len(parts) > 1 and parts[0] in _PARTS_OF_A_REQUEST and (target is None or target.name != name):
            return self._part(parts, target, span, origin)
        self._complain_if_close(name, span)
        self.infer(name, target, origin)
        return FromInput(name)

    def infer(self, name: str, target: TargetParameter | None, origin: Origin) -> None:
        """Add an input that nobody declares; ``target`` is the parameter it feeds."""
        location = Location.ARGUMENT
        kind, required, description = ("object" if fold(name) == _WHOLE_BODY else "string"), True, ""
        schema: Mapping[str, Any] = {"type": kind}
        whole = self.front.kind is Kind.REST and fold(name) == _WHOLE_BODY
        if target is not None:
            kind, schema, description = target.type, dict(target.schema), target.description
            required = target.required and (target.fixed is None or origin is Origin.TEMPLATE)
        if self.front.kind is Kind.REST:
            location = _read_from(target)
            whole = whole and (target is None or target.location == Location.BODY)
            location = Location.BODY if whole else location
        self._inputs[name] = Input(
            name=name,
            location=location,
            wire_name=_wire_name(name, location, target),
            type=kind,
            required=required,
            origin=origin,
            schema=schema,
            description=description,
            whole_body=whole,
        )
        self._referred.add(name)

    def _stated(self, node: Node) -> Source:
        """A value that a declaration states, perhaps over other inputs and variables."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return Constant(plain(node))
        parts = tuple(piece if isinstance(piece, str) else self._hole(piece, node.span) for piece in cut(node.text))
        if all(isinstance(part, str) for part in parts):
            return Constant(node.text)
        return parts[0] if len(parts) == 1 and not isinstance(parts[0], str) else Text(parts)

    def _hole(self, hole: Hole, span: Span) -> Source:
        name = strip_scope(hole.name, (*GENERIC_SCOPES, *self.front.scopes))
        known = self.find(hole.name) if name is None else None
        if known is not None:
            return known
        if name is None and (self._variables.binds(hole.name) or hole.name.upper() == hole.name):
            return Constant(self._variables.use(hole.name, span))
        return self.refer(name or hole.name, None, span, Origin.TEMPLATE)

    def _declare(self, parameter: Parameter) -> None:
        is_tool = self.front.kind is Kind.MCP
        in_ = parameter.in_ or (Location.ARGUMENT if is_tool else Location.BODY)
        if in_ == ENVIRONMENT:
            self.fixed[parameter.name] = Constant(self._variables.use(parameter.name, parameter.value_span("name")))
            return
        location = Location.ARGUMENT if is_tool else Location(in_)
        if parameter.value is not None and not _is_path(parameter.value):
            self.fixed[parameter.name] = self._stated(parameter.value)
            return
        required = parameter.required if parameter.required is not None else is_tool or location is Location.PATH
        target = find_name(parameter.name, self._types).one
        schema = schema_of(parameter, self._types[target] if target is not None else "string")
        self._inputs[parameter.name] = Input(
            name=parameter.name,
            location=location,
            wire_name=parameter.name,
            type=schema["type"],
            required=required,
            origin=Origin.DECLARED,
            schema=schema,
            description=parameter.description or "",
            whole_body=location is Location.BODY and _means_body(parameter.name, schema["type"]),
        )

    def _place(self, placeholder: str) -> None:
        declared = (item.name for item in self._inputs.values() if item.origin is Origin.DECLARED)
        matched = find_name(placeholder, declared)
        if matched.one is not None:
            item = replace(self._inputs[matched.one], location=Location.PATH, wire_name=placeholder, required=True)
            self._inputs[item.name] = item
            self._tell_if_loose(item, item.name, matched.match, self.front.span)
            return
        schema = {"type": "string"}
        self._inputs[placeholder] = Input(
            placeholder, Location.PATH, placeholder, "string", required=True, origin=Origin.ROUTE, schema=schema
        )

    def _part(self, parts: list[str], target: TargetParameter | None, span: Span, origin: Origin) -> Source:
        """``rest.body.customer.id`` and ``rest.query.page``: the part of the request is named too."""
        if parts[0] == _WHOLE_BODY and self.front.kind is Kind.REST:
            return self._field_of_body(parts, target, span, origin)
        name = ".".join(parts[1:])
        is_new = not find_name(name, self._inputs).names
        source = self.refer(name, target, span, origin)
        if is_new and self.front.kind is Kind.REST and name in self._inputs:
            location = Location(_PARTS_OF_A_REQUEST[parts[0]])
            location = Location.QUERY if location is Location.PATH else location  # no route has it
            self._inputs[name] = replace(self._inputs[name], location=location, wire_name=name)
        return source

    def _field_of_body(self, parts: list[str], target: TargetParameter | None, span: Span, origin: Origin) -> Source:
        is_new = not find_name(_WHOLE_BODY, self._inputs).names
        source = self.refer(_WHOLE_BODY, None, span, origin)
        if not isinstance(source, FromInput):
            return source
        item = self._inputs[source.name]
        if item.origin is not Origin.DECLARED:
            is_needed = target is None or target.required or (item.required and not is_new)
            self._inputs[item.name] = replace(item, required=is_needed)
        return FromInput(item.name, tuple(parts[1:]))

    def _known(self, matched: str, name: str, match: Match, target: TargetParameter | None, span: Span) -> str:
        item = self._inputs[matched]
        if item.origin is Origin.ROUTE and matched not in self._referred:
            renamed = replace(_described(item, target), name=name)
            order = [renamed if known is item else known for known in self._inputs.values()]
            self._inputs = {known.name: known for known in order}
            matched = name
        self._tell_if_loose(item, name, match, span)
        self._referred.add(matched)
        return matched

    def _tell_if_loose(self, item: Input, name: str, match: Match, span: Span) -> None:
        if match is not Match.EXACT:
            where = f"{{{item.wire_name}}}" if item.location is Location.PATH else item.wire_name
            message = f"`{name}` is taken to mean `{where}`: the names match {match.value}"
            self._found.append(warning("REF006", message, span, f"write `{item.wire_name}` in both places"))

    def _complain_if_close(self, name: str, span: Span) -> None:
        declared = [item.name for item in self._inputs.values() if item.origin is Origin.DECLARED]
        if declared and nearest(name, declared) is not None:
            advice = did_you_mean(name, declared)
            self._found.append(warning("REF009", f"no input `{name}` is declared; it is added", span, *advice))


def _means_body(name: str, kind: str) -> bool:
    return fold(name) == _WHOLE_BODY and kind in {"object", "array"}


def _is_path(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and node.text.startswith("$")


def _described(item: Input, target: TargetParameter | None) -> Input:
    if target is None or target.type not in {"string", "number", "integer", "boolean"}:
        return item
    return replace(item, type=target.type, schema=dict(target.schema), description=target.description)


def _wire_name(name: str, location: Location, target: TargetParameter | None) -> str:
    if location is Location.HEADER and target is not None and fold(target.name) == fold(name):
        return target.name
    return name


_READ_FROM = {
    "query": Location.QUERY,
    "header": Location.HEADER,
    "cookie": Location.COOKIE,
    "body": Location.BODY,
}


def _read_from(target: TargetParameter | None) -> Location:
    """Where a REST server reads an input: the place where its target lives; a path value without a route: the query."""
    return _READ_FROM.get(target.location, Location.QUERY) if target is not None else Location.QUERY
