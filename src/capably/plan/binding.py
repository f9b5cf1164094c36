"""Where each value of one upstream request comes from: from ``with``, from the caller, or from what is stated.

A binder compiles the texts of one call. What they make known of the caller's inputs goes to the operation's intake
(docs/names.md, "Values in `with`" and "Inputs").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from capably.diagnostics import Diagnostic, Span, error, nearest, warning
from capably.document import Mapping as MappingNode
from capably.document import Node, Scalar, Sequence, plain, walk
from capably.expr.names import find_name
from capably.expr.reference import GENERIC_SCOPES, InputReference, StrayReference, read_reference, strip_scope
from capably.expr.source import Constant, Fields, FromInput, Items, Source, Text
from capably.expr.template import Hole, cut, holes
from capably.plan.choices import is_choice, not_a_choice
from capably.plan.intake import Front, Intake
from capably.plan.operation import Input, Origin
from capably.plan.results import Results
from capably.plan.target import ENVIRONMENT, Candidate, TargetParameter
from capably.plan.variables import Variables


@dataclass(frozen=True, slots=True)
class Binding:
    """The inputs of an operation and where each value of the upstream request comes from, by parameter name."""

    inputs: tuple[Input, ...]
    values: dict[str, Source]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an operation a call stands.

    ``with_`` are the values written for it at ``span``, ``None`` when it has no ``with``. ``scopes`` are names that
    mean the caller's inputs, besides the generic ones; ``results`` are those of earlier steps. Where
    ``offers_all`` holds, callers may give every parameter of the call.
    """

    with_: Mapping[str, Node] | None
    span: Span
    scopes: tuple[str, ...]
    results: Results = field(default_factory=lambda: Results((), 0, []))
    offers_all: bool = False

    @classmethod
    def of(cls, front: Front) -> "Place":
        """The place of the only call of an operation."""
        exposed = front.exposed
        with_ = MappingProxyType(exposed.with_) if exposed.with_ is not None else None
        offers_all = with_ is None and not front.parameters
        return cls(with_, exposed.key_span("with"), front.scopes, offers_all=offers_all)


