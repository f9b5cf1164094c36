"""A forward of a REST resource, compiled: which API it leads to, what is added to requests, which headers pass."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from capably.diagnostics import Diagnostic, did_you_mean, error, warning
from capably.expr.names import find_name
from capably.expr.template import holes
from capably.model.consumes import ConsumedOperation, ConsumedResource, Consumes
from capably.model.exposes import ExposedOperation, ExposedResource, ExposesRest, ForwardTo
from capably.plan.binding import Binder
from capably.plan.guard import Guard
from capably.plan.intake import Front
from capably.plan.operation import REST_OF_PATH, Forward, Kind, Location, Origin
from capably.plan.parts import parts_of_forward
from capably.plan.requests import compile_base, compile_request
from capably.plan.routes import compile_route, placeholders
from capably.plan.target import Candidate, entry_parameters
from capably.plan.variables import Variables
from capably.upstream.auth import Credentials
from capably.upstream.request import OF_THE_CONNECTION


@dataclass(frozen=True, slots=True)
class ForwardCompiler:
    """What forwards of one document are compiled with.

    ``credentials`` gives those of a consumed API; ``upstreams`` collects base URIs by namespace, ``found`` findings;
    ``not_imported`` are namespaces whose import failed.
    """

    consumes: tuple[Consumes, ...]
    variables: Variables
    credentials: Callable[[Candidate], Credentials]
    upstreams: dict[str, str]
    found: list[Diagnostic]
    not_imported: frozenset[str]

    def compile(self, server: ExposesRest, resource: ExposedResource, guard: Guard) -> Forward | None:
        """The forward of a resource, ``None`` when it has none that can be served.

        Args:
            server: the server.
            resource: the resource of it.
            guard: what this server asks of its callers, which goes no further.
        """
        stated = resource.forward
        entry = self._entry(stated) if stated is not None else None
        if stated is None or entry is None:
            return None
        try:
            route = compile_route(resource.path)
        except ValueError as problem:
            span = resource.value_span("path")
            self.found.append(error("DOC010", f"this path cannot be served: {problem}", span))
            return None
        candidate = _candidate(entry)
        names = tuple(name for name in placeholders(resource.path) if name != REST_OF_PATH or not route.takes_rest)
        exposed = ExposedOperation(node=resource.node)
        namespace = server.namespace or server.type
        front = Front(Kind.REST, namespace, exposed, (), names, stated.value_span("targetNamespace"))
        credentials = self.credentials(candidate)
        binder = Binder(front, candidate, self.variables, self.found)
        base = compile_base(candidate, self.variables, binder, self.found)
        self.upstreams[entry.namespace] = base.shown
        request = compile_request(candidate, base, binder, credentials, self.found)
        self._tell_what_nobody_gives(binder, stated)
        return Forward(
            namespace=namespace,
            route=route,
            target=entry.namespace,
            inputs=binder.binding.inputs,
            request=replace(request, body=None),
            trusted=self._trusted(stated, frozenset(name for place, name in guard.asked if place == "header")),
            withheld=frozenset(name for place, name in guard.asked if place == "query"),
            span=resource.key_span("forward"),
            description=resource.description or entry.description or "",
            scheme=credentials.scheme,
            parts=parts_of_forward(server, resource, entry),
            scopes=guard.scopes(stated),
        )

    def _entry(self, stated: ForwardTo) -> Consumes | None:
        names = [entry.namespace for entry in self.consumes]
        name = find_name(stated.target, names).one
        if name is None and stated.target in self.not_imported:
            return None  # what could not be imported has been told
        if name is None:
            message = f"`{stated.target}` is not the namespace of a consumed API"
            span = stated.value_span("targetNamespace")
            self.found.append(error("FWD001", message, span, *did_you_mean(stated.target, names)))
            return None
        return next(entry for entry in self.consumes if entry.namespace == name)

    def _trusted(self, stated: ForwardTo, ours: frozenset[str]) -> frozenset[str]:
        names = {name.strip().lower() for name in stated.trusted}
        for name in sorted(names & (OF_THE_CONNECTION | ours)):
            why = "it belongs to one connection" if name in OF_THE_CONNECTION else "it is meant for this server"
            span = stated.value_span("trustedHeaders")
            self.found.append(warning("FWD002", f"`{name}` is not passed on: {why}", span, "remove it from the list"))
        return frozenset(names - OF_THE_CONNECTION - ours)

    def _tell_what_nobody_gives(self, binder: Binder, stated: ForwardTo) -> None:
        for item in binder.binding.inputs:
            if item.origin is not Origin.ROUTE and item.required:
                message = f"`{stated.target}` needs `{item.name}`, which a forward has no way to ask for"
                span = stated.value_span("targetNamespace")
                advice = f"add `{{{item.name}}}` to the path of the resource, or give the parameter a `value`"
                self.found.append(error("FWD003", message, span, advice))


def _candidate(entry: Consumes) -> Candidate:
    """The API as a whole: what goes with every request. Callers of a forward give only parts of the path."""
    in_base = [hole.name for hole in holes(entry.base_uri, single=True)]
    parameters = tuple(
        item
        for item in entry_parameters(entry)
        if item.fixed is not None
        or "default" in item.schema
        or (item.location == Location.PATH and find_name(item.name, in_base).names)
    )
    resource = ConsumedResource(node=entry.node)
    operation = ConsumedOperation(node=entry.node, name="", method="POST")
    return Candidate(entry, resource, operation, "", parameters)
