"""Exposed operations become operations of the plan: what they do is decided, then their work is compiled."""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from capably.diagnostics import error, warning
from capably.expr.source import ABSENT, Constant
from capably.model.exposes import Exposed, Tool
from capably.model.flows import Semantics
from capably.model.values import Output
from capably.plan.answer import Answer
from capably.plan.binding import Binder, Place
from capably.plan.confirmation import confirmed
from capably.plan.consumed import Consumed
from capably.plan.content import StatedContent
from capably.plan.contents import ContentCompiler
from capably.plan.contract import contract_of
from capably.plan.draft import Draft
from capably.plan.flows import Doing, FlowCompiler, steps_in_outputs, tells_last, undeclared_targets, with_readers
from capably.plan.formats import compile_format
from capably.plan.intake import Intake
from capably.plan.mocks import stated_contents, states_a_value
from capably.plan.operation import Hints, Kind, Mock, Operation, Route, Work
from capably.plan.output_schema import output_schema
from capably.plan.outputs import compile_answer, names_in
from capably.plan.parts import parts_of
from capably.plan.resolve import Caller
from capably.plan.routes import compile_route
from capably.plan.shared_flows import SharedFlow, SharedFlows
from capably.plan.sites import Site
from capably.plan.stated_schema import stated_schema
from capably.plan.steps import Flow
from capably.plan.target import Candidate, TargetParameter
from capably.plan.unused import unused_keys


@dataclass(frozen=True, slots=True)
class _Done:
    """The work of an operation, the binder of texts in its outputs, and the consumed operations it calls.

    ``read`` are the steps, by position, that its mappings and outputs read; compiling these adds to it.
    """

    work: Work
    texts: Binder
    called: tuple[Candidate, ...] = ()
    outputs: tuple[Output, ...] = ()
    read: AbstractSet[int] = frozenset()


