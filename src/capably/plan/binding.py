"""The inputs of one exposed operation, and the value of each parameter of the operation it calls.

Inputs come from declarations, from route placeholders, from references in ``with`` and from what the called operation
needs (docs/names.md, "Inputs"). A binder collects them for one operation; its result is frozen.
"""

from dataclasses import dataclass, replace
from typing import Any

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, nearest, warning
from capably.document import Node, Scalar, plain
from capably.expr.names import Match, find_name, fold
from capably.expr.reference import GENERIC_SCOPES, InputReference, StrayReference, read_reference, strip_scope
from capably.expr.source import Constant, FromInput, Source, Text
from capably.expr.template import Hole, cut, holes
from capably.model.exposes import Exposed
from capably.model.values import Parameter
from capably.plan.choices import is_choice, not_a_choice
from capably.plan.operation import Input, Kind, Location, Origin
from capably.plan.parameter_schema import schema_of
from capably.plan.target import ENVIRONMENT, Candidate, TargetParameter
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


@dataclass(frozen=True, slots=True)
class Binding:
    """The inputs of an operation and where each value of the upstream request comes from, by parameter name."""

    inputs: tuple[Input, ...]
    values: dict[str, Source]


class Binder:
    """Collects the inputs of one operation while its request is compiled."""

    def __init__(self, front: Front, candidate: Candidate, variables: Variables, found: list[Diagnostic]) -> None:
        """Start with the inputs that the exposed side states."""
        self._front = front
        self._candidate = candidate
        self._variables = variables
        self._found = found
        self._scopes = (*GENERIC_SCOPES, front.namespace)
        self._of_base = {hole.name for hole in holes(candidate.consumes.base_uri, single=True)}
        self._inputs: dict[str, Input] = {}
        self._fixed: dict[str, Source] = {}
        self._referred: set[str] = set()
        self._values: dict[str, Source] = {}
        self._stated = {item.name: item for item in candidate.parameters if item.fixed is not None}
        self._stating: list[str] = []
        for parameter in front.parameters:
            self._declare(parameter)
        for placeholder in front.placeholders:
            self._place(placeholder)
        for key, node in (front.exposed.with_ or {}).items():
            self._bind_with(key, node)
        self._bind_the_rest()

    @property
    def binding(self) -> Binding:
        """What has been collected."""
        return Binding(tuple(self._inputs.values()), dict(self._values))

    def text(
        self, node_text: str, span: Span, *, single: bool = False, target: TargetParameter | None = None
    ) -> Source:
        """Compile a template of the consumed operation or of ``with``; one whole hole keeps its value's type.

        ``target`` is the parameter whose value the template is: an input it makes known is no more required than that.
        """
        pieces = cut(node_text, single=single)
        parts = tuple(piece if isinstance(piece, str) else self.hole(piece, span, target) for piece in pieces)
        if len(parts) == 1 and not isinstance(parts[0], str):
            return parts[0]
        if all(isinstance(part, str) for part in parts):
            return Constant(node_text)
        return Text(parts)

    def hole(self, hole: Hole, span: Span, target: TargetParameter | None = None) -> Source:
        """What a hole stands for: an input, a value of ``with``, a parameter, else a variable."""
        scoped = strip_scope(hole.name, self._scopes)
        if scoped is not None:
            return self._refer(scoped, target, span, Origin.TEMPLATE)
        known = self._known_value(hole.name)
        if known is not None:
            return known
        given = find_name(hole.name, self._inputs).one
        if given is not None:
            self._referred.add(given)
            return FromInput(given)
        head, _, tail = hole.name.partition(".")
        outer = find_name(head, self._inputs).one
        if tail and outer is not None and not self._variables.binds(hole.name):
            return FromInput(outer, tuple(tail.split(".")))
        if self._variables.binds(hole.name) or hole.name.upper() == hole.name or hole.name in self._of_base:
            return Constant(self._variables.use(hole.name, span))
        return self._refer(hole.name, target, span, Origin.TEMPLATE)

    def _known_value(self, name: str) -> Source | None:
        """What ``with`` or the called operation states under a name."""
        known = find_name(name, self._values).one
        if known is not None:
            return self._values[known]
        stated = find_name(name, self._stated).one
        return self.stated(self._stated[stated]) if stated is not None and stated not in self._stating else None

    def stated(self, parameter: TargetParameter) -> Source:
        """The value the document states for a target parameter; inside it, its own name means the caller's input."""
        if not isinstance(parameter.fixed, Scalar) or not isinstance(parameter.fixed.value, str):
            return Constant(plain(parameter.fixed) if parameter.fixed is not None else None)
        self._stating.append(parameter.name)
        source = self.text(parameter.fixed.text, parameter.fixed.span, target=parameter)
        self._stating.pop()
        return source

    def parameter(self, name: str) -> Source | None:
        """The value of a target parameter, by the name it has in the consumed operation."""
        found = find_name(name, self._values).one
        return self._values[found] if found is not None else None

    def _declare(self, parameter: Parameter) -> None:
        is_tool = self._front.kind is Kind.MCP
        in_ = parameter.in_ or (Location.ARGUMENT if is_tool else Location.BODY)
        if in_ == ENVIRONMENT:
            self._fixed[parameter.name] = Constant(self._variables.use(parameter.name, parameter.value_span("name")))
            return
        location = Location.ARGUMENT if is_tool else Location(in_)
        if parameter.value is not None and not _is_path(parameter.value):
            self._fixed[parameter.name] = self._constant(parameter.value)
            return
        required = parameter.required if parameter.required is not None else is_tool or location is Location.PATH
        target = find_name(parameter.name, (item.name for item in self._candidate.parameters)).one
        default_type = self._target(target).type if target is not None else "string"
        schema = schema_of(parameter, default_type)
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
            self._tell_if_loose(item, item.name, matched.match, self._front.span)
            return
        schema = {"type": "string"}
        self._inputs[placeholder] = Input(
            placeholder, Location.PATH, placeholder, "string", required=True, origin=Origin.ROUTE, schema=schema
        )

    def _bind_with(self, key: str, node: Node) -> None:
        names = [item.name for item in self._candidate.parameters]
        matched = find_name(key, names)
        if len(matched.names) > 1:
            choices = ", ".join(f"`{name}`" for name in matched.names)
            self._found.append(error("REF004", f"`{key}` may mean {choices}", node.span, "write the name exactly"))
            return
        target = self._target(matched.one) if matched.one is not None else None
        source = self._value(node, target)
        self._values[matched.one or key] = source
        if target is not None and isinstance(source, Constant) and not is_choice(source.value, target.schema):
            self._found.append(not_a_choice(key, source.value, target.schema, node.span))

    def _value(self, node: Node, target: TargetParameter | None) -> Source:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return self._constant(node)
        text = node.text.strip()
        reference = read_reference(text, self._scopes)
        if isinstance(reference, InputReference):
            return self._refer(reference.name, target, node.span, Origin.WITH)
        if isinstance(reference, StrayReference):
            self._stray(text, reference, node.span)
        elif text.startswith("$."):
            message = f"`{text}` is a path into earlier results, and this operation has none"
            self._found.append(error("REF005", message, node.span, f"a caller's input is `{self._scopes[0]}.name`"))
        return self.text(node.text, node.span)

    def _stray(self, text: str, reference: StrayReference, span: Span) -> None:
        spaces = [self._candidate.consumes.namespace, *self._scopes]
        close = nearest(reference.head, spaces)
        known = [item.name for item in self._candidate.parameters] + list(self._inputs)
        if close is not None or find_name(reference.name, known).names:
            scope = "tools" if self._front.kind is Kind.MCP else "rest"
            advice = f"did you mean `{scope}.{reference.name}`?"
            message = f"`{text}` names no input: `{reference.head}` is no scope here"
            self._found.append(error("REF005", message, span, advice, f"scopes: {', '.join(self._scopes)}"))
            return
        message = f"`{text}` is sent as it is written: `{reference.head}` is no scope here"
        self._found.append(warning("REF005", message, span, f"scopes: {', '.join(self._scopes)}"))

    def _constant(self, node: Node) -> Source:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return self.text(node.text, node.span)
        return Constant(plain(node))

    def _refer(self, name: str, target: TargetParameter | None, span: Span, origin: Origin) -> Source:
        """The source of a caller's input, which becomes known by being referred to."""
        fixed = find_name(name, self._fixed).one
        if fixed is not None:
            return self._fixed[fixed]
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
        self._infer(name, target, origin)
        return FromInput(name)

    def _part(self, parts: list[str], target: TargetParameter | None, span: Span, origin: Origin) -> Source:
        """``rest.body.customer.id`` and ``rest.query.page``: the part of the request is named too."""
        if parts[0] == _WHOLE_BODY and self._front.kind is Kind.REST:
            return self._field_of_body(parts, target, span, origin)
        name = ".".join(parts[1:])
        is_new = not find_name(name, self._inputs).names
        source = self._refer(name, target, span, origin)
        if is_new and self._front.kind is Kind.REST and name in self._inputs:
            location = Location(_PARTS_OF_A_REQUEST[parts[0]])
            location = Location.QUERY if location is Location.PATH else location  # no route has it
            self._inputs[name] = replace(self._inputs[name], location=location, wire_name=name)
        return source

    def _field_of_body(self, parts: list[str], target: TargetParameter | None, span: Span, origin: Origin) -> Source:
        is_new = not find_name(_WHOLE_BODY, self._inputs).names
        source = self._refer(_WHOLE_BODY, None, span, origin)
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
            described = self._described(item, target)
            renamed = replace(described, name=name)
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

    def _described(self, item: Input, target: TargetParameter | None) -> Input:
        if target is None or target.type not in {"string", "number", "integer", "boolean"}:
            return item
        return replace(item, type=target.type, schema=_offered(target), description=target.description)

    def _complain_if_close(self, name: str, span: Span) -> None:
        declared = [item.name for item in self._inputs.values() if item.origin is Origin.DECLARED]
        if declared and nearest(name, declared) is not None:
            advice = did_you_mean(name, declared)
            self._found.append(warning("REF009", f"no input `{name}` is declared; it is added", span, *advice))

    def _infer(self, name: str, target: TargetParameter | None, origin: Origin) -> None:
        location = Location.ARGUMENT
        kind, required, description = ("object" if fold(name) == _WHOLE_BODY else "string"), True, ""
        schema: dict[str, Any] = {"type": kind}
        whole = self._front.kind is Kind.REST and fold(name) == _WHOLE_BODY
        if target is not None:
            kind, schema, required, description = (
                target.type,
                _offered(target),
                target.required and (target.fixed is None or origin is Origin.TEMPLATE),
                target.description,
            )
        if self._front.kind is Kind.REST:
            location = _read_from(target)
            whole = whole and (target is None or target.location == Location.BODY)
            location = Location.BODY if whole else location
        self._inputs[name] = Input(
            name=name,
            location=location,
            wire_name=self._wire_name(name, location, target),
            type=kind,
            required=required,
            origin=origin,
            schema=schema,
            description=description,
            whole_body=whole,
        )
        self._referred.add(name)

    def _wire_name(self, name: str, location: Location, target: TargetParameter | None) -> str:
        if location is Location.HEADER and target is not None and fold(target.name) == fold(name):
            return target.name
        return name

    def _bind_the_rest(self) -> None:
        """Parameters that ``with`` does not mention: bound by name, and offered when the call needs them."""
        offers_all = self._front.exposed.with_ is None and not self._front.parameters
        bound = set(self._values)
        for parameter in self._candidate.parameters:
            if parameter.name in bound:
                continue
            if parameter.location == ENVIRONMENT:
                self._values[parameter.name] = Constant(self._variables.use(parameter.name, parameter.span))
                continue
            fixed = find_name(parameter.name, self._fixed).one
            named = find_name(parameter.name, self._inputs)
            if fixed is not None:
                self._values[parameter.name] = self._fixed[fixed]
            elif named.one is not None:
                span = self._front.span
                known = self._known(named.one, parameter.name, Match.EXACT, parameter, span)
                self._values[parameter.name] = FromInput(known)
            elif parameter.fixed is None and (parameter.required or offers_all):
                self._offer(parameter)

    def _offer(self, parameter: TargetParameter) -> None:
        if self._front.exposed.with_ is not None:
            span = self._front.exposed.key_span("with")
            message = f"`with` leaves out `{parameter.name}`, which the call needs: callers are asked for it"
            scope = "tools" if self._front.kind is Kind.MCP else "rest"
            advice = f"add `{parameter.name}: {scope}.{parameter.name}`"
            self._found.append(warning("REF008", message, span, advice))
        self._infer(parameter.name, parameter, Origin.TARGET)
        self._values[parameter.name] = FromInput(parameter.name)

    def _target(self, name: str) -> TargetParameter:
        return next(item for item in self._candidate.parameters if item.name == name)


def _means_body(name: str, kind: str) -> bool:
    return fold(name) == _WHOLE_BODY and kind in {"object", "array"}


def _is_path(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and node.text.startswith("$")


def _offered(target: TargetParameter) -> dict[str, Any]:
    """A target parameter's schema as callers see it."""
    return dict(target.schema)


_READ_FROM = {
    "query": Location.QUERY,
    "header": Location.HEADER,
    "cookie": Location.COOKIE,
    "body": Location.BODY,
}


def _read_from(target: TargetParameter | None) -> Location:
    """Where a REST server reads an input: the place where its target lives; a path value without a route: the query."""
    return _READ_FROM.get(target.location, Location.QUERY) if target is not None else Location.QUERY
