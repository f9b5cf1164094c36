"""Flows of aggregates, found by their names, and seen as something that is called: their inputs are its parameters."""

from collections.abc import Iterator
from dataclasses import dataclass

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, warning
from capably.expr.names import Match, find_name
from capably.model.capability import Capability
from capably.model.consumes import ConsumedOperation, ConsumedResource, Consumes
from capably.model.flows import Aggregate, AggregateFlow
from capably.plan.parameter_schema import schema_of
from capably.plan.target import Candidate, TargetParameter

_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})


@dataclass(frozen=True, slots=True)
class SharedFlow:
    """A flow of an aggregate, with the name that `ref` uses."""

    namespace: str
    flow: AggregateFlow
    once: str | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The aggregate's names, which mean the flow's inputs: its own, and the one it has in the file it stands in."""
        return (self.namespace,) if self.once is None else (self.namespace, self.once)

    @property
    def ref(self) -> str:
        """``namespace.name``."""
        return f"{self.namespace}.{self.flow.name}"

    def candidate(self, method: str | None) -> Candidate:
        """The flow as an operation that is called: its inputs are parameters.

        Args:
            method: the HTTP method it is exposed with, which decides where undeclared inputs are read.
        """
        node = self.flow.node
        location = "query" if method in _WITHOUT_BODY else "body"
        parameters = []
        for item in self.flow.inputs:
            schema = schema_of(item, "string")
            parameters.append(
                TargetParameter(
                    name=item.name,
                    location=item.in_ or location,
                    type=schema["type"],
                    required=item.required is not False and "default" not in schema,
                    description=item.description or "",
                    schema=schema,
                    span=item.value_span("name"),
                    fixed=item.value if item.value is not None else item.const,
                )
            )
        consumes = Consumes(node=node, namespace=self.namespace)
        operation = ConsumedOperation(node=node, name=self.flow.name)
        return Candidate(consumes, ConsumedResource(node=node), operation, "", tuple(parameters))


class SharedFlows:
    """All flows of a document."""

    def __init__(self, capability: Capability, found: list[Diagnostic]) -> None:
        """Sort them by name; the first of two with one name counts, which is told."""
        self._found = found
        self._failed = capability.not_imported
        self.by_ref: dict[str, SharedFlow] = {}
        for aggregate in capability.aggregates:
            for item in self._flows(aggregate):
                earlier = self.by_ref.setdefault(item.ref, item)
                if earlier is not item:
                    message = f"two flows are named `{item.ref}`: the first one is used"
                    related = [(earlier.flow.value_span("name"), "the first one")]
                    span = item.flow.value_span("name")
                    found.append(error("FLW008", message, span, "rename one", related=related))

    def _flows(self, aggregate: Aggregate) -> Iterator[SharedFlow]:
        if aggregate.namespace is None:
            span = aggregate.node.span
            message = "an aggregate without `namespace` cannot be referred to"
            self._found.append(error("DOC011", message, span, "add `namespace:` here"))
            return
        for flow in aggregate.flows:
            yield SharedFlow(aggregate.namespace, flow, aggregate.node.once)

    def find(self, ref: str, span: Span) -> SharedFlow | None:
        """The flow that a `ref` names; ``None`` when that is none, which is told."""
        matched = find_name(ref, self.by_ref)
        if matched.one is None:
            if ref.partition(".")[0] in self._failed:
                return None  # what could not be imported has been told
            if matched.names:
                choices = ", ".join(f"`{name}`" for name in matched.names)
                self._found.append(error("REF004", f"`{ref}` may mean {choices}", span, "write the name exactly"))
            else:
                known = f"flows: {', '.join(self.by_ref)}" if self.by_ref else "the document has no `aggregates`"
                advice = did_you_mean(ref, self.by_ref) or (known,)
                self._found.append(error("FLW007", f"no flow is named `{ref}`", span, *advice))
            return None
        if matched.match is not Match.EXACT:
            message = f"`{ref}` is taken to mean `{matched.one}`: the names match {matched.match.value}"
            self._found.append(warning("REF006", message, span, f"write `{matched.one}`"))
        return self.by_ref[matched.one]
