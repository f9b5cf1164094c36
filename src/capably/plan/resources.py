"""The resources of an MCP server, compiled."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from capably.diagnostics import Diagnostic, error, warning
from capably.document import Mapping
from capably.imports import local_path
from capably.model.contents import Content
from capably.model.exposes import ExposesMcp, Resource
from capably.plan.formats import max_bytes_of
from capably.plan.operation import Operation, ResourcePlan
from capably.plan.uri_template import UriTemplate, compile_template


def stated_piece(resource: Resource) -> tuple[Content, ...]:
    """The content that a resource states itself, as the one piece that it is."""
    if resource.text is None and resource.data is None:
        return ()
    entries = {key: entry for key, entry in resource.node.entries.items() if key in {"text", "data"}}
    return (
        Content(
            node=Mapping(entries, resource.node.span),
            text=resource.text,
            data=resource.data,
            mime_type=resource.mime_type,
            uri=resource.uri,
        ),
    )


@dataclass(frozen=True, slots=True)
class ResourceCompiler:
    """Compiles resources; ``compile_operation`` gives what a resource that is no file answers with."""

    server: ExposesMcp
    compile_operation: Callable[[Resource], Operation | None]
    found: list[Diagnostic]

    def resources(self) -> tuple[ResourcePlan, ...]:
        """The resources of the server that can be served; of two with one address the first."""
        compiled: dict[str, ResourcePlan] = {}
        for stated in self.server.resources:
            plan = self.resource(stated)
            if plan is None:
                continue
            earlier = compiled.setdefault(plan.uri, plan)
            if earlier is not plan:
                message = f"two resources have the address `{plan.uri}`: the first one is served"
                related = [(earlier.span, "the first one")]
                self.found.append(warning("RES003", message, plan.span, "remove or change one", related=related))
        return tuple(compiled.values())

    def resource(self, stated: Resource) -> ResourcePlan | None:
        """One resource, ``None`` when it cannot be served."""
        span = stated.value_span("uri")
        ways = [key for key in ("call", "steps", "ref", "location", "text", "data") if getattr(stated, key)]
        if len(ways) > 1:
            message = f"a resource has {' and '.join(f'`{way}`' for way in ways)}"
            self.found.append(error("RES001", message, stated.node.span, "its content comes from one of them"))
            return None
        try:
            template = compile_template(stated.uri)
        except ValueError as problem:
            self.found.append(error("RES002", f"this address cannot be served: {problem}", span))
            return None
        path = self.path(stated, template) if stated.location is not None else None
        operation = self.compile_operation(stated) if stated.location is None else None
        if path is None and operation is None:
            return None
        return ResourcePlan(
            name=stated.name or stated.uri,
            uri=template.text if template is not None else stated.uri,
            title=stated.display or "",
            description=stated.description or "",
            mime_type=stated.mime_type or "",
            span=span,
            operation=operation,
            template=template,
            path=path,
            is_binary=bool(stated.binary),
            max_bytes=max_bytes_of(self.server, self.found),
            scopes=stated.scopes,
            parts=operation.parts if operation is not None else (stated.node.span,),
        )

    def path(self, stated: Resource, template: UriTemplate | None) -> Path | None:
        """The file or folder of a resource, ``None`` when it cannot be one."""
        span = stated.value_span("location")
        if template is not None:
            message = "a file or a folder has an address without placeholders"
            self.found.append(error("RES002", message, stated.value_span("uri"), "files of a folder stand below it"))
            return None
        path = local_path(stated.location or "", Path(span.file))
        if path is None:
            message = f"`{stated.location}` is no file or folder of this machine"
            advice = "write `file:///folder`, or a path relative to the document"
            self.found.append(error("RES002", message, span, advice))
        return path
