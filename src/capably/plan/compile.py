"""A capability becomes a plan: every name resolved, every template compiled, before a socket opens."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from capably.diagnostics import Diagnostic, error
from capably.model.capability import Capability
from capably.model.control import ExposesControl
from capably.model.exposes import Exposed, Exposes, ExposesMcp, ExposesRest, Resource, Tool
from capably.plan.control import compile_control, declared_open, is_open_to_others
from capably.plan.cors import compile_cors
from capably.plan.draft import Draft
from capably.plan.forwards import ForwardCompiler
from capably.plan.guard import Guard, guard_of
from capably.plan.operation import CertificateFiles, Forward, Freshness, Kind, Operation, Plan, ResourcePlan, ServerPlan
from capably.plan.operations import OperationCompiler
from capably.plan.prompt import PromptPlan
from capably.plan.prompts import compile_prompts
from capably.plan.read_file import ReadFile, read_nothing
from capably.plan.resources import ResourceCompiler
from capably.plan.shared_flows import SharedFlows
from capably.plan.sites import Site, sites
from capably.plan.skills import compile_skills
from capably.plan.steps import NO_SCRIPTS, Scripts
from capably.plan.tool_names import with_safe_names
from capably.plan.variables import NOTHING_GIVEN, Given, Variable
from capably.plan.written_secrets import written_secrets


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan, the variables it uses with what was given for them, and what is wrong or worth knowing.

    ``written`` are secrets that stand in the document itself.
    """

    plan: Plan
    variables: tuple[Variable, ...]
    diagnostics: tuple[Diagnostic, ...]
    written: tuple[Variable, ...] = ()

    @property
    def secrets(self) -> tuple[Variable, ...]:
        """What must not be shown: the secrets among these."""
        return self.variables + self.written

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
    draft = Draft(capability, given, read_file, scripts, reveal=reveal)
    compiler = _Compiler(draft)
    servers = tuple(compiler.servers())
    control = compiler.control()
    compiler.check_unused()
    plan = Plan(capability.file, capability.title, capability.version, servers, dict(draft.upstreams), control)
    return Compiled(plan, draft.variables.used, tuple(draft.found), written_secrets(capability))


class _Compiler:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.capability = draft.capability
        self.found = draft.found
        self.shared = SharedFlows(draft.capability, draft.found)

    def servers(self) -> Iterator[ServerPlan]:
        for server in self.capability.exposes:
            plan = self.server(server) if not isinstance(server, ExposesControl) else None
            if plan is not None:
                yield plan

    def control(self) -> ServerPlan | None:
        """The control server; a second one is told and left out."""
        declared = [server for server in self.capability.exposes if isinstance(server, ExposesControl)]
        for more in declared[1:]:
            related = [(declared[0].node.span, "the first one")]
            advice = "one control server stands for the whole process: remove this one"
            self.found.append(
                error("CTL001", "a second control server", more.value_span("type"), advice, related=related)
            )
        if not declared:
            return None
        plan = self.server(declared[0])
        if plan is None:
            return None
        if is_open_to_others(plan.address, has_gate=plan.gate is not None):
            self.found.append(declared_open(declared[0]))
            return None
        return replace(plan, control=compile_control(declared[0], self.draft.secret, self.found))

    def server(self, server: Exposes) -> ServerPlan | None:
        guard = guard_of(server, self.draft.secret, self.found)
        over_stdio = isinstance(server, ExposesMcp) and server.transport == "stdio"
        port = 0 if over_stdio and server.port is None else self.port(server)
        kind = Kind(server.type)
        compiler = OperationCompiler(self.draft, self.shared)
        operations = [
            guard.guarded(item, site.exposed)
            for site in sites(server, self.found)
            if (item := compiler.compile(site)) is not None
        ]
        resources, prompts = self.shown(server, compiler)
        forwards = self.forwards(server, guard)
        if server.is_empty("tls"):
            advice = "name its `certificate`, or remove `tls` to serve plain http"
            self.found.append(error("DOC011", "`tls` is empty: it needs `certificate`", server.key_span("tls"), advice))
        is_private = server.tls is not None or "tls" not in server.node.entries
        if port is None or not guard.is_kept or not is_private:
            return None  # what cannot be kept as it is stated is not opened
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
            tls=_certificate(server),
            cors=compile_cors(server, self.found) if isinstance(server, ExposesRest) else None,
            describes_itself=not isinstance(server, ExposesRest) or server.documentation is not False,
        )
        return guard.finished(plan, server)

    def shown(
        self, server: Exposes, compiler: OperationCompiler
    ) -> tuple[tuple[ResourcePlan, ...], tuple[PromptPlan, ...]]:
        """What an MCP server shows besides its tools: resources and prompts."""
        if not isinstance(server, ExposesMcp):
            return (), ()

        def operation(resource: Resource) -> Operation | None:
            named = resource if resource.name is not None else replace(resource, name=resource.uri)
            path = resource.uri.replace("{+", "{")
            return compiler.compile(
                Site(Kind.MCP, server, named, resource.value_span("uri"), resource.inputs, path=path)
            )

        resources = ResourceCompiler(server, operation, self.found).resources()
        return resources, compile_prompts(server, self.draft.read_file, self.draft.variables.binds, self.found)

    def freshness(self, server: Exposes) -> Freshness:
        """How long lists of an MCP server may be kept, as far as the document says."""
        if not isinstance(server, ExposesMcp):
            return Freshness()
        stated = server.ttl_ms or 0
        if stated < 0:
            self.found.append(error("DOC010", f"{stated} ms is no duration", server.value_span("ttlMs"), "0 or more"))
        return Freshness(max(stated, 0), server.cache_scope or "private")

    def port(self, server: Exposes) -> int | None:
        if server.port is None and "port" in server.node.entries and not server.is_empty("port"):
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
            capability.consumes,
            self.draft.variables,
            self.draft.credentials,
            self.draft.upstreams,
            self.found,
            capability.not_imported,
        )
        if not isinstance(server, ExposesRest):
            return ()
        compiled = (compiler.compile(server, resource, guard) for resource in server.resources)
        return tuple(forward for forward in compiled if forward is not None)

    def check_unused(self) -> None:
        """Compile the flows that no operation refers to: what is wrong with them is told all the same."""
        if not self.capability.exposes:
            return  # the flows are for documents that import them, which consume what they call
        used = {item.ref for server in self.capability.exposes for item in _exposed(server)}
        for flow in self.shared.by_ref.values():
            if flow.ref not in used:
                tool = Tool(node=flow.flow.node, name=flow.flow.name, ref=flow.ref)
                server = ExposesMcp(node=flow.flow.node, type="mcp", namespace=flow.namespace)
                site = Site(Kind.MCP, server, tool, flow.flow.value_span("name"), ())
                OperationCompiler(self.draft, self.shared).compile(site)


def _exposed(server: Exposes) -> Iterator[Exposed]:
    return (site.exposed for site in sites(server, []))


def _certificate(server: Exposes) -> CertificateFiles | None:
    """The files of a server's certificate; they are relative to the document."""
    if server.tls is None:
        return None
    folder = Path(server.tls.node.span.file).parent
    certificate = folder / server.tls.certificate
    return CertificateFiles(certificate, folder / server.tls.key if server.tls.key is not None else certificate)