class OperationCompiler:
    """Compiles the operations of one server."""

    def __init__(self, draft: Draft, shared: SharedFlows) -> None:
        """Begin counting calls: the k-th call of a name may be the k-th operation of the name."""
        self._draft = draft
        self._found = draft.found
        self._shared = shared
        self._calls: Counter[str] = Counter()

    def compile(self, site: Site) -> Operation | None:
        """The operation of a site; ``None`` when it cannot be served, which is told."""
        exposed = site.exposed
        self._tell_modes(exposed)
        flow = self._shared.find(exposed.ref, exposed.value_span("ref")) if exposed.ref is not None else None
        if exposed.ref is not None and flow is None:
            return None
        doing: Doing = flow.flow if flow is not None else exposed
        if not self._does_something(site, doing):
            return None
        if site.kind is Kind.MCP and exposed.name is None and flow is None:
            self._found.append(error("DOC011", "`tools` needs `name`", exposed.node.span, "add `name:` here"))
            return None
        route = self._route(site)
        if site.kind is Kind.REST and route is None:
            self._count(doing)
            return None
        done = self._done(site, doing, flow)
        return self._finished(site, route, flow, done) if done is not None else None

    def _tell_modes(self, exposed: Exposed) -> None:
        stated = [key for key in ("ref", "steps", "call") if key in exposed.node.entries]
        for key in stated[1:]:
            message = f"`{key}` is left aside: `{stated[0]}` says what is done"
            self._found.append(warning("FLW005", message, exposed.key_span(key), f"remove `{key}` or `{stated[0]}`"))

    def _does_something(self, site: Site, doing: Doing) -> bool:
        if doing.steps or states_a_value(doing):
            return True
        if doing.call is not None:
            return not self._draft.is_not_imported(doing.call)
        message = "the operation has no `call`: it is left out"
        advice = "add `call: namespace.operation`, or outputs with a `value` to mock it"
        self._found.append(warning("DOC013", message, site.span, advice))
        return False

    def _count(self, doing: Doing) -> int:
        if doing.call is None or doing.steps:
            return 0
        nth = self._calls[doing.call]
        self._calls[doing.call] += 1
        return nth

    def _route(self, site: Site) -> Route | None:
        if site.path is None or site.resource is None:
            return None
        try:
            return compile_route(site.path)
        except ValueError as problem:
            span = site.resource.value_span("path")
            self._found.append(error("DOC010", f"this path cannot be served: {problem}", span))
            return None

    def _done(self, site: Site, doing: Doing, flow: SharedFlow | None) -> _Done | None:
        if doing.steps:
            return self._flow(site, doing, flow)
        if doing.call is not None:
            return self._call(site, doing, flow, doing.call)
        intake = self._intake(site, flow)
        texts = self._draft.texts(site.front, self._place(site, doing, flow), intake)
        return _Done(Mock(), texts, outputs=doing.outputs)

    def _call(self, site: Site, doing: Doing, flow: SharedFlow | None, call: str) -> _Done | None:
        caller = Caller(doing, call, doing.value_span("call"), self._count(doing), site.method, site.path)
        reached = self._draft.reach(caller)
        if reached is None:
            return None
        intake = self._intake(site, flow, reached.candidate.parameters)
        binder = self._draft.binder(site.front, reached, self._place(site, doing, flow), intake)
        form = compile_format(
            reached.candidate.operation, site.server, site.exposed, self._draft.read_file, self._found
        )
        work = self._draft.consumed(reached, binder, doing.with_, names_in(doing.outputs), form)
        return _Done(work, binder, (reached.candidate,), doing.outputs)

    def _flow(self, site: Site, doing: Doing, shared: SharedFlow | None) -> _Done | None:
        intake = self._intake(site, shared)
        scopes = shared.scopes if shared is not None else site.front.scopes
        self._bind_own(site, intake, doing)
        compiled = FlowCompiler(self._draft, site.front, doing, scopes, intake).compile()
        if compiled is None:
            return None
        reads_steps = steps_in_outputs(doing, compiled.results)
        flow = replace(compiled.flow, reads_steps=reads_steps, name=shared.ref if shared is not None else "")
        added = tuple(
            Output(node=item.node, name=item.target.partition(".")[0])
            for item in undeclared_targets(doing, self._found)
        )
        outputs = (*doing.outputs, *{output.name: output for output in added}.values())
        return _Done(flow, compiled.texts, compiled.called, outputs, compiled.results.read)

    def _bind_own(self, site: Site, intake: Intake, doing: Doing) -> None:
        """`with` of an operation that has steps gives names to values that its steps read."""
        if not doing.with_:
            return
        place = Place(doing.with_, doing.key_span("with"), site.front.scopes)
        binder = self._draft.texts(site.front, place, intake)
        intake.fixed.update(binder.binding.values)

    def _intake(self, site: Site, flow: SharedFlow | None, targets: Iterable[TargetParameter] = ()) -> Intake:
        """The inputs of a site; the names of a flow it refers to are bound to them."""
        front = site.front
        if flow is None:
            return Intake(front, self._draft.variables, self._found, targets)
        candidate = flow.candidate(site.method)
        intake = Intake(front, self._draft.variables, self._found, candidate.parameters)
        binder = Binder(front, candidate, self._draft.variables, self._found, place=Place.of(front), intake=intake)
        intake.inherit()
        if candidate.parameters:
            self._found += unused_keys(front.exposed.with_, candidate, ())
        nothing = {item.name: Constant(ABSENT) for item in candidate.parameters if item.fixed is None}
        stated = {item.name: binder.stated(item) for item in candidate.parameters if item.fixed is not None}
        intake.fixed.update({**nothing, **stated, **binder.binding.values})
        return intake

    def _place(self, site: Site, doing: Doing, flow: SharedFlow | None) -> Place:
        if flow is None:
            return Place.of(site.front)
        offers_all = doing.with_ is None and not flow.flow.inputs and not site.parameters
        return Place(doing.with_, doing.key_span("with"), flow.scopes, offers_all=offers_all)

    def _finished(self, site: Site, route: Route | None, flow: SharedFlow | None, done: _Done) -> Operation:
        """The operation, with the inputs that its outputs refer to as well."""
        exposed, work = site.exposed, done.work
        answer = self._answer(done)
        if isinstance(work, Flow):
            work = with_readers(replace(work, tells_last=tells_last(work, answer, done.read)), done.read)
        contents = self._contents(exposed, done)
        self._tell_outputs_aside(exposed, flow)
        shown = next(iter(done.called), None)
        name = exposed.name or (flow.flow.name if flow is not None and site.kind is Kind.MCP else None)
        known = shown.operation.description if shown is not None and not isinstance(work, Flow) else None
        operation = Operation(
            server=site.kind,
            namespace=site.namespace,
            name=name or f"{site.method} {route.path if route is not None else ''}",
            title=exposed.display or (flow.flow.display if flow is not None else None) or "",
            description=exposed.description or (flow.flow.description if flow is not None else None) or known or "",
            inputs=done.texts.binding.inputs,
            work=work,
            answer=answer,
            span=site.span,
            method=site.method,
            route=route,
            hints=_hints(exposed, flow.flow.semantics if flow is not None else None),
            parts=parts_of(site.server, site.resource, (exposed, *((flow.flow,) if flow else ())), done.called),
            stated_schema=stated_schema(exposed),
            output=None if _answers_bytes(work) or contents else output_schema(answer, is_mock=isinstance(work, Mock)),
            contents=contents,
            contract=contract_of(exposed),
            tells_failure=isinstance(exposed, Tool) and bool(exposed.is_error),
        )
        return confirmed(operation) if exposed.confirm and site.kind is Kind.MCP else operation

    def _answer(self, done: _Done) -> Answer:
        texts = done.texts
        return compile_answer(
            done.outputs,
            lambda text, node: texts.text(text, node.span),
            self._found,
            is_mock=isinstance(done.work, Mock),
            is_flow=isinstance(done.work, Flow),
        )

    def _contents(self, exposed: Exposed, done: _Done) -> tuple[StatedContent, ...]:
        """The pieces of content that are the whole answer."""
        texts = done.texts
        compiler = ContentCompiler(lambda text, node: texts.text(text, node.span), self._draft.read_file, self._found)
        contents = compiler.contents(stated_contents(exposed))
        if contents and not isinstance(done.work, Mock):
            advice = "remove `content`, or what is called"
            message = "`content` is the whole answer of a tool, so nothing can be called for it"
            self._found.append(error("CNT001", message, exposed.key_span("content"), advice))
        return contents

    def _tell_outputs_aside(self, exposed: Exposed, flow: SharedFlow | None) -> None:
        if flow is not None and exposed.outputs and flow.flow.outputs:
            message = f"`outputParameters` are left aside: `{flow.ref}` says what is answered"
            span = exposed.key_span("outputParameters")
            self._found.append(warning("FLW005", message, span, "remove them here, or there"))


def _answers_bytes(work: Work) -> bool:
    return isinstance(work, Consumed) and work.raw_format.is_binary


def _hints(exposed: Exposed, semantics: Semantics | None) -> Hints | None:
    """The hints of a tool: what it states, else what the semantics of its flow say."""
    if not isinstance(exposed, Tool):
        return None
    derived = _derived(semantics) if semantics is not None else Hints()
    stated = exposed.hints
    if stated is None:
        return derived if derived != Hints() else None
    return Hints(
        read_only=stated.read_only if stated.read_only is not None else derived.read_only,
        destructive=stated.destructive if stated.destructive is not None else derived.destructive,
        idempotent=stated.idempotent if stated.idempotent is not None else derived.idempotent,
        open_world=stated.open_world,
    )


def _derived(semantics: Semantics) -> Hints:
    return Hints(
        read_only=semantics.safe,
        destructive=False if semantics.safe else None,
        idempotent=semantics.idempotent,
    )