class Binder:
    """Compiles the texts of one call."""

    def __init__(
        self,
        front: Front,
        candidate: Candidate,
        variables: Variables,
        found: list[Diagnostic],
        *,
        place: Place | None = None,
        intake: Intake | None = None,
    ) -> None:
        """Bind the parameters of a candidate; ``place`` and ``intake`` are given where the call is one of several."""
        self._front = front
        self._candidate = candidate
        self._variables = variables
        self._found = found
        self._place = place if place is not None else Place.of(front)
        self._scopes = (*GENERIC_SCOPES, *self._place.scopes)
        self._of_base = {hole.name for hole in holes(candidate.consumes.base_uri, single=True)}
        self._intake = intake if intake is not None else Intake(front, variables, found, candidate.parameters)
        self._values: dict[str, Source] = {}
        self._stated = {item.name: item for item in candidate.parameters if item.fixed is not None}
        self._stating: list[str] = []
        for key, node in (self._place.with_ or {}).items():
            self._bind_with(key, node)
        self._bind_the_rest()

    @property
    def binding(self) -> Binding:
        """What has been collected."""
        return Binding(self._intake.inputs, dict(self._values))

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
        """What a hole stands for: an input, a value of ``with``, a result, a parameter, else a variable."""
        results = self._place.results
        if hole.name.startswith("$") and results.names:
            return results.path(hole.name, span)
        scoped = strip_scope(hole.name, self._scopes)
        known = self._known(hole.name, span) if scoped is None else None
        if known is not None:
            return known
        if scoped is None and self._is_variable(hole.name):
            return Constant(self._variables.use(hole.name, span))
        if scoped is None and results.is_close(hole.name):
            results.tell_unknown(hole.name, span)
            return Constant(None)
        return self._intake.refer(scoped or hole.name, target, span, Origin.TEMPLATE)

    def _is_variable(self, name: str) -> bool:
        return self._variables.binds(name) or name.upper() == name or name in self._of_base

    def _known(self, name: str, span: Span) -> Source | None:
        """What is known by a name, the closest first: what the call states, a result, an input, a field of one."""
        results = self._place.results
        known = self._known_value(name)
        if known is None and results.is_ahead(name):
            known = self._intake.find(name)  # an input that bears the name of this step, or of a later one
        known = known if known is not None else results.named(name, span)
        known = known if known is not None else self._intake.find(name)
        known = known if known is not None else results.named(name, span, loosely=True)
        head, _, tail = name.partition(".")
        if known is not None or not tail or self._variables.binds(name):
            return known
        outer = self._intake.find(head)
        return FromInput(outer.name, (*outer.fields, *tail.split("."))) if isinstance(outer, FromInput) else None

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

    def value(self, node: Node, target: TargetParameter | None = None) -> Source:
        """What a value in ``with`` means: a caller's input, a path into results, a template, or a constant."""
        if not isinstance(node, Scalar):
            return self.compose(node) if any(_has_reference(leaf) for leaf in walk(node)) else Constant(plain(node))
        if not isinstance(node.value, str):
            return Constant(node.value)
        known = self._reference(node.text.strip(), target, node.span)
        if known is None and any("{{" in piece for piece in cut(node.text) if isinstance(piece, str)):
            message = f"`{node.text}` is sent as it is written: its braces hold no name, or are not closed"
            self._found.append(warning("REF005", message, node.span, "a template is written '{{name}}'"))
        return known if known is not None else self.text(node.text, node.span)

    def _reference(self, text: str, target: TargetParameter | None, span: Span) -> Source | None:
        """What a text refers to as a whole; ``None`` when it is a template or a constant."""
        results, placeholder = self._place.results, text[1:-1]
        if text.startswith(("$.", "$[")) and results.names and not text.startswith("$this."):
            return results.path(text, span)
        if text == f"{{{placeholder}}}" and placeholder in self._front.placeholders:
            return self._intake.refer(placeholder, target, span, Origin.WITH)
        reference = read_reference(text, self._scopes)
        if isinstance(reference, InputReference):
            return self._intake.refer(reference.name, target, span, Origin.WITH)
        if isinstance(reference, StrayReference):
            result = results.named(text, span)
            if result is None:
                self._stray(text, reference, span)
            return result
        if text.startswith("$."):
            message = f"`{text}` is a path into earlier results, and this operation has none"
            advice = f"a caller's input is `{self._scopes[0]}.name`"
            self._found.append(error("REF005", message, span, advice))
        return None

    def path(self, text: str, span: Span) -> Source:
        """The source of a JSONPath into earlier results."""
        return self._place.results.path(text, span)

    def compose(self, node: Node) -> Source:
        """A value of templates and paths, each leaf on its own so that types survive."""
        if isinstance(node, MappingNode):
            return Fields(tuple((name, self.compose(entry.value)) for name, entry in node.entries.items()))
        if isinstance(node, Sequence):
            return Items(tuple(self.compose(item) for item in node.items))
        return self.value(node)

    def _bind_with(self, key: str, node: Node) -> None:
        names = [item.name for item in self._candidate.parameters]
        matched = find_name(key, names)
        if len(matched.names) > 1:
            choices = ", ".join(f"`{name}`" for name in matched.names)
            self._found.append(error("REF004", f"`{key}` may mean {choices}", node.span, "write the name exactly"))
            return
        target = self._target(matched.one) if matched.one is not None else None
        source = self._bare(key, node)
        if source is None:
            source = self.value(node, target)
        self._values[matched.one or key] = source
        if target is not None and isinstance(source, Constant) and not is_choice(source.value, target.schema):
            self._found.append(not_a_choice(key, source.value, target.schema, node.span))

    def _bare(self, key: str, node: Node) -> Source | None:
        """The input behind ``location: location``: nobody sends a parameter's own name as its value."""
        if not isinstance(node, Scalar) or node.value != key or not self._intake.has(key):
            return None
        message = f"`{key}` is taken to mean the caller's input of that name"
        scope = self._place.scopes[0] if self._place.scopes else self._front.scope
        self._found.append(warning("REF006", message, node.span, f"write `{scope}.{key}` or '{{{{{key}}}}}'"))
        return self._intake.find(key)

    def _stray(self, text: str, reference: StrayReference, span: Span) -> None:
        spaces = [self._candidate.consumes.namespace, *self._scopes, *self._place.results.names]
        close = nearest(reference.head, spaces)
        known = [item.name for item in self._candidate.parameters] + list(self._intake.names)
        if close is not None or find_name(reference.name, known).names:
            advice = f"did you mean `{self._front.scope}.{reference.name}`?"
            message = f"`{text}` names no input: `{reference.head}` is no scope here"
            self._found.append(error("REF005", message, span, advice, f"scopes: {', '.join(self._scopes)}"))
            return
        message = f"`{text}` is sent as it is written: `{reference.head}` is no scope here"
        self._found.append(warning("REF005", message, span, f"scopes: {', '.join(self._scopes)}"))

    def _bind_the_rest(self) -> None:
        """Parameters that ``with`` does not mention: bound by name, and offered when the call needs them."""
        bound = set(self._values)
        for parameter in self._candidate.parameters:
            if parameter.name in bound:
                continue
            if parameter.location == ENVIRONMENT:
                self._values[parameter.name] = Constant(self._variables.use(parameter.name, parameter.span))
                continue
            known = self._intake.read(parameter.name, parameter, self._front.span)
            if known is not None:
                self._values[parameter.name] = known
            elif parameter.fixed is None and (parameter.required or self._place.offers_all):
                self._offer(parameter)

    def _offer(self, parameter: TargetParameter) -> None:
        if self._place.with_ is not None:
            message = f"`with` leaves out `{parameter.name}`, which the call needs: callers are asked for it"
            advice = f"add `{parameter.name}: {self._front.scope}.{parameter.name}`"
            self._found.append(warning("REF008", message, self._place.span, advice))
        self._intake.infer(parameter.name, parameter, Origin.TARGET)
        self._values[parameter.name] = FromInput(parameter.name)

    def _target(self, name: str) -> TargetParameter:
        return next(item for item in self._candidate.parameters if item.name == name)


def _has_reference(node: Node) -> bool:
    return (
        isinstance(node, Scalar) and isinstance(node.value, str) and ("{{" in node.text or node.text.startswith("$."))
    )
