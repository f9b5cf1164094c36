"""A capability becomes a plan: every name resolved, every template compiled, before a socket opens."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from capably.diagnostics import Diagnostic, Span, error, warning
from capably.document import Node, Scalar, walk
from capably.expr.source import Source
from capably.expr.template import cut
from capably.model.auth import Authentication
from capably.model.capability import Capability
from capably.model.exposes import (
    Exposed,
    ExposedOperation,
    ExposedResource,
    Exposes,
    ExposesMcp,
    ExposesRest,
    Resource,
    Tool,
)
from capably.model.values import Parameter
from capably.plan.binding import Binder
from capably.plan.consumed import Consumed
from capably.plan.contents import ContentCompiler
from capably.plan.formats import compile_format
from capably.plan.forwards import ForwardCompiler
from capably.plan.guard import Guard, guard_of
from capably.plan.intake import Front
from capably.plan.mocks import is_mock, nothing_called, stated_contents
from capably.plan.operation import (
    Forward,
    Freshness,
    Hints,
    Kind,
    Mock,
    Operation,
    Plan,
    ResourcePlan,
    Route,
    ServerPlan,
    Work,
)
from capably.plan.output_schema import output_schema
from capably.plan.outputs import compile_answer, names_in
from capably.plan.parts import parts_of
from capably.plan.prompt import PromptPlan
from capably.plan.prompts import compile_prompts
from capably.plan.read_file import ReadFile, read_nothing
from capably.plan.requests import compile_base, compile_request
from capably.plan.resolve import Caller, Decision, directory, resolve
from capably.plan.resources import ResourceCompiler
from capably.plan.routes import compile_route, placeholders
from capably.plan.skills import compile_skills
from capably.plan.stated_schema import stated_inputs, stated_schema
from capably.plan.steps import NO_SCRIPTS, Scripts
from capably.plan.target import Candidate, TargetParameter, candidates
from capably.plan.tool_names import with_safe_names
from capably.plan.unused import unused_with_keys
from capably.plan.variables import NOTHING_GIVEN, Given, Variable, Variables
from capably.upstream.auth import NO_CREDENTIALS, Credentials, compile_credentials


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan, the variables it uses with what was given for them, and what is wrong or worth knowing."""

    plan: Plan
    variables: tuple[Variable, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def missing(self) -> tuple[Variable, ...]:
        """Variables without a value; nothing may be sent while there is one."""
        return tuple(variable for variable in self.variables if variable.value is None)


def compile_plan(
    capability: Capability,
    given: Given = NOTHING_GIVEN,
    *,
    reveal: bool = False,
    read_file: ReadFile = read_nothing,
    scripts: Scripts = NO_SCRIPTS,
) -> Compiled:
    """Compile a capability.

    Args:
        capability: the decoded document.
        given: values from outside.
        reveal: put the values of variables and secrets into the plan, as serving needs. Otherwise the plan holds
            stand-ins such as ``<API_KEY>`` and can be shown to anybody.
        read_file: reads the schema files that the document names.
        scripts: those of its script steps that can be run; what is wrong with the others has been told.
    """
    compiler = _Compiler(capability, given, read_file, scripts, reveal=reveal)
    servers = tuple(compiler.servers())
    plan = Plan(capability.file, capability.title, capability.version, servers, dict(compiler.upstreams))
    return Compiled(plan, compiler.variables.used, tuple(compiler.found))


@dataclass(frozen=True, slots=True)
class _Site:
    """One exposed operation with the levels above it."""

    kind: Kind
    server: Exposes
    exposed: Exposed
    span: Span
    parameters: tuple[Parameter, ...]
    method: str | None = None
    path: str | None = None
    resource: ExposedResource | None = None


class _Compiler:
    def __init__(
        self, capability: Capability, given: Given, read_file: ReadFile, scripts: Scripts, *, reveal: bool
    ) -> None:
        self.capability = capability
        self.scripts = scripts
        self.read_file = read_file
        self.variables = Variables(capability.binds, given, reveal=reveal)
        self.known = directory(
            (entry.namespace for entry in capability.consumes), candidates(capability.consumes, self.variables.binds)
        )
        self.found: list[Diagnostic] = []
        self.upstreams: dict[str, str] = {}
        self._credentials: dict[int, Credentials] = {}

    def servers(self) -> Iterator[ServerPlan]:
        for server in self.capability.exposes:
            plan = self.server(server)
            if plan is not None:
                yield plan

    def server(self, server: Exposes) -> ServerPlan | None:
        guard = guard_of(server, self.secret, self.found)
        over_stdio = isinstance(server, ExposesMcp) and server.transport == "stdio"
        port = 0 if over_stdio and server.port is None else self.port(server)
        kind = Kind(server.type)
        calls: Counter[str] = Counter()
        operations = [
            guard.guarded(item, site.exposed)
            for site in _sites(server, self.found)
            if (item := self.operation(site, calls)) is not None
        ]
        resources, prompts = self.shown(server, calls)
        forwards = self.forwards(server, guard)
        if port is None or not guard.is_kept:
            return None
        plan = ServerPlan(
            kind=kind,
            namespace=server.namespace or kind.value,
            address=server.address,
            port=port,
            description=server.description or "",
            title=self.capability.title,
            version=(self.capability.info.version if self.capability.info is not None else None) or "1.0.0",
            operations=with_safe_names(operations) if kind is Kind.MCP else tuple(operations),
            span=server.node.span,
            port_span=server.value_span("port"),
            forwards=forwards,
            skills=compile_skills(server, self.capability.exposes, self.found),
            resources=resources,
            prompts=prompts,
            freshness=self.freshness(server),
            over_stdio=over_stdio,
        )
        return guard.finished(plan)

    def shown(self, server: Exposes, calls: Counter[str]) -> tuple[tuple[ResourcePlan, ...], tuple[PromptPlan, ...]]:
        """What an MCP server shows besides its tools: resources and prompts."""
        if not isinstance(server, ExposesMcp):
            return (), ()

        def operation(resource: Resource) -> Operation | None:
            name = resource if resource.name is not None else replace(resource, name=resource.uri)
            path = resource.uri.replace("{+", "{")
            site = _Site(Kind.MCP, server, name, resource.value_span("uri"), resource.inputs, path=path)
            return self.operation(site, calls)

        resources = ResourceCompiler(server, operation, self.found).resources()
        return resources, compile_prompts(server, self.read_file, self.variables.binds, self.found)

    def freshness(self, server: Exposes) -> Freshness:
        """How long lists of an MCP server may be kept, as far as the document says."""
        if not isinstance(server, ExposesMcp):
            return Freshness()
        stated = server.ttl_ms or 0
        if stated < 0:
            self.found.append(error("DOC010", f"{stated} ms is no duration", server.value_span("ttlMs"), "0 or more"))
        return Freshness(max(stated, 0), server.cache_scope or "private")

    def port(self, server: Exposes) -> int | None:
        if server.port is None and server.value_span("port") != server.node.span:
            return None  # what stands there has been told
        if server.port is None:
            message = f"the `{server.type}` server has no port"
            self.found.append(error("DOC011", message, server.node.span, "add `port: 8080`"))
        elif not 0 <= server.port <= 65535:  # noqa: PLR2004 -- RFC 9293: ports have 16 bits
            self.found.append(error("DOC010", f"{server.port} is no port", server.value_span("port"), "0 to 65535"))
        else:
            return server.port
        return None

    def forwards(self, server: Exposes, guard: Guard) -> tuple[Forward, ...]:
        """What a REST server passes on as it is; what callers are asked goes no further."""
        capability = self.capability
        compiler = ForwardCompiler(
            capability.consumes, self.variables, self.credentials, self.upstreams, self.found, capability.not_imported
        )
        if not isinstance(server, ExposesRest):
            return ()
        compiled = (compiler.compile(server, resource, guard) for resource in server.resources)
        return tuple(forward for forward in compiled if forward is not None)

    def operation(self, site: _Site, calls: Counter[str]) -> Operation | None:
        exposed = site.exposed
        is_called = exposed.call is not None and not self.is_not_imported(exposed.call)
        if not is_called and not is_mock(exposed):
            self.leave_out(site)
            return None
        if site.kind is Kind.MCP and exposed.name is None:
            self.found.append(error("DOC011", "`tools` needs `name`", exposed.node.span, "add `name:` here"))
            return None
        decision = self.decision(site, exposed.call, calls) if exposed.call is not None else None
        if is_called and decision is None:
            return None
        route = self.route(site)
        if site.kind is Kind.REST and route is None:
            return None
        return self.compiled(site, decision, route) if decision is not None else self.mock(site, route)

    def decision(self, site: _Site, call: str, calls: Counter[str]) -> Decision | None:
        nth = calls[call]
        calls[call] += 1
        caller = Caller(site.exposed, call, site.exposed.value_span("call"), nth, site.method, site.path)
        decision, problems = resolve(caller, self.known)
        self.found += problems
        return decision

    def is_not_imported(self, call: str) -> bool:
        """Whether a call leads into a file that could not be imported, which has been told where it is imported."""
        namespace = call.partition(".")[0]
        return namespace in self.capability.not_imported and namespace not in self.known

    def leave_out(self, site: _Site) -> None:
        if site.exposed.call is not None:
            return
        for key in ("steps", "ref"):
            if key in site.exposed.node.entries:
                message = f"`{key}` is not run by this version: the operation is left out"
                self.found.append(warning("DOC013", message, site.exposed.key_span(key), "the others are served"))
                return
        message = "the operation has no `call`: it is left out"
        advice = "add `call: namespace.operation`, or outputs with a `value` to mock it"
        self.found.append(warning("DOC013", message, site.span, advice))

    def route(self, site: _Site) -> Route | None:
        if site.path is None or site.resource is None:
            return None
        try:
            return compile_route(site.path)
        except ValueError as problem:
            span = site.resource.value_span("path")
            self.found.append(error("DOC010", f"this path cannot be served: {problem}", span))
            return None

    def compiled(self, site: _Site, decision: Decision, route: Route | None) -> Operation:
        exposed, candidate = site.exposed, decision.candidate
        front = _front(site)
        credentials = self.credentials(candidate)
        candidate = _authenticated(candidate, credentials)
        binder = Binder(front, candidate, self.variables, self.found)
        base = compile_base(candidate, self.variables, binder, self.found)
        self.upstreams[candidate.consumes.namespace] = base.shown
        request = compile_request(candidate, base, binder, credentials, self.found)
        self.found += unused_with_keys(front, candidate, [*_template_names(candidate), *names_in(exposed.outputs)])
        raw_format = compile_format(candidate.operation, site.server, exposed, self.read_file, self.found)
        work = Consumed(candidate.target, decision.rule, request, credentials.scheme, raw_format)
        return self.finished(site, route, work, binder, candidate)

    def mock(self, site: _Site, route: Route | None) -> Operation:
        binder = Binder(_front(site), nothing_called(site.exposed.node), self.variables, self.found)
        return self.finished(site, route, Mock(), binder)

    def finished(
        self, site: _Site, route: Route | None, work: Work, binder: Binder, called: Candidate | None = None
    ) -> Operation:
        """The operation, with the inputs that its outputs refer to as well."""
        exposed = site.exposed

        def text(written: str, node: Node) -> Source:
            return binder.text(written, node.span)

        is_mock = isinstance(work, Mock)
        answer = compile_answer(exposed.outputs, text, self.found, is_mock=is_mock)
        contents = ContentCompiler(text, self.read_file, self.found).contents(stated_contents(exposed))
        if contents and not is_mock:
            advice = "remove `content`, or what is called"
            message = "`content` is the whole answer of a tool, so nothing can be called for it"
            self.found.append(error("CNT001", message, exposed.key_span("content"), advice))
        return Operation(
            server=site.kind,
            namespace=site.server.namespace or site.kind.value,
            name=exposed.name or f"{site.method} {route.path if route is not None else ''}",
            title=exposed.display or "",
            description=exposed.description or (called.operation.description if called is not None else None) or "",
            inputs=binder.binding.inputs,
            work=work,
            answer=answer,
            span=site.span,
            method=site.method,
            route=route,
            hints=_hints(exposed),
            parts=parts_of(site.server, site.resource, exposed, called),
            stated_schema=stated_schema(exposed),
            output=None if _answers_bytes(work) or contents else output_schema(answer, is_mock=is_mock),
            contents=contents,
            tells_failure=isinstance(exposed, Tool) and bool(exposed.is_error),
        )

    def credentials(self, candidate: Candidate) -> Credentials:
        block = candidate.operation.authentication or candidate.consumes.authentication
        if block is None or block.type.lower() == "none":
            return NO_CREDENTIALS
        if id(block) not in self._credentials:
            self._credentials[id(block)] = self.reveal(block)
        return self._credentials[id(block)]

    def reveal(self, block: Authentication) -> Credentials:
        return compile_credentials(block, self.secret, self.found)

    def secret(self, text: str, span: Span) -> str:
        """The text of a secret for its template."""
        pieces = cut(text)
        return "".join(
            piece if isinstance(piece, str) else self.variables.use(piece.name, span, secret=True) for piece in pieces
        )


def _answers_bytes(work: Work) -> bool:
    return isinstance(work, Consumed) and work.raw_format.is_binary


def _front(site: _Site) -> Front:
    return Front(
        kind=site.kind,
        namespace=site.server.namespace or site.kind.value,
        exposed=site.exposed,
        parameters=site.parameters,
        placeholders=placeholders(site.path or ""),
        span=site.span,
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


def _sites(server: Exposes, found: list[Diagnostic]) -> Iterator[_Site]:
    if isinstance(server, ExposesMcp):
        for tool in server.tools:
            yield _Site(Kind.MCP, server, tool, tool.value_span("name"), stated_inputs(tool, found))
    elif isinstance(server, ExposesRest):
        for resource in server.resources:
            for operation in resource.operations:
                yield _rest_site(server, resource, operation)


def _rest_site(server: ExposesRest, resource: ExposedResource, operation: ExposedOperation) -> _Site:
    levels: dict[tuple[str, str | None], Parameter] = {}
    for parameter in (*server.inputs, *resource.inputs, *operation.inputs):
        levels[parameter.name, parameter.in_] = parameter
    span = operation.value_span("name") if operation.name is not None else operation.value_span("method")
    return _Site(Kind.REST, server, operation, span, tuple(levels.values()), operation.method, resource.path, resource)


def _hints(exposed: Exposed) -> Hints | None:
    if not isinstance(exposed, Tool) or exposed.hints is None:
        return None
    stated = exposed.hints
    return Hints(stated.read_only, stated.destructive, stated.idempotent, stated.open_world)


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
