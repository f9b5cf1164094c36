"""What compiling one document needs everywhere, and what it collects on the way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from capably.diagnostics import Diagnostic, Span
from capably.document import Node, Scalar, walk
from capably.expr.template import cut
from capably.model.capability import Capability
from capably.plan.binding import Binder, Place
from capably.plan.consumed import Consumed
from capably.plan.intake import Front, Intake
from capably.plan.mocks import nothing_called
from capably.plan.raw_format import RawFormat
from capably.plan.read_file import ReadFile
from capably.plan.requests import compile_base, compile_request
from capably.plan.resolve import Caller, Decision, directory, resolve
from capably.plan.steps import Scripts
from capably.plan.target import Candidate, TargetParameter, candidates
from capably.plan.unused import unused_keys
from capably.plan.variables import Given, Variables
from capably.upstream.auth import NO_CREDENTIALS, Credentials, compile_credentials


@dataclass(frozen=True, slots=True)
class Reached:
    """A consumed operation that a call means, without the parameters that its authentication fills."""

    candidate: Candidate
    rule: str
    credentials: Credentials


class Draft:
    """A document on its way to be a plan.

    ``found`` takes what is wrong or worth knowing, ``upstreams`` base URIs by namespace.
    """

    def __init__(
        self, capability: Capability, given: Given, read_file: ReadFile, scripts: Scripts, *, reveal: bool
    ) -> None:
        """Know the consumed operations and the variables."""
        self.capability = capability
        self.read_file = read_file
        self.scripts = scripts
        self.variables = Variables(capability.binds, given, reveal=reveal)
        self.known = directory(
            (entry.namespace for entry in capability.consumes), candidates(capability.consumes, self.variables.binds)
        )
        self.found: list[Diagnostic] = []
        self.upstreams: dict[str, str] = {}
        self._credentials: dict[int, Credentials] = {}

    def reach(self, caller: Caller) -> Reached | None:
        """The consumed operation that a caller means; ``None`` when that is none, which is told."""
        if self.is_not_imported(caller.call):
            return None
        decision, problems = resolve(caller, self.known)
        self.found += problems
        return self._reached(decision) if decision is not None else None

    def _reached(self, decision: Decision) -> Reached:
        credentials = self.credentials(decision.candidate)
        return Reached(_authenticated(decision.candidate, credentials), decision.rule, credentials)

    def is_not_imported(self, call: str) -> bool:
        """Whether a call leads into a file that could not be imported, which has been told where it is imported."""
        namespace = call.partition(".")[0]
        return namespace in self.capability.not_imported and namespace not in self.known

    def binder(self, front: Front, reached: Reached, place: Place, intake: Intake) -> Binder:
        """The binder of a call."""
        return Binder(front, reached.candidate, self.variables, self.found, place=place, intake=intake)

    def texts(self, front: Front, place: Place, intake: Intake) -> Binder:
        """A binder for texts that belong to no call."""
        nothing = nothing_called(front.exposed.node)
        return Binder(front, nothing, self.variables, self.found, place=place, intake=intake)

    def consumed(
        self, reached: Reached, binder: Binder, with_: Mapping[str, Node] | None, used: Iterable[str], form: RawFormat
    ) -> Consumed:
        """The work of calling what was reached; ``used`` are names that are read besides its own."""
        candidate = reached.candidate
        base = compile_base(candidate, self.variables, binder, self.found)
        self.upstreams[candidate.consumes.namespace] = base.shown
        request = compile_request(candidate, base, binder, reached.credentials, self.found)
        self.found += unused_keys(with_, candidate, [*_template_names(candidate), *used])
        return Consumed(candidate.target, reached.rule, request, reached.credentials.scheme, form)

    def credentials(self, candidate: Candidate) -> Credentials:
        """How requests to an API are authenticated."""
        block = candidate.operation.authentication or candidate.consumes.authentication
        if block is None or block.type.lower() == "none":
            return NO_CREDENTIALS
        if id(block) not in self._credentials:
            self._credentials[id(block)] = compile_credentials(block, self.secret, self.found)
        return self._credentials[id(block)]

    def secret(self, text: str, span: Span) -> str:
        """The text of a secret for its template."""
        pieces = cut(text)
        return "".join(
            piece if isinstance(piece, str) else self.variables.use(piece.name, span, secret=True) for piece in pieces
        )


def _authenticated(candidate: Candidate, credentials: Credentials) -> Candidate:
    """The operation without the parameters that its authentication fills: no caller is asked for those."""
    filled = credentials.filled
    left = (item for item in candidate.parameters if (item.location, item.name.lower()) not in filled)
    fields = {name for name, _value in credentials.body}  # these stay, so that the body keeps its shape
    kept = tuple(_without_caller(item) if item.location == "body" and item.name in fields else item for item in left)
    return replace(candidate, parameters=kept)


def _without_caller(parameter: TargetParameter) -> TargetParameter:
    """The parameter with a value of its own, which authentication replaces."""
    return replace(parameter, required=False, fixed=Scalar("", "", parameter.span))


def _template_names(candidate: Candidate) -> list[str]:
    """Names that templates of the consumed operation read."""
    nodes = [candidate.operation.body, *(item.fixed for item in candidate.parameters)]
    texts = [leaf.text for node in nodes if node is not None for leaf in walk(node) if isinstance(leaf, Scalar)]
    texts += [candidate.consumes.base_uri, candidate.path]
    return [
        piece.name.rpartition(".")[2]
        for text in texts
        for piece in cut(text, single=True)
        if not isinstance(piece, str)
    ]
