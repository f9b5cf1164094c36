"""Rules about the resources of MCP servers."""

from collections.abc import Iterator

from capably.diagnostics import Diagnostic, warning
from capably.model.capability import Capability
from capably.plan.compile import Compiled


def location_absent(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """A file or a folder that is not there."""
    for server in compiled.plan.servers:
        for resource in server.resources:
            if resource.path is not None and not resource.path.exists():
                message = f"the location of the resource `{resource.name}` does not exist"
                advice = f"{resource.path} is looked for with each request"
                yield warning("RES004", message, resource.span, advice)
